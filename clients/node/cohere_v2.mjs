// Cohere with its official SDK for Node, whose base URL is set in code.
import { readFileSync } from "node:fs";
import { CohereClientV2, CohereError } from "cohere-ai";
import { joined, serve } from "./facts.mjs";

const { version } = JSON.parse(readFileSync(new URL("node_modules/cohere-ai/package.json", import.meta.url)));
const client = new CohereClientV2({ token: process.env.CO_API_KEY, baseUrl: `${process.env.SPANWIRE_URL}/cohere` });
const ASK = {
  model: "command-a-03-2025",
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

const usage = (u) => ({ input: u.billedUnits.inputTokens, output: u.billedUnits.outputTokens });

const whole = (r) => ({
  ids: [r.id],
  text: (r.message.content ?? []).map((c) => c.text).join(""),
  finish: r.finishReason,
  usage: usage(r.usage),
  tools: (r.message.toolCalls ?? []).map((c) => ({ id: c.id, name: c.function.name, arguments: c.function.arguments })),
});

function piece(out, e) {
  if (e.type === "message-start") out.ids = [e.id];
  if (e.type === "content-delta") out.text += e.delta.message.content.text;
  if (e.type === "tool-call-start") {
    const call = e.delta.message.toolCalls;
    out.tools.push({ id: call.id, name: call.function.name, arguments: "" });
  }
  if (e.type === "tool-call-delta") out.tools.at(-1).arguments += e.delta.message.toolCalls.function.arguments;
  if (e.type === "message-end") {
    out.finish = e.delta.finishReason;
    out.usage = usage(e.delta.usage);
  }
}

const features = {
  chat: async () => whole(await client.chat({ ...ASK, temperature: 0.5, maxTokens: 200 })),
  stream: async () => joined(await client.chatStream(ASK), piece),

  // Plays the application: runs the tools that the model asked for.
  async tools() {
    const messages = [...ASK.messages];
    const first = await client.chat({ ...ASK, messages, tools: [WEATHER] });
    messages.push({ role: "assistant", toolPlan: first.message.toolPlan, toolCalls: first.message.toolCalls });
    for (const call of first.message.toolCalls) {
      messages.push({ role: "tool", toolCallId: call.id, content: "18 degrees, sunny" });
    }
    const last = await client.chat({ ...ASK, messages, tools: [WEATHER] });
    return { ...whole(last), ids: [first.id, last.id], tools: whole(first).tools };
  },

  tools_stream: async () => joined(await client.chatStream({ ...ASK, tools: [WEATHER] }), piece),

  async embeddings() {
    const r = await client.embed({
      model: "embed-v4.0",
      texts: ["one", "two"],
      inputType: "search_query",
      embeddingTypes: ["float"],
    });
    return { ids: [r.id], dimensions: r.embeddings.float.map((e) => e.length) };
  },

  async rerank() {
    const r = await client.rerank({ model: "rerank-v3.5", query: "ruby", documents: ["a", "b", "c"], topN: 2 });
    return { ids: [r.id], scores: r.results.map((x) => x.relevanceScore) };
  },

  async not_found() {
    try {
      await client.chat({ ...ASK, model: "command-none" });
    } catch (e) {
      if (e instanceof CohereError) return { status: e.statusCode, error: e.constructor.name };
      throw e;
    }
    return {};
  },

  retried: async () => whole(await client.chat(ASK)),

  async cut() {
    let text = "";
    try {
      for await (const e of await client.chatStream(ASK)) {
        if (e.type === "content-delta") text += e.delta.message.content.text;
      }
    } catch (e) {
      return { error: e.constructor.name, text };
    }
    return { text };
  },

  session: async () =>
    whole(await client.chat(ASK, { headers: { "x-spanwire-team": "search", "x-spanwire-session": "chat-4711" } })),
};

await serve(features, `cohere-ai ${version}`);
