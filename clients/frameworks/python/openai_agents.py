"""Agents with the OpenAI Agents SDK, which speaks the Responses API."""

import asyncio

from agents import Agent, Runner, function_tool
from agents.version import __version__

from facts import serve
from tools import FARES, WEATHER


@function_tool
def get_weather(city: str) -> str:
    """Weather of a city."""
    return WEATHER[city]


@function_tool
def get_fare(origin: str, destination: str) -> str:
    """Price of a train."""
    return FARES[origin, destination]


MODEL = "gpt-4.1-mini"
fares = Agent(name="fares", model=MODEL, instructions="You know what trains cost.", tools=[get_fare])
planner = Agent(name="planner", model=MODEL, instructions="You plan trips.", tools=[get_weather, get_fare])


loop = asyncio.new_event_loop()  # one for all: the SDK keeps connections, and those a loop


def ask(agent, question):
    return {"text": loop.run_until_complete(Runner.run(agent, question)).final_output}


def tools():
    return ask(planner, "Is Lisbon or Porto warmer, and what is the train?")


def failing():
    return ask(planner, "Is Atlantis warmer than Faro?")


def streamed():
    async def run():
        result = Runner.run_streamed(planner, "Lisbon or Porto: where is it warmer, and how much is the train?")
        async for _ in result.stream_events():
            pass
        return result.final_output

    return {"text": loop.run_until_complete(run())}


research = fares.as_tool(tool_name="research", tool_description="Asks somebody who knows trains.")
chief = Agent(name="chief", model=MODEL, instructions="You plan trips and ask others.", tools=[research])


def sub_agent():
    return ask(chief, "How do I get to Porto?")


def sub_agents():
    return ask(chief, "Porto or Faro?")


def hand_off():
    return ask(Agent(name="desk", model=MODEL, instructions="You send people to whom they need.", handoffs=[fares]), "I want a ticket to Porto.")


if __name__ == "__main__":
    serve([tools, failing, streamed, sub_agent, sub_agents, hand_off], "openai-agents " + __version__)
