"""Messages with the official Anthropic SDK for Python.

The base URL is in the environment (ANTHROPIC_BASE_URL), as users have it; nothing
else is set.
"""

import json

import anthropic
from anthropic import Anthropic
from pydantic import BaseModel

from facts import joined, serve

client = Anthropic()
ASK = {
    "model": "claude-haiku-4-5",
    "max_tokens": 200,
    "system": "You are terse.",
    "messages": [{"role": "user", "content": "Say hello to wörld ✓"}],
}
WEATHER = {
    "name": "get_weather",
    "description": "Current weather of a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


def calls(r):
    return [
        {"id": b.id, "name": b.name, "arguments": json.dumps(b.input)} for b in r.content if b.type == "tool_use"
    ]


def whole(r):
    return {
        "ids": [r.id],
        "model": r.model,
        "text": "".join(b.text for b in r.content if b.type == "text"),
        "thinking": "".join(b.thinking for b in r.content if b.type == "thinking"),
        "finish": r.stop_reason,
        "usage": {"input": r.usage.input_tokens, "output": r.usage.output_tokens},
        "tools": calls(r),
    }


def piece(out, e):
    if e.type == "message_start":
        out["ids"], out["model"] = [e.message.id], e.message.model
        out["usage"] = {"input": e.message.usage.input_tokens, "output": e.message.usage.output_tokens}
    if e.type == "content_block_delta" and e.delta.type == "text_delta":
        out["text"] += e.delta.text
    if e.type == "message_delta":
        out["finish"] = e.delta.stop_reason
        out["usage"]["output"] = e.usage.output_tokens


def messages():
    # This SDK has no parameter for it any more; the API still has.
    more = {"temperature": 0.5}
    return whole(client.messages.create(**ASK, metadata={"user_id": "user_4711"}, extra_body=more))


def stream():
    return joined(client.messages.create(**ASK, stream=True), piece)


def with_tools(complete):
    """Plays the application: runs the tools that the model asked for."""
    talk = list(ASK["messages"])
    first = complete(messages=talk)
    talk.append({"role": "assistant", "content": first.content})
    talk.append(
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": c["id"], "content": "18 degrees, sunny"} for c in calls(first)
            ],
        }
    )
    last = complete(messages=talk)
    return whole(last) | {"ids": [first.id, last.id], "tools": calls(first)}


def tools():
    return with_tools(lambda **more: client.messages.create(**(ASK | more), tools=[WEATHER]))


def tools_stream():
    chunks = 0

    def complete(**more):
        nonlocal chunks
        with client.messages.stream(**(ASK | more), tools=[WEATHER]) as events:
            chunks = sum(1 for _ in events)
            return events.get_final_message()

    out = with_tools(complete)
    return out | {"chunks": chunks}


def thinking():
    with client.messages.stream(
        **(ASK | {"max_tokens": 2048}), thinking={"type": "enabled", "budget_tokens": 1024}
    ) as events:
        chunks = sum(1 for _ in events)
        return whole(events.get_final_message()) | {"chunks": chunks}


class City(BaseModel):
    name: str
    inhabitants: int


def structured():
    r = client.messages.parse(**ASK, output_format=City)
    return whole(r) | {"parsed": isinstance(r.parsed_output, City)}


def count_tokens():
    ask = {k: v for k, v in ASK.items() if k != "max_tokens"}
    return {"count": client.messages.count_tokens(**ask).input_tokens}


def models():
    return {"text": ",".join(m.id for m in client.models.list())}


def failing(model):
    try:
        client.messages.create(**(ASK | {"model": model}))
    except anthropic.APIStatusError as e:
        return {"status": e.status_code, "error": type(e).__name__, "code": e.body["error"]["type"]}
    return {}


def not_found():
    return failing("claude-none")


def rate_limited():
    return failing(ASK["model"])


def retried():
    return whole(client.messages.create(**ASK))


def breaking():
    text = ""
    try:
        for e in client.messages.create(**ASK, stream=True):
            if e.type == "content_block_delta":
                text += e.delta.text
    except Exception as e:  # the SDK lets its transport's own error through
        return {"error": type(e).__name__, "text": text}
    return {"text": text}


def stream_error():
    return breaking()


def cut():
    return breaking()


def session():
    return whole(
        client.messages.create(
            **ASK, extra_headers={"x-spanwire-team": "search", "x-spanwire-session": "chat-4711"}
        )
    )


serve(
    [
        messages, stream, tools, tools_stream, thinking, structured, count_tokens, models,
        not_found, rate_limited, retried, stream_error, cut, session,
    ],
    "anthropic " + anthropic.__version__,
)
