// Mistral with its official SDK for Node, whose base URL is set in code.
import { readFileSync } from "node:fs";
import { Mistral } from "@mistralai/mistralai";
import { MistralError } from "@mistralai/mistralai/models/errors";
import { z } from "zod";
import { joined, serve } from "./facts.mjs";

const at = new URL("node_modules/@mistralai/mistralai/package.json", import.meta.url);
const { version } = JSON.parse(readFileSync(at));
const client = new Mistral({ apiKey: process.env.MISTRAL_API_KEY, serverURL: `${process.env.SPANWIRE_URL}/mistral` });
const ASK = {
  model: "mistral-small-latest",
  messages: [
    { role: "system", content: "You are terse." },
    { role: "user", content: "Say hello to wörld ✓" },
  ],
};
const WEATHER = {
  type: "function",
  function: {
    name: "get_weather",
    description: "Current weather of a city.",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
};

function take(out, r, message, finish) {
  out.ids = [r.id];
  out.model = r.model;
  out.finish = finish ?? out.finish;
  if (r.usage) out.usage = { input: r.usage.promptTokens, output: r.usage.completionTokens };
  const content = message.content ?? "";
  for (const part of typeof content === "string" ? [{ type: "text", text: content }] : content) {
    if (part.type === "thinking") out.thinking += part.thinking.map((t) => t.text).join("");
    else out.text += part.text;
  }
  for (const c of message.toolCalls ?? []) {
    out.tools.push({ id: c.id, name: c.function.name, arguments: c.function.arguments });
  }
}

const whole = (r) => joined([r], (out, r) => take(out, r, r.choices[0].message, r.choices[0].finishReason));

const piece = (out, e) => take(out, e.data, e.data.choices[0].delta, e.data.choices[0].finishReason);

async function failing(model) {
  try {
    await client.chat.complete({ ...ASK, model });
  } catch (e) {
    if (e instanceof MistralError) return { status: e.statusCode, error: e.constructor.name };
    throw e;
  }
  return {};
}

const features = {
  chat: async () => whole(await client.chat.complete({ ...ASK, temperature: 0.5, maxTokens: 200 })),
  stream: async () => joined(await client.chat.stream(ASK), piece),

  // Plays the application: runs the tools that the model asked for.
  async tools() {
    const messages = [...ASK.messages];
    const first = await client.chat.complete({ ...ASK, messages, tools: [WEATHER] });
    messages.push(first.choices[0].message);
    for (const call of first.choices[0].message.toolCalls) {
      messages.push({ role: "tool", toolCallId: call.id, name: call.function.name, content: "18 degrees, sunny" });
    }
    const last = await client.chat.complete({ ...ASK, messages, tools: [WEATHER] });
    return { ...(await whole(last)), ids: [first.id, last.id], tools: (await whole(first)).tools };
  },

  tools_stream: async () => joined(await client.chat.stream({ ...ASK, tools: [WEATHER] }), piece),
  thinking: async () => joined(await client.chat.stream({ ...ASK, model: "magistral-small-latest" }), piece),

  async structured() {
    const City = z.object({ name: z.string(), inhabitants: z.number().int() });
    const r = await client.chat.parse({ ...ASK, responseFormat: City });
    return { ...(await whole(r)), parsed: City.safeParse(r.choices[0].message.parsed).success };
  },

  async embeddings() {
    const r = await client.embeddings.create({ model: "mistral-embed", inputs: ["one", "two"] });
    return { ids: [r.id], model: r.model, dimensions: r.data.map((d) => d.embedding.length) };
  },

  models: async () => ({ text: (await client.models.list()).data.map((m) => m.id).join(",") }),
  not_found: () => failing("mistral-none"),
  bad_key: () => failing(ASK.model),

  async cut() {
    let text = "";
    try {
      for await (const e of await client.chat.stream(ASK)) text += e.data.choices[0].delta.content ?? "";
    } catch (e) {
      return { error: e.constructor.name, text };
    }
    return { text };
  },

  session: async () =>
    whole(
      await client.chat.complete(ASK, { headers: { "x-spanwire-team": "search", "x-spanwire-session": "chat-4711" } }),
    ),
};

await serve(features, `@mistralai/mistralai ${version}`);
