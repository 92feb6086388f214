// Ollama with its official library for Node, whose base URL is set in code.
import { readFileSync } from "node:fs";
import { Ollama } from "ollama";
import { joined, serve } from "./facts.mjs";

const { version } = JSON.parse(readFileSync(new URL("node_modules/ollama/package.json", import.meta.url)));
const client = new Ollama({ host: `${process.env.SPANWIRE_URL}/ollama` });
const MODEL = "qwen3:4b";
const ASK = [
  { role: "system", content: "You are terse." },
  { role: "user", content: "Say hello to wörld ✓" },
];
const WEATHER = {
  type: "function",
  function: {
    name: "get_weather",
    description: "Current weather of a city.",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
};
const ask = (more) => client.chat({ model: MODEL, messages: ASK, ...more });

function piece(out, r) {
  out.model = r.model;
  out.text += r.message.content ?? "";
  out.thinking += r.message.thinking ?? "";
  for (const c of r.message.tool_calls ?? []) {
    out.tools.push({ name: c.function.name, arguments: JSON.stringify(c.function.arguments) });
  }
  if (r.done) {
    out.finish = r.done_reason;
    out.usage = { input: r.prompt_eval_count, output: r.eval_count };
  }
}

const whole = (r) => joined([r], piece);

async function breaking() {
  let text = "";
  try {
    for await (const r of await ask({ stream: true })) text += r.message.content ?? "";
  } catch (e) {
    return { error: e.constructor.name, text };
  }
  return { text };
}

const features = {
  chat: async () => whole(await ask({ options: { temperature: 0.5, num_predict: 200 } })),
  stream: async () => joined(await ask({ stream: true }), piece),

  // Plays the application: runs the tools that the model asked for.
  async tools() {
    const messages = [...ASK];
    const first = await ask({ messages, tools: [WEATHER] });
    messages.push(first.message);
    for (const call of first.message.tool_calls) {
      messages.push({ role: "tool", tool_name: call.function.name, content: "18 degrees, sunny" });
    }
    const last = await ask({ messages, tools: [WEATHER] });
    return { ...(await whole(last)), tools: (await whole(first)).tools };
  },

  thinking: async () => joined(await ask({ stream: true, think: true }), piece),

  async generate() {
    const r = await client.generate({ model: MODEL, prompt: "Say hello to wörld ✓" });
    const usage = { input: r.prompt_eval_count, output: r.eval_count };
    return { model: r.model, text: r.response, finish: r.done_reason, usage };
  },

  async embeddings() {
    const r = await client.embed({ model: "nomic-embed-text", input: ["one", "two"] });
    return { model: r.model, dimensions: r.embeddings.map((e) => e.length) };
  },

  models: async () => ({ text: (await client.list()).models.map((m) => m.model).join(",") }),

  async not_found() {
    try {
      await ask({ model: "none" });
    } catch (e) {
      return { status: e.status_code, error: e.name };
    }
    return {};
  },

  stream_error: breaking,
  cut: breaking,
};

await serve(features, `ollama ${version}`);
