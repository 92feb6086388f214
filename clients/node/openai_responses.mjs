// Responses and Realtime with the official OpenAI SDK for Node.
//
// The base URL is in the environment (OPENAI_BASE_URL), as users have it; nothing else
// is set.
import OpenAI from "openai";
import { zodTextFormat } from "openai/helpers/zod";
import { OpenAIRealtimeWS } from "openai/realtime/ws";
import { ResponsesWS } from "openai/resources/responses/ws";
import { VERSION } from "openai/version";
import { z } from "zod";
import { joined, serve } from "./facts.mjs";

const client = new OpenAI();
const MODEL = "gpt-4.1-mini";
const ASK = "Say hello to wörld ✓";
const WEATHER = {
  type: "function",
  name: "get_weather",
  description: "Current weather of a city.",
  parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  strict: false,
};
const ask = (more) => client.responses.create({ model: MODEL, input: ASK, instructions: "You are terse.", ...more });

const usage = (u) => (u ? { input: u.input_tokens, output: u.output_tokens } : null);

const calls = (r) =>
  r.output
    .filter((i) => i.type === "function_call")
    .map((i) => ({ id: i.call_id, name: i.name, arguments: i.arguments }));

const whole = (r) => ({
  ids: [r.id],
  model: r.model,
  text: r.output_text,
  thinking: r.output.flatMap((i) => (i.type === "reasoning" ? i.summary.map((s) => s.text) : [])).join(""),
  finish: r.status,
  usage: usage(r.usage),
  tools: calls(r),
});

function piece(out, e) {
  if (e.type === "response.output_text.delta") out.text += e.delta;
  if (e.type === "response.completed") Object.assign(out, whole(e.response), { text: out.text });
  if (e.type === "response.failed") out.code = e.response.error.code;
}

// Plays the application: runs the tools that the model asked for.
async function withTools(complete) {
  const input = [{ role: "user", content: ASK }];
  const [first] = await complete({ input, tools: [WEATHER] });
  input.push(...first.output);
  for (const c of calls(first)) {
    input.push({ type: "function_call_output", call_id: c.id, output: "18 degrees, sunny" });
  }
  const [last, chunks] = await complete({ input, tools: [WEATHER] });
  return { ...whole(last), ids: [first.id, last.id], tools: calls(first), chunks };
}

// Sends what begins a response and gives its events to piece until the last one.
async function talk(events, send, last, piece) {
  send();
  async function* until() {
    for (;;) {
      const { value, done } = await events.next();
      if (done) throw new Error("the WebSocket ended");
      yield value;
      if (value.type === last) return;
    }
  }
  return joined(until(), piece);
}

// The events of an emitter, one after the other.
function queue(socket) {
  const waiting = [];
  let wake = () => {};
  const put = (x) => (waiting.push(x), wake());
  socket.on("event", (e) => put({ value: e }));
  socket.on("error", (e) => put({ error: e }));
  return {
    async next() {
      while (waiting.length === 0) await new Promise((resolve) => (wake = resolve));
      const { value, error } = waiting.shift();
      if (error) throw error;
      return { value, done: false };
    },
  };
}

const opened = (socket) => new Promise((resolve, reject) => socket.on("open", resolve).on("error", reject));

const features = {
  plain: async () => whole(await ask({ temperature: 0.5, max_output_tokens: 200 })),
  stream: async () => joined(await ask({ stream: true }), piece),
  tools: () => withTools(async (more) => [await ask(more), 0]),

  tools_stream: () =>
    withTools(async (more) => {
      let chunks = 0;
      const events = client.responses.stream({ model: MODEL, ...more });
      for await (const _ of events) chunks++;
      return [await events.finalResponse(), chunks];
    }),

  async structured() {
    const City = z.object({ name: z.string(), inhabitants: z.number().int() });
    const r = await client.responses.parse({ model: MODEL, input: ASK, text: { format: zodTextFormat(City, "city") } });
    return { ...whole(r), parsed: City.safeParse(r.output_parsed).success };
  },

  reasoning: async () => whole(await ask({ model: "gpt-5-mini", reasoning: { effort: "low", summary: "auto" } })),

  async previous() {
    const first = await ask();
    const last = await ask({ input: "And again", previous_response_id: first.id });
    return { ...whole(last), ids: [first.id, last.id] };
  },

  async background() {
    let r = await ask({ background: true });
    while (r.status === "queued" || r.status === "in_progress") r = await client.responses.retrieve(r.id);
    return whole(await client.responses.retrieve(r.id));
  },

  conversation: async () => whole(await ask({ conversation: "conv_4711" })),

  count_tokens: async () => ({
    count: (await client.responses.inputTokens.count({ model: MODEL, input: ASK })).input_tokens,
  }),

  async not_found() {
    try {
      await ask({ model: "gpt-none" });
    } catch (e) {
      if (e instanceof OpenAI.APIError) return { status: e.status, error: e.constructor.name, code: e.code };
      throw e;
    }
    return {};
  },

  async stream_failed() {
    const { text, code } = await joined(await ask({ stream: true }), piece);
    return { text, code };
  },

  async cut() {
    let text = "";
    try {
      for await (const e of await ask({ stream: true })) {
        if (e.type === "response.output_text.delta") text += e.delta;
      }
    } catch (e) {
      return { error: e.constructor.name, text };
    }
    return { text };
  },

  async websocket() {
    const ws = new ResponsesWS(client);
    const events = queue(ws);
    const create = (more) => () => ws.send({ type: "response.create", model: MODEL, ...more });
    const first = await talk(events, create({ input: ASK }), "response.completed", piece);
    const more = { input: "And again", previous_response_id: first.ids[0] };
    const last = await talk(events, create(more), "response.completed", piece);
    ws.close();
    return { ...last, ids: [...first.ids, ...last.ids] };
  },

  async realtime() {
    const rt = new OpenAIRealtimeWS({ model: "gpt-realtime" }, client);
    const events = queue(rt);
    await opened(rt.socket);
    rt.send({
      type: "session.update",
      session: { type: "realtime", output_modalities: ["text"], instructions: "You are terse." },
    });
    const ids = [];
    let out;
    for (const text of [ASK, "And again"]) {
      const send = () => {
        const item = { type: "message", role: "user", content: [{ type: "input_text", text }] };
        rt.send({ type: "conversation.item.create", item });
        rt.send({ type: "response.create" });
      };
      out = await talk(events, send, "response.done", (o, e) => {
        if (e.type === "response.output_text.delta") o.text += e.delta;
        if (e.type === "response.done") {
          o.ids = [e.response.id];
          o.finish = e.response.status;
          o.usage = usage(e.response.usage);
        }
      });
      ids.push(...out.ids);
    }
    rt.close();
    return { ...out, ids };
  },
};

await serve(features, `openai ${VERSION}`);
