"""Mistral with its official SDK for Python, whose base URL is set in code."""

import os
from importlib.metadata import version

from mistralai.client import Mistral, errors
from pydantic import BaseModel

from facts import joined, serve

client = Mistral(api_key=os.environ["MISTRAL_API_KEY"], server_url=os.environ["SPANWIRE_URL"] + "/mistral")
ASK = {
    "model": "mistral-small-latest",
    "messages": [
        {"role": "system", "content": "You are terse."},
        {"role": "user", "content": "Say hello to wörld ✓"},
    ],
}
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Current weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def usage(u):
    return {"input": u.prompt_tokens, "output": u.completion_tokens}


def add(out, content):
    """Adds content: a text, or a list of parts."""
    if isinstance(content, str):
        out["text"] += content
        return
    for part in content or []:
        if part.type == "thinking":
            out["thinking"] += "".join(t.text for t in part.thinking)
        else:
            out["text"] += part.text


def take(out, r, message, finish):
    out["ids"], out["model"] = [r.id], r.model
    out["finish"] = finish or out["finish"]
    if r.usage:
        out["usage"] = usage(r.usage)
    add(out, message.content)
    for c in message.tool_calls or []:
        out["tools"].append({"id": c.id, "name": c.function.name, "arguments": c.function.arguments})


def whole(r):
    return joined([r], lambda out, r: take(out, r, r.choices[0].message, r.choices[0].finish_reason))


def piece(out, e):
    choice = e.data.choices[0]
    take(out, e.data, choice.delta, choice.finish_reason)


def chat():
    return whole(client.chat.complete(**ASK, temperature=0.5, max_tokens=200))


def stream():
    return joined(client.chat.stream(**ASK), piece)


def tools():
    """Plays the application: runs the tools that the model asked for."""
    talk = list(ASK["messages"])
    first = client.chat.complete(model=ASK["model"], messages=talk, tools=[WEATHER])
    talk.append(first.choices[0].message)
    for call in first.choices[0].message.tool_calls:
        talk.append({"role": "tool", "tool_call_id": call.id, "name": call.function.name, "content": "18 degrees, sunny"})
    last = client.chat.complete(model=ASK["model"], messages=talk, tools=[WEATHER])
    return whole(last) | {"ids": [first.id, last.id], "tools": whole(first)["tools"]}


def tools_stream():
    return joined(client.chat.stream(**ASK, tools=[WEATHER]), piece)


def thinking():
    return joined(client.chat.stream(**(ASK | {"model": "magistral-small-latest"})), piece)


class City(BaseModel):
    name: str
    inhabitants: int


def structured():
    r = client.chat.parse(response_format=City, **ASK)
    return whole(r) | {"parsed": isinstance(r.choices[0].message.parsed, City)}


def embeddings():
    r = client.embeddings.create(model="mistral-embed", inputs=["one", "two"])
    return {"ids": [r.id], "model": r.model, "dimensions": [len(d.embedding) for d in r.data]}


def models():
    return {"text": ",".join(m.id for m in client.models.list().data)}


def failing(model):
    try:
        client.chat.complete(**(ASK | {"model": model}))
    except errors.MistralError as e:
        return {"status": e.status_code, "error": type(e).__name__}
    return {}


def not_found():
    return failing("mistral-none")


def bad_key():
    return failing(ASK["model"])


def cut():
    text = ""
    try:
        for e in client.chat.stream(**ASK):
            text += e.data.choices[0].delta.content or ""
    except Exception as e:  # the SDK lets its transport's own error through
        return {"error": type(e).__name__, "text": text}
    return {"text": text}


def session():
    more = {"x-spanwire-team": "search", "x-spanwire-session": "chat-4711"}
    return whole(client.chat.complete(**ASK, http_headers=more))


serve(
    [
        chat, stream, tools, tools_stream, thinking, structured, embeddings, models, not_found, bad_key, cut, session,
    ],
    "mistralai " + version("mistralai"),
)
