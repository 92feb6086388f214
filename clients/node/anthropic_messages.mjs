// Messages with the official Anthropic SDK for Node.
//
// The base URL is in the environment (ANTHROPIC_BASE_URL), as users have it; nothing
// else is set.
import Anthropic from "@anthropic-ai/sdk";
import { zodOutputFormat } from "@anthropic-ai/sdk/helpers/zod";
import { VERSION } from "@anthropic-ai/sdk/version";
import { z } from "zod";
import { joined, serve } from "./facts.mjs";

const client = new Anthropic();
const ASK = {
  model: "claude-haiku-4-5",
  max_tokens: 200,
  system: "You are terse.",
  messages: [{ role: "user", content: "Say hello to wörld ✓" }],
};
const WEATHER = {
  name: "get_weather",
  description: "Current weather of a city.",
  input_schema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
};
const ask = (more, options) => client.messages.create({ ...ASK, ...more }, options);

const calls = (r) =>
  r.content
    .filter((b) => b.type === "tool_use")
    .map((b) => ({ id: b.id, name: b.name, arguments: JSON.stringify(b.input) }));

const whole = (r) => ({
  ids: [r.id],
  model: r.model,
  text: r.content.map((b) => b.text ?? "").join(""),
  thinking: r.content.map((b) => b.thinking ?? "").join(""),
  finish: r.stop_reason,
  usage: { input: r.usage.input_tokens, output: r.usage.output_tokens },
  tools: calls(r),
});

function piece(out, e) {
  if (e.type === "message_start") {
    out.ids = [e.message.id];
    out.model = e.message.model;
    out.usage = { input: e.message.usage.input_tokens, output: e.message.usage.output_tokens };
  }
  if (e.type === "content_block_delta" && e.delta.type === "text_delta") out.text += e.delta.text;
  if (e.type === "message_delta") {
    out.finish = e.delta.stop_reason;
    out.usage.output = e.usage.output_tokens;
  }
}

// Plays the application: runs the tools that the model asked for.
async function withTools(complete) {
  const messages = [...ASK.messages];
  const first = await complete({ messages, tools: [WEATHER] });
  messages.push({ role: "assistant", content: first.content });
  messages.push({
    role: "user",
    content: calls(first).map((c) => ({ type: "tool_result", tool_use_id: c.id, content: "18 degrees, sunny" })),
  });
  const last = await complete({ messages, tools: [WEATHER] });
  return { ...whole(last), ids: [first.id, last.id], tools: calls(first) };
}

async function finished(more) {
  let chunks = 0;
  const events = client.messages.stream({ ...ASK, ...more });
  for await (const _ of events) chunks++;
  return [await events.finalMessage(), chunks];
}

async function failing(model) {
  try {
    await ask({ model });
  } catch (e) {
    if (e instanceof Anthropic.APIError) {
      return { status: e.status, error: e.constructor.name, code: e.error.error.type };
    }
    throw e;
  }
  return {};
}

async function breaking() {
  let text = "";
  try {
    for await (const e of await ask({ stream: true })) {
      if (e.type === "content_block_delta") text += e.delta.text;
    }
  } catch (e) {
    return { error: e.constructor.name, text };
  }
  return { text };
}

const features = {
  messages: async () => whole(await ask({ temperature: 0.5, metadata: { user_id: "user_4711" } })),
  stream: async () => joined(await ask({ stream: true }), piece),
  tools: () => withTools(ask),

  async tools_stream() {
    let chunks = 0;
    const out = await withTools(async (more) => {
      const [message, n] = await finished(more);
      chunks = n;
      return message;
    });
    return { ...out, chunks };
  },

  async thinking() {
    const [message, chunks] = await finished({
      max_tokens: 2048,
      thinking: { type: "enabled", budget_tokens: 1024 },
    });
    return { ...whole(message), chunks };
  },

  async structured() {
    const City = z.object({ name: z.string(), inhabitants: z.number().int() });
    const r = await client.messages.parse({ ...ASK, output_config: { format: zodOutputFormat(City) } });
    return { ...whole(r), parsed: City.safeParse(r.parsed_output).success };
  },

  async count_tokens() {
    const { max_tokens, ...asked } = ASK;
    return { count: (await client.messages.countTokens(asked)).input_tokens };
  },

  async models() {
    const ids = [];
    for await (const m of client.models.list()) ids.push(m.id);
    return { text: ids.join(",") };
  },

  not_found: () => failing("claude-none"),
  rate_limited: () => failing(ASK.model),
  retried: async () => whole(await ask()),
  stream_error: breaking,
  cut: breaking,

  session: async () =>
    whole(await ask({}, { headers: { "x-spanwire-team": "search", "x-spanwire-session": "chat-4711" } })),
};

await serve(features, `@anthropic-ai/sdk ${VERSION}`);
