"""Agents with the tool runner of Anthropic's SDK."""

import logging

import anthropic
from anthropic import Anthropic, beta_tool

from facts import serve
from tools import FARES, WEATHER

logging.disable()  # the SDK logs what a tool raised
client = Anthropic()


@beta_tool
def get_weather(city: str) -> str:
    """Weather of a city."""
    return WEATHER[city]


@beta_tool
def get_fare(origin: str, destination: str) -> str:
    """Price of a train."""
    return FARES[origin, destination]


@beta_tool
def research(input: str) -> str:
    """Asks somebody who knows trains."""
    return ask("You know what trains cost.", [get_fare], input)["text"]


def ask(system, tools, question):
    runner = client.beta.messages.tool_runner(
        model="claude-haiku-4-5",
        max_tokens=1000,
        system=system,
        tools=tools,
        messages=[{"role": "user", "content": question}],
    )
    return {"text": "".join(block.text for block in runner.until_done().content if block.type == "text")}


def plan(question):
    return ask("You plan trips.", [get_weather, get_fare], question)


def tools():
    return plan("Is Lisbon or Porto warmer, and what is the train?")


def failing():
    return plan("Is Atlantis warmer than Faro?")


def sub_agent():
    return ask("You plan trips and ask others.", [research], "How do I get to Porto?")


def sub_agents():
    return ask("You plan trips and ask others.", [research], "Porto or Faro?")


if __name__ == "__main__":
    serve([tools, failing, sub_agent, sub_agents], "anthropic " + anthropic.__version__)
