"""Agents with pydantic-ai, over chat completions."""

import asyncio

from pydantic_ai import Agent, ModelRetry, __version__

from facts import serve
from tools import FARES, WEATHER

MODEL = "openai-chat:gpt-4o-mini"


def get_weather(city: str) -> str:
    """Weather of a city."""
    if city not in WEATHER:
        raise ModelRetry(f"there is no city {city}")
    return WEATHER[city]


def get_fare(origin: str, destination: str) -> str:
    """Price of a train."""
    return FARES[origin, destination]


async def research(input: str) -> str:
    """Asks somebody who knows trains."""
    return (await fares.run(input)).output


fares = Agent(MODEL, instructions="You know what trains cost.", tools=[get_fare])
planner = Agent(MODEL, system_prompt="You plan trips.", tools=[get_weather, get_fare])
chief = Agent(MODEL, instructions="You plan trips and ask others.", tools=[research])
loop = asyncio.new_event_loop()  # one for all: the SDK keeps connections, and those a loop


def ask(agent, question):
    return {"text": loop.run_until_complete(agent.run(question)).output}


def tools():
    return ask(planner, "Is Lisbon or Porto warmer, and what is the train?")


def failing():
    return ask(planner, "Is Atlantis warmer than Faro?")


def streamed():
    async def run():
        question = "Lisbon or Porto: where is it warmer, and how much is the train?"
        async with planner.run_stream(question) as answer:
            return await answer.get_output()

    return {"text": loop.run_until_complete(run())}


def sub_agent():
    return ask(chief, "How do I get to Porto?")


def sub_agents():
    return ask(chief, "Porto or Faro?")


if __name__ == "__main__":
    serve([tools, failing, streamed, sub_agent, sub_agents], "pydantic-ai " + __version__)
