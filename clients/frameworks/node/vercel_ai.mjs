// Agents with Vercel's AI SDK, which speaks OpenAI's Responses API.
import { readFileSync } from "node:fs";
import { openai } from "@ai-sdk/openai";
import { ToolLoopAgent, tool } from "ai";
import { z } from "zod";
import { serve } from "./facts.mjs";
import { fareOf, weatherOf } from "./tools.mjs";

const model = openai("gpt-4.1-mini");
const get_weather = tool({ description: "Weather of a city.", inputSchema: z.object({ city: z.string() }), execute: weatherOf });
const get_fare = tool({
  description: "Price of a train.",
  inputSchema: z.object({ origin: z.string(), destination: z.string() }),
  execute: fareOf,
});
const research = tool({
  description: "Asks somebody who knows trains.",
  inputSchema: z.object({ input: z.string() }),
  execute: async ({ input }) => (await fares.generate({ prompt: input })).text,
});
const fares = new ToolLoopAgent({ model, instructions: "You know what trains cost.", tools: { get_fare } });
const planner = new ToolLoopAgent({ model, instructions: "You plan trips.", tools: { get_weather, get_fare } });
const chief = new ToolLoopAgent({ model, instructions: "You plan trips and ask others.", tools: { research } });

const ask = async (agent, prompt) => ({ text: (await agent.generate({ prompt })).text });

const features = {
  tools: () => ask(planner, "Is Lisbon or Porto warmer, and what is the train?"),
  failing: () => ask(planner, "Is Atlantis warmer than Faro?"),
  streamed: async () => {
    const result = await planner.stream({ prompt: "Lisbon or Porto: where is it warmer, and how much is the train?" });
    return { text: await result.text };
  },
  sub_agent: () => ask(chief, "How do I get to Porto?"),
  sub_agents: () => ask(chief, "Porto or Faro?"),
};

const { version } = JSON.parse(readFileSync("node_modules/ai/package.json"));
await serve(features, `ai ${version}`);
