"""Agents with LangChain, which are graphs of LangGraph and speak chat completions."""

from importlib.metadata import version

from langchain.agents import create_agent
from langchain_core.tools import ToolException, tool
from langchain_openai import ChatOpenAI

from facts import serve
from tools import FARES, WEATHER


@tool
def get_weather(city: str) -> str:
    """Weather of a city."""
    if city not in WEATHER:
        raise ToolException(f"there is no city {city}")
    return WEATHER[city]


get_weather.handle_tool_error = True  # the model is told


@tool
def get_fare(origin: str, destination: str) -> str:
    """Price of a train."""
    return FARES[origin, destination]


@tool
def research(input: str) -> str:
    """Asks somebody who knows trains."""
    return ask(fares, input)["text"]


model = ChatOpenAI(model="gpt-4o-mini")
fares = create_agent(model, [get_fare], system_prompt="You know what trains cost.")
planner = create_agent(model, [get_weather, get_fare], system_prompt="You plan trips.")
chief = create_agent(model, [research], system_prompt="You plan trips and ask others.")


def said(question):
    return {"messages": [{"role": "user", "content": question}]}


def ask(agent, question):
    return {"text": agent.invoke(said(question))["messages"][-1].text}


def tools():
    return ask(planner, "Is Lisbon or Porto warmer, and what is the train?")


def failing():
    return ask(planner, "Is Atlantis warmer than Faro?")


def streamed():
    last, text = None, ""
    question = "Lisbon or Porto: where is it warmer, and how much is the train?"
    for piece, _ in planner.stream(said(question), stream_mode="messages"):
        if piece.id != last:
            last, text = piece.id, ""
        text += piece.text
    return {"text": text}


def sub_agent():
    return ask(chief, "How do I get to Porto?")


def sub_agents():
    return ask(chief, "Porto or Faro?")


if __name__ == "__main__":
    serve([tools, failing, streamed, sub_agent, sub_agents], f"langchain {version('langchain')}, langgraph {version('langgraph')}")
