// Agents with the tool runner of Anthropic's SDK.
import { readFileSync } from "node:fs";
import Anthropic from "@anthropic-ai/sdk";
import { betaZodTool } from "@anthropic-ai/sdk/helpers/beta/zod";
import { z } from "zod";
import { serve } from "./facts.mjs";
import { fareOf, weatherOf } from "./tools.mjs";

const client = new Anthropic();
const get_weather = betaZodTool({ name: "get_weather", description: "Weather of a city.", inputSchema: z.object({ city: z.string() }), run: weatherOf });
const get_fare = betaZodTool({
  name: "get_fare",
  description: "Price of a train.",
  inputSchema: z.object({ origin: z.string(), destination: z.string() }),
  run: fareOf,
});
const research = betaZodTool({
  name: "research",
  description: "Asks somebody who knows trains.",
  inputSchema: z.object({ input: z.string() }),
  run: async ({ input }) => (await ask("You know what trains cost.", [get_fare], input)).text,
});

async function ask(system, tools, question) {
  const answer = await client.beta.messages.toolRunner({
    model: "claude-haiku-4-5",
    max_tokens: 1000,
    system,
    tools,
    messages: [{ role: "user", content: question }],
  });
  return { text: answer.content.map((block) => block.text ?? "").join("") };
}

const plan = (question) => ask("You plan trips.", [get_weather, get_fare], question);
const chief = (question) => ask("You plan trips and ask others.", [research], question);

const features = {
  tools: () => plan("Is Lisbon or Porto warmer, and what is the train?"),
  failing: () => plan("Is Atlantis warmer than Faro?"),
  sub_agent: () => chief("How do I get to Porto?"),
  sub_agents: () => chief("Porto or Faro?"),
};

const { version } = JSON.parse(readFileSync("node_modules/@anthropic-ai/sdk/package.json"));
await serve(features, `@anthropic-ai/sdk ${version}`);
