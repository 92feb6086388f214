"""Cohere with its official SDK for Python.

The base URL is in the environment (CO_API_URL), as users have it; nothing else is set.
"""

import cohere
from cohere.core.api_error import ApiError

from facts import joined, serve

client = cohere.ClientV2()
ASK = {
    "model": "command-a-03-2025",
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
    return {"input": int(u.billed_units.input_tokens), "output": int(u.billed_units.output_tokens)}


def whole(r):
    return {
        "ids": [r.id],
        "text": "".join(c.text for c in r.message.content or []),
        "finish": r.finish_reason,
        "usage": usage(r.usage),
        "tools": [
            {"id": c.id, "name": c.function.name, "arguments": c.function.arguments}
            for c in r.message.tool_calls or []
        ],
    }


def piece(out, e):
    if e.type == "message-start":
        out["ids"] = [e.id]
    if e.type == "content-delta":
        out["text"] += e.delta.message.content.text
    if e.type == "tool-call-start":
        call = e.delta.message.tool_calls
        out["tools"].append({"id": call.id, "name": call.function.name, "arguments": ""})
    if e.type == "tool-call-delta":
        out["tools"][-1]["arguments"] += e.delta.message.tool_calls.function.arguments
    if e.type == "message-end":
        out["finish"], out["usage"] = e.delta.finish_reason, usage(e.delta.usage)


def chat():
    return whole(client.chat(**ASK, temperature=0.5, max_tokens=200))


def stream():
    return joined(client.chat_stream(**ASK), piece)


def tools():
    """Plays the application: runs the tools that the model asked for."""
    talk = list(ASK["messages"])
    first = client.chat(model=ASK["model"], messages=talk, tools=[WEATHER])
    talk.append(
        {"role": "assistant", "tool_plan": first.message.tool_plan, "tool_calls": first.message.tool_calls}
    )
    for call in first.message.tool_calls:
        talk.append({"role": "tool", "tool_call_id": call.id, "content": "18 degrees, sunny"})
    last = client.chat(model=ASK["model"], messages=talk, tools=[WEATHER])
    return whole(last) | {"ids": [first.id, last.id], "tools": whole(first)["tools"]}


def tools_stream():
    return joined(client.chat_stream(**ASK, tools=[WEATHER]), piece)


def embeddings():
    r = client.embed(model="embed-v4.0", texts=["one", "two"], input_type="search_query", embedding_types=["float"])
    return {"ids": [r.id], "dimensions": [len(e) for e in r.embeddings.float_]}


def rerank():
    r = client.rerank(model="rerank-v3.5", query="ruby", documents=["a", "b", "c"], top_n=2)
    return {"ids": [r.id], "scores": [x.relevance_score for x in r.results]}


def not_found():
    try:
        client.chat(**(ASK | {"model": "command-none"}))
    except ApiError as e:
        return {"status": e.status_code, "error": type(e).__name__}
    return {}


def retried():
    return whole(client.chat(**ASK))


def cut():
    text = ""
    try:
        for e in client.chat_stream(**ASK):
            text += e.delta.message.content.text if e.type == "content-delta" else ""
    except Exception as e:  # the SDK lets its transport's own error through
        return {"error": type(e).__name__, "text": text}
    return {"text": text}


def session():
    more = {"additional_headers": {"x-spanwire-team": "search", "x-spanwire-session": "chat-4711"}}
    return whole(client.chat(**ASK, request_options=more))


serve(
    [chat, stream, tools, tools_stream, embeddings, rerank, not_found, retried, cut, session],
    "cohere " + cohere.__version__,
)
