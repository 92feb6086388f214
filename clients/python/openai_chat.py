"""Chat, completions and embeddings with the official OpenAI SDK for Python.

The base URL is in the environment (OPENAI_BASE_URL), as users have it; nothing else
is set.
"""

import asyncio

import openai
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

from facts import serve

client = OpenAI()
MODEL = "gpt-4o-mini"
ASK = [
    {"role": "system", "content": "You are terse."},
    {"role": "user", "content": "Say hello to wörld ✓"},
]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Current weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}


def usage(u):
    return None if u is None else {"input": u.prompt_tokens, "output": getattr(u, "completion_tokens", 0)}


def whole(r):
    return {
        "ids": [r.id],
        "model": r.model,
        "text": r.choices[0].message.content or "",
        "finish": r.choices[0].finish_reason,
        "usage": usage(r.usage),
    }


def streamed(stream):
    out = {"ids": [], "model": "", "text": "", "finish": "", "usage": None, "chunks": 0}
    for chunk in stream:
        out["chunks"] += 1
        out["ids"], out["model"] = [chunk.id], chunk.model
        if chunk.usage is not None:
            out["usage"] = usage(chunk.usage)
        for choice in chunk.choices:
            out["text"] += choice.delta.content or ""
            out["finish"] = choice.finish_reason or out["finish"]
    return out


def chat():
    return whole(client.chat.completions.create(model=MODEL, messages=ASK, temperature=0.5, max_tokens=200))


def stream():
    return streamed(client.chat.completions.create(model=MODEL, messages=ASK, stream=True))


def stream_usage():
    return streamed(
        client.chat.completions.create(
            model=MODEL, messages=ASK, stream=True, stream_options={"include_usage": True}
        )
    )


def answer_tools(messages, message):
    """Plays the application: runs the tools that the model asked for."""
    messages.append(message.model_dump(exclude_none=True))
    for call in message.tool_calls:
        messages.append({"role": "tool", "tool_call_id": call.id, "content": "18 degrees, sunny"})
    return [{"id": c.id, "name": c.function.name, "arguments": c.function.arguments} for c in message.tool_calls]


def tools():
    messages = list(ASK)
    first = client.chat.completions.create(model=MODEL, messages=messages, tools=[WEATHER])
    calls = answer_tools(messages, first.choices[0].message)
    out = whole(client.chat.completions.create(model=MODEL, messages=messages, tools=[WEATHER]))
    return out | {"ids": [first.id] + out["ids"], "tools": calls}


def tools_stream():
    messages = list(ASK)
    with client.chat.completions.stream(model=MODEL, messages=messages, tools=[WEATHER]) as events:
        first = events.get_final_completion()
    calls = answer_tools(messages, first.choices[0].message)
    with client.chat.completions.stream(model=MODEL, messages=messages, tools=[WEATHER]) as events:
        out = whole(events.get_final_completion())
    return out | {"ids": [first.id] + out["ids"], "tools": calls}


class City(BaseModel):
    name: str
    inhabitants: int


def structured():
    r = client.chat.completions.parse(model=MODEL, messages=ASK, response_format=City)
    return whole(r) | {"parsed": isinstance(r.choices[0].message.parsed, City)}


def completion():
    r = client.completions.create(model="gpt-3.5-turbo-instruct", prompt="Once upon a time")
    return {
        "ids": [r.id],
        "model": r.model,
        "text": r.choices[0].text,
        "finish": r.choices[0].finish_reason,
        "usage": usage(r.usage),
    }


def embeddings():  # the SDK asks for base64 by itself and decodes it
    r = client.embeddings.create(model="text-embedding-3-small", input=["one", "two"])
    return {"model": r.model, "dimensions": [len(d.embedding) for d in r.data], "usage": usage(r.usage)}


def models():
    return {"text": ",".join(m.id for m in client.models.list())}


def failing(call):
    try:
        call()
    except openai.APIStatusError as e:
        return {"status": e.status_code, "error": type(e).__name__, "code": e.code}
    return {}


def not_found():
    return failing(lambda: client.chat.completions.create(model="fake-err-404", messages=ASK))


def rate_limited():
    return failing(lambda: client.chat.completions.create(model="fake-err-429", messages=ASK))


def retried():
    return whole(client.chat.completions.create(model="fake-retry-429", messages=ASK))


def cut():
    text = ""
    try:
        for chunk in client.chat.completions.create(model="fake-cut", messages=ASK, stream=True):
            text += chunk.choices[0].delta.content or ""
    except Exception as e:  # the SDK lets its transport's own error through
        return {"error": type(e).__name__, "text": text}
    return {"text": text}


def hang_up():
    text = ""
    with client.chat.completions.create(model="gated", messages=ASK, stream=True) as chunks:
        for chunk in chunks:
            text += chunk.choices[0].delta.content or ""
            if text:
                break
    return {"text": text}


def parallel():
    async def all():
        async with AsyncOpenAI() as many:
            ask = lambda: many.chat.completions.create(model=MODEL, messages=ASK)
            return [r.id for r in await asyncio.gather(*(ask() for _ in range(16)))]

    return {"ids": asyncio.run(all())}


FEATURES = [
    chat, stream, stream_usage, tools, tools_stream, structured, completion, embeddings, models,
    not_found, rate_limited, retried, cut, hang_up, parallel,
]

if __name__ == "__main__":
    serve(FEATURES, "openai " + openai.__version__)
