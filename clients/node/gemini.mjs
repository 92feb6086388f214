// Gemini with the official SDK for Node, @google/genai.
//
// The base URL is in the environment (GOOGLE_GEMINI_BASE_URL), as users have it;
// nothing else is set.
import { readFileSync } from "node:fs";
import { ApiError, GoogleGenAI, Modality } from "@google/genai";
import { joined, serve } from "./facts.mjs";

const { version } = JSON.parse(readFileSync(new URL("node_modules/@google/genai/package.json", import.meta.url)));
const ai = new GoogleGenAI({});
const MODEL = "gemini-2.5-flash";
const ASK = "Say hello to wörld ✓";
const WEATHER = {
  functionDeclarations: [
    {
      name: "get_weather",
      description: "Current weather of a city.",
      parametersJsonSchema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
    },
  ],
};

// Adds one answer, or one chunk of one.
function add(out, r) {
  out.ids = [r.responseId];
  out.model = r.modelVersion;
  const u = r.usageMetadata;
  out.usage = u ? { input: u.promptTokenCount, output: u.candidatesTokenCount ?? 0 } : null;
  for (const c of r.candidates ?? []) {
    out.finish = c.finishReason ?? out.finish;
    for (const p of c.content?.parts ?? []) {
      if (p.functionCall) {
        const { id, name, args } = p.functionCall;
        out.tools.push({ id, name, arguments: JSON.stringify(args) });
      }
      out[p.thought ? "thinking" : "text"] += p.text ?? "";
    }
  }
}

const whole = (r) => joined([r], add);
const ask = (config) => ai.models.generateContent({ model: MODEL, contents: ASK, config });
const streaming = (config) => ai.models.generateContentStream({ model: MODEL, contents: ASK, config });

// Plays the application: runs the tools that the model asked for.
async function withTools(complete) {
  const contents = [{ role: "user", parts: [{ text: ASK }] }];
  const first = await complete({ model: MODEL, contents, config: { tools: [WEATHER] } });
  contents.push({
    role: "model",
    parts: first.tools.map((c) => ({ functionCall: { id: c.id, name: c.name, args: JSON.parse(c.arguments) } })),
  });
  contents.push({
    role: "user",
    parts: first.tools.map((c) => ({
      functionResponse: { id: c.id, name: c.name, response: { result: "18 degrees, sunny" } },
    })),
  });
  const last = await complete({ model: MODEL, contents, config: { tools: [WEATHER] } });
  return { ...last, ids: [...first.ids, ...last.ids], tools: first.tools };
}

async function failing(call) {
  try {
    await call();
  } catch (e) {
    if (e instanceof ApiError) {
      // The SDK puts the body into the message.
      const { error } = JSON.parse(e.message.slice(e.message.indexOf("{")));
      return { status: e.status, error: e.constructor.name, code: error.status };
    }
    throw e;
  }
  return {};
}

const features = {
  generate: async () =>
    whole(await ask({ temperature: 0.5, maxOutputTokens: 200, systemInstruction: "You are terse." })),
  stream: async () => joined(await streaming(), add),
  tools: () => withTools(async (p) => whole(await ai.models.generateContent(p))),
  tools_stream: () => withTools(async (p) => joined(await ai.models.generateContentStream(p), add)),
  thinking: async () =>
    joined(await streaming({ thinkingConfig: { thinkingBudget: 128, includeThoughts: true } }), add),

  async structured() {
    const r = await ask({
      responseMimeType: "application/json",
      responseJsonSchema: {
        type: "object",
        properties: { name: { type: "string" }, inhabitants: { type: "integer" } },
        required: ["name", "inhabitants"],
      },
    });
    const { name, inhabitants } = JSON.parse(r.text);
    return { ...(await whole(r)), parsed: typeof name === "string" && Number.isInteger(inhabitants) };
  },

  async embeddings() {
    const r = await ai.models.embedContent({ model: "gemini-embedding-001", contents: ["one", "two"] });
    return { dimensions: r.embeddings.map((e) => e.values.length) };
  },

  count_tokens: async () => ({ count: (await ai.models.countTokens({ model: MODEL, contents: ASK })).totalTokens }),

  async models() {
    const names = [];
    for await (const m of await ai.models.list()) names.push(m.name);
    return { text: names.join(",") };
  },

  not_found: () => failing(() => ai.models.generateContent({ model: "gemini-none", contents: ASK })),
  rate_limited: () => failing(() => ask()),
  // Its content type says that it is no JSON, and the SDK says no more than the status.
  stream_refused: async () => ({ ...(await failing(async () => joined(await streaming(), add))), code: "" }),

  async blocked() {
    const r = await ask();
    return { ...(await whole(r)), finish: r.promptFeedback.blockReason };
  },

  async cut() {
    let text = "";
    try {
      for await (const chunk of await streaming()) text += chunk.text ?? "";
    } catch (e) {
      return { error: e.constructor.name, text };
    }
    return { text };
  },

  session: async () =>
    whole(await ask({ httpOptions: { headers: { "x-spanwire-team": "search", "x-spanwire-session": "chat-4711" } } })),

  async live() {
    const out = { text: "", chunks: 0 };
    let turnEnded, failed;
    const talk = await ai.live.connect({
      model: "gemini-live-2.5-flash",
      config: { responseModalities: [Modality.TEXT] },
      callbacks: {
        onmessage(m) {
          out.chunks++;
          for (const p of m.serverContent?.modelTurn?.parts ?? []) out.text += p.text ?? "";
          const u = m.usageMetadata;
          if (u) out.usage = { input: u.promptTokenCount, output: u.responseTokenCount };
          if (m.serverContent?.turnComplete) turnEnded();
        },
        onerror: (e) => failed?.(new Error(e.message)),
        onclose: (e) => failed?.(new Error(`closed: ${e.code} ${e.reason}`)),
      },
    });
    for (const words of [ASK, "And again"]) {
      const turn = new Promise((resolve, reject) => ([turnEnded, failed] = [resolve, reject]));
      talk.sendClientContent({ turns: [{ role: "user", parts: [{ text: words }] }], turnComplete: true });
      await turn;
    }
    failed = undefined;
    talk.close();
    return out;
  },
};

await serve(features, `@google/genai ${version}`);
