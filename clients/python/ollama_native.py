"""Ollama with its official library for Python.

The base URL is in the environment (OLLAMA_HOST), as users have it; nothing else is set.
"""

import json
from importlib.metadata import version

import ollama
from ollama import Client

from facts import joined, serve

client = Client()
MODEL = "qwen3:4b"
ASK = [{"role": "system", "content": "You are terse."}, {"role": "user", "content": "Say hello to wörld ✓"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Current weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def piece(out, r):
    out["model"] = r.model
    out["text"] += r.message.content or ""
    out["thinking"] += r.message.thinking or ""
    for c in r.message.tool_calls or []:
        out["tools"].append({"name": c.function.name, "arguments": json_of(c.function.arguments)})
    if r.done:
        out["finish"] = r.done_reason
        out["usage"] = {"input": r.prompt_eval_count, "output": r.eval_count}


def json_of(arguments):
    return json.dumps(dict(arguments))


def whole(r):
    return joined([r], piece)


def chat():
    return whole(client.chat(model=MODEL, messages=ASK, options={"temperature": 0.5, "num_predict": 200}))


def stream():
    return joined(client.chat(model=MODEL, messages=ASK, stream=True), piece)


def tools():
    """Plays the application: runs the tools that the model asked for."""
    talk = list(ASK)
    first = client.chat(model=MODEL, messages=talk, tools=[WEATHER])
    talk.append(first.message)
    for call in first.message.tool_calls:
        talk.append({"role": "tool", "tool_name": call.function.name, "content": "18 degrees, sunny"})
    last = client.chat(model=MODEL, messages=talk, tools=[WEATHER])
    return whole(last) | {"tools": whole(first)["tools"]}


def thinking():
    return joined(client.chat(model=MODEL, messages=ASK, stream=True, think=True), piece)


def generate():
    r = client.generate(model=MODEL, prompt="Say hello to wörld ✓")
    return {
        "model": r.model,
        "text": r.response,
        "finish": r.done_reason,
        "usage": {"input": r.prompt_eval_count, "output": r.eval_count},
    }


def embeddings():
    r = client.embed(model="nomic-embed-text", input=["one", "two"])
    return {"model": r.model, "dimensions": [len(e) for e in r.embeddings]}


def models():
    return {"text": ",".join(m.model for m in client.list().models)}


def not_found():
    try:
        client.chat(model="none", messages=ASK)
    except ollama.ResponseError as e:
        return {"status": e.status_code, "error": type(e).__name__}
    return {}


def breaking():
    text = ""
    try:
        for r in client.chat(model=MODEL, messages=ASK, stream=True):
            text += r.message.content or ""
    except Exception as e:  # the library lets its transport's own error through
        return {"error": type(e).__name__, "text": text}
    return {"text": text}


def stream_error():
    return breaking()


def cut():
    return breaking()


serve(
    [chat, stream, tools, thinking, generate, embeddings, models, not_found, stream_error, cut],
    "ollama " + version("ollama"),
)
