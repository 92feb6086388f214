// Chat, completions and embeddings with the official OpenAI SDK for Node.
//
// The base URL is in the environment (OPENAI_BASE_URL), as users have it; nothing else
// is set.
import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { VERSION } from "openai/version";
import { z } from "zod";
import { serve } from "./facts.mjs";

const MODEL = "gpt-4o-mini";
const ASK = [
  { role: "system", content: "You are terse." },
  { role: "user", content: "Say hello to wörld ✓" },
];
const WEATHER = {
  type: "function",
  function: {
    name: "get_weather",
    description: "Current weather of a city.",
    parameters: {
      type: "object",
      properties: { city: { type: "string" } },
      required: ["city"],
    },
  },
};

const client = new OpenAI();
const ask = (more) => client.chat.completions.create({ model: MODEL, messages: ASK, ...more });

const usage = (u) => (u ? { input: u.prompt_tokens, output: u.completion_tokens ?? 0 } : null);

const whole = (r) => ({
  ids: [r.id],
  model: r.model,
  text: r.choices[0].message.content ?? "",
  finish: r.choices[0].finish_reason,
  usage: usage(r.usage),
});

async function streamed(stream) {
  const out = { ids: [], model: "", text: "", finish: "", usage: null, chunks: 0 };
  for await (const chunk of stream) {
    out.chunks++;
    out.ids = [chunk.id];
    out.model = chunk.model;
    out.usage = usage(chunk.usage) ?? out.usage;
    for (const choice of chunk.choices) {
      out.text += choice.delta.content ?? "";
      out.finish = choice.finish_reason ?? out.finish;
    }
  }
  return out;
}

// Plays the application: runs the tools that the model asked for.
function answerTools(messages, message) {
  messages.push(message);
  for (const call of message.tool_calls) {
    messages.push({ role: "tool", tool_call_id: call.id, content: "18 degrees, sunny" });
  }
  return message.tool_calls.map((c) => ({ id: c.id, name: c.function.name, arguments: c.function.arguments }));
}

async function withTools(complete) {
  const messages = [...ASK];
  const first = await complete({ model: MODEL, messages, tools: [WEATHER] });
  const tools = answerTools(messages, first.choices[0].message);
  const out = whole(await complete({ model: MODEL, messages, tools: [WEATHER] }));
  return { ...out, ids: [first.id, ...out.ids], tools };
}

async function failing(model) {
  try {
    await ask({ model });
  } catch (e) {
    if (e instanceof OpenAI.APIError) return { status: e.status, error: e.constructor.name, code: e.code };
    throw e;
  }
  return {};
}

const features = {
  chat: async () => whole(await ask({ temperature: 0.5, max_tokens: 200 })),
  stream: async () => streamed(await ask({ stream: true })),
  stream_usage: async () => streamed(await ask({ stream: true, stream_options: { include_usage: true } })),
  tools: () => withTools((body) => client.chat.completions.create(body)),
  tools_stream: () => withTools((body) => client.chat.completions.stream(body).finalChatCompletion()),

  async structured() {
    const City = z.object({ name: z.string(), inhabitants: z.number().int() });
    const r = await client.chat.completions.parse({
      model: MODEL,
      messages: ASK,
      response_format: zodResponseFormat(City, "city"),
    });
    return { ...whole(r), parsed: City.safeParse(r.choices[0].message.parsed).success };
  },

  async completion() {
    const r = await client.completions.create({ model: "gpt-3.5-turbo-instruct", prompt: "Once upon a time" });
    const [choice] = r.choices;
    return { ids: [r.id], model: r.model, text: choice.text, finish: choice.finish_reason, usage: usage(r.usage) };
  },

  async embeddings() { // the SDK asks for base64 by itself and decodes it
    const r = await client.embeddings.create({ model: "text-embedding-3-small", input: ["one", "two"] });
    return { model: r.model, dimensions: r.data.map((d) => d.embedding.length), usage: usage(r.usage) };
  },

  async models() {
    const ids = [];
    for await (const m of client.models.list()) ids.push(m.id);
    return { text: ids.join(",") };
  },

  not_found: () => failing("fake-err-404"),
  rate_limited: () => failing("fake-err-429"),
  retried: async () => whole(await ask({ model: "fake-retry-429" })),

  async cut() {
    let text = "";
    try {
      for await (const chunk of await ask({ model: "fake-cut", stream: true })) {
        text += chunk.choices[0].delta.content ?? "";
      }
    } catch (e) {
      return { error: e.constructor.name, text };
    }
    return { text };
  },

  async hang_up() {
    let text = "";
    for await (const chunk of await ask({ model: "gated", stream: true })) {
      text += chunk.choices[0].delta.content ?? "";
      if (text) break; // leaving the loop aborts the request
    }
    return { text };
  },

  async parallel() {
    const all = await Promise.all(Array.from({ length: 16 }, () => ask()));
    return { ids: all.map((r) => r.id) };
  },
};

await serve(features, `openai ${VERSION}`);
