// Agents with the OpenAI Agents SDK, over chat completions.
import { readFileSync } from "node:fs";
import { Agent, run, setOpenAIAPI, tool } from "@openai/agents";
import { z } from "zod";
import { serve } from "./facts.mjs";
import { fareOf, weatherOf } from "./tools.mjs";

setOpenAIAPI("chat_completions");
const model = "gpt-4o-mini";
const get_weather = tool({ name: "get_weather", description: "Weather of a city.", parameters: z.object({ city: z.string() }), execute: weatherOf });
const get_fare = tool({
  name: "get_fare",
  description: "Price of a train.",
  parameters: z.object({ origin: z.string(), destination: z.string() }),
  execute: fareOf,
});
const fares = new Agent({ name: "fares", model, instructions: "You know what trains cost.", tools: [get_fare] });
const planner = new Agent({ name: "planner", model, instructions: "You plan trips.", tools: [get_weather, get_fare] });
const research = fares.asTool({ toolName: "research", toolDescription: "Asks somebody who knows trains." });
const chief = new Agent({ name: "chief", model, instructions: "You plan trips and ask others.", tools: [research] });

const ask = async (agent, question) => ({ text: (await run(agent, question)).finalOutput });

const features = {
  tools: () => ask(planner, "Is Lisbon or Porto warmer, and what is the train?"),
  failing: () => ask(planner, "Is Atlantis warmer than Faro?"),
  streamed: async () => {
    const result = await run(planner, "Lisbon or Porto: where is it warmer, and how much is the train?", { stream: true });
    await result.completed;
    return { text: result.finalOutput };
  },
  sub_agent: () => ask(chief, "How do I get to Porto?"),
  sub_agents: () => ask(chief, "Porto or Faro?"),
};

const { version } = JSON.parse(readFileSync("node_modules/@openai/agents/package.json"));
await serve(features, `@openai/agents ${version}`);
