"""Gemini with the official SDK for Python, google-genai.

The base URL is in the environment (GOOGLE_GEMINI_BASE_URL), as users have it; nothing
else is set.
"""

import asyncio
import json

from google import genai
from google.genai import errors, types
from pydantic import BaseModel

from facts import joined, serve

client = genai.Client()
MODEL = "gemini-2.5-flash"
ASK = "Say hello to wörld ✓"
WEATHER = types.Tool(
    function_declarations=[
        types.FunctionDeclaration(
            name="get_weather",
            description="Current weather of a city.",
            parameters_json_schema={
                "type": "object",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
            },
        )
    ]
)


def usage(u):
    return None if u is None else {"input": u.prompt_token_count, "output": u.candidates_token_count or 0}


def add(out, r):
    """Adds one answer, or one chunk of one."""
    out["ids"], out["model"], out["usage"] = [r.response_id], r.model_version, usage(r.usage_metadata)
    for c in r.candidates or []:
        out["finish"] = c.finish_reason.value if c.finish_reason else out["finish"]
        for p in c.content.parts or []:
            if p.function_call:
                call = p.function_call
                out["tools"].append({"id": call.id, "name": call.name, "arguments": json.dumps(call.args)})
            out["thinking" if p.thought else "text"] += p.text or ""


def whole(r):
    return joined([r], add)


def ask(**config):
    return client.models.generate_content(model=MODEL, contents=ASK, config=config)


def streaming(**config):
    return client.models.generate_content_stream(model=MODEL, contents=ASK, config=config)


def generate():
    return whole(ask(temperature=0.5, max_output_tokens=200, system_instruction="You are terse."))


def stream():
    return joined(streaming(), add)


def with_tools(complete):
    """Plays the application: runs the tools that the model asked for."""
    talk = [types.UserContent(ASK)]
    first = complete(talk)
    talk.append(
        types.ModelContent(
            [types.Part(function_call={"id": c["id"], "name": c["name"], "args": json.loads(c["arguments"])}) for c in first["tools"]]
        )
    )
    talk.append(
        types.UserContent(
            [
                types.Part(
                    function_response={"id": c["id"], "name": c["name"], "response": {"result": "18 degrees, sunny"}}
                )
                for c in first["tools"]
            ]
        )
    )
    last = complete(talk)
    return last | {"ids": first["ids"] + last["ids"], "tools": first["tools"]}


TOOLS = types.GenerateContentConfig(
    tools=[WEATHER], automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True)
)


def tools():
    return with_tools(lambda talk: whole(client.models.generate_content(model=MODEL, contents=talk, config=TOOLS)))


def tools_stream():
    return with_tools(
        lambda talk: joined(client.models.generate_content_stream(model=MODEL, contents=talk, config=TOOLS), add)
    )


def thinking():
    return joined(streaming(thinking_config={"thinking_budget": 128, "include_thoughts": True}), add)


class City(BaseModel):
    name: str
    inhabitants: int


def structured():
    r = ask(response_mime_type="application/json", response_schema=City)
    return whole(r) | {"parsed": isinstance(r.parsed, City)}


def embeddings():
    r = client.models.embed_content(model="gemini-embedding-001", contents=["one", "two"])
    return {"dimensions": [len(e.values) for e in r.embeddings]}


def count_tokens():
    return {"count": client.models.count_tokens(model=MODEL, contents=ASK).total_tokens}


def models():
    return {"text": ",".join(m.name for m in client.models.list())}


def failing(call):
    try:
        call()
    except errors.APIError as e:
        return {"status": e.code, "error": type(e).__name__, "code": e.status}
    return {}


def not_found():
    return failing(lambda: client.models.generate_content(model="gemini-none", contents=ASK))


def rate_limited():
    return failing(ask)


def stream_refused():
    return failing(lambda: list(streaming())) | {"code": ""}


def blocked():
    r = ask()
    return whole(r) | {"finish": r.prompt_feedback.block_reason.value}


def cut():
    text = ""
    try:
        for chunk in streaming():
            text += chunk.text or ""
    except Exception as e:  # the SDK lets its transport's own error through
        return {"error": type(e).__name__, "text": text}
    return {"text": text}


def session():
    return whole(ask(http_options={"headers": {"x-spanwire-team": "search", "x-spanwire-session": "chat-4711"}}))


def live():
    async def talk():
        out = {"text": "", "chunks": 0}
        async with client.aio.live.connect(model="gemini-live-2.5-flash", config={"response_modalities": ["TEXT"]}) as s:
            for words in (ASK, "And again"):
                await s.send_client_content(turns={"role": "user", "parts": [{"text": words}]}, turn_complete=True)
                async for message in s.receive():
                    out["chunks"] += 1
                    out["text"] += message.text or ""
                    if message.usage_metadata:
                        u = message.usage_metadata
                        out["usage"] = {"input": u.prompt_token_count, "output": u.response_token_count}
        return out

    return asyncio.run(talk())


serve(
    [
        generate, stream, tools, tools_stream, thinking, structured, embeddings, count_tokens, models, not_found,
        rate_limited, stream_refused, blocked, cut, session, live,
    ],
    "google-genai " + genai.__version__,
)
