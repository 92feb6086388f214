"""Responses and Realtime with the official OpenAI SDK for Python.

The base URL is in the environment (OPENAI_BASE_URL), as users have it; nothing else
is set.
"""

import openai
from openai import OpenAI
from pydantic import BaseModel

from facts import joined, serve

client = OpenAI()
MODEL = "gpt-4.1-mini"
ASK = "Say hello to wörld ✓"
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "Current weather of a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    "strict": False,
}


def usage(u):
    return None if u is None else {"input": u.input_tokens, "output": u.output_tokens}


def calls(r):
    return [{"id": i.call_id, "name": i.name, "arguments": i.arguments} for i in r.output if i.type == "function_call"]


def whole(r):
    return {
        "ids": [r.id],
        "model": r.model,
        "text": r.output_text,
        "thinking": "".join(s.text for i in r.output if i.type == "reasoning" for s in i.summary),
        "finish": r.status,
        "usage": usage(r.usage),
        "tools": calls(r),
    }


def piece(out, e):
    if e.type == "response.output_text.delta":
        out["text"] += e.delta
    if e.type == "response.completed":
        text = out["text"]
        out |= whole(e.response) | {"text": text}
    if e.type == "response.failed":
        out |= {"code": e.response.error.code}


def ask(**more):
    return client.responses.create(**({"model": MODEL, "input": ASK, "instructions": "You are terse."} | more))


def plain():
    return whole(ask(temperature=0.5, max_output_tokens=200))


def stream():
    return joined(ask(stream=True), piece)


def with_tools(complete):
    """Plays the application: runs the tools that the model asked for."""
    talk = [{"role": "user", "content": ASK}]
    first, _ = complete(talk)
    talk += first.output
    talk += [
        {"type": "function_call_output", "call_id": c["id"], "output": "18 degrees, sunny"} for c in calls(first)
    ]
    last, chunks = complete(talk)
    return whole(last) | {"ids": [first.id, last.id], "tools": calls(first), "chunks": chunks}


def tools():
    return with_tools(lambda talk: (ask(input=talk, tools=[WEATHER]), 0))


def tools_stream():
    def complete(talk):
        with client.responses.stream(model=MODEL, input=talk, tools=[WEATHER]) as events:
            chunks = sum(1 for _ in events)
            return events.get_final_response(), chunks

    return with_tools(complete)


class City(BaseModel):
    name: str
    inhabitants: int


def structured():
    r = client.responses.parse(model=MODEL, input=ASK, text_format=City)
    return whole(r) | {"parsed": isinstance(r.output_parsed, City)}


def reasoning():
    return whole(ask(model="gpt-5-mini", reasoning={"effort": "low", "summary": "auto"}))


def previous():
    first = ask()
    last = ask(input="And again", previous_response_id=first.id)
    return whole(last) | {"ids": [first.id, last.id]}


def background():
    r = ask(background=True)
    while r.status in ("queued", "in_progress"):
        r = client.responses.retrieve(r.id)
    return whole(client.responses.retrieve(r.id))


def conversation():
    return whole(ask(conversation="conv_4711"))


def count_tokens():
    return {"count": client.responses.input_tokens.count(model=MODEL, input=ASK).input_tokens}


def not_found():
    try:
        ask(model="gpt-none")
    except openai.APIStatusError as e:
        return {"status": e.status_code, "error": type(e).__name__, "code": e.code}
    return {}


def stream_failed():
    out = joined(ask(stream=True), piece)
    return {"text": out["text"], "code": out["code"]}


def cut():
    text = ""
    try:
        for e in ask(stream=True):
            text += e.delta if e.type == "response.output_text.delta" else ""
    except Exception as e:  # the SDK lets its transport's own error through
        return {"error": type(e).__name__, "text": text}
    return {"text": text}


def until(connection, last):
    """Yields the events of one response."""
    for e in connection:
        yield e
        if e.type == last:
            return


def websocket():
    with client.responses.connect() as connection:
        connection.response.create(model=MODEL, input=ASK)
        first = joined(until(connection, "response.completed"), piece)
        connection.response.create(model=MODEL, input="And again", previous_response_id=first["ids"][0])
        last = joined(until(connection, "response.completed"), piece)
        return last | {"ids": first["ids"] + last["ids"]}


def realtime():
    def heard(out, e):
        if e.type == "response.output_text.delta":
            out["text"] += e.delta
        if e.type == "response.done":
            out["ids"], out["finish"], out["usage"] = [e.response.id], e.response.status, usage(e.response.usage)

    ids = []
    with client.realtime.connect(model="gpt-realtime") as connection:
        connection.session.update(
            session={"type": "realtime", "output_modalities": ["text"], "instructions": "You are terse."}
        )
        for words in (ASK, "And again"):
            connection.conversation.item.create(
                item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": words}]}
            )
            connection.response.create()
            out = joined(until(connection, "response.done"), heard)
            ids += out["ids"]
    return out | {"ids": ids}


serve(
    [
        plain, stream, tools, tools_stream, structured, reasoning, previous, background, conversation, count_tokens,
        not_found, stream_failed, cut, websocket, realtime,
    ],
    "openai " + openai.__version__,
)
