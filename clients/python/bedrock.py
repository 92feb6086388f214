"""Amazon Bedrock with AWS's SDK for Python, boto3.

The base URL is in the environment (AWS_ENDPOINT_URL_BEDROCK_RUNTIME), and so is the
credential. With SIGNED_FOR the SDK signs for that address, and its connections go to
the proxy.
"""

import json
import os

import boto3
from botocore.exceptions import ClientError

from facts import joined, serve

SIGNED_FOR = os.environ.get("SIGNED_FOR")
client = boto3.client("bedrock-runtime", endpoint_url=SIGNED_FOR)
if SIGNED_FOR:

    def through_spanwire(request, **_):
        request.url = request.url.replace(SIGNED_FOR, os.environ["SPANWIRE_URL"])

    client.meta.events.register("before-send.bedrock-runtime", through_spanwire)

MODEL = "us.amazon.nova-micro-v1:0"
CLAUDE = "anthropic.claude-3-haiku-20240307-v1:0"
ASK = {
    "modelId": MODEL,
    "system": [{"text": "You are terse."}],
    "messages": [{"role": "user", "content": [{"text": "Say hello to wörld ✓"}]}],
}
TOOLS = {
    "toolConfig": {
        "tools": [
            {
                "toolSpec": {
                    "name": "get_weather",
                    "description": "Current weather of a city.",
                    "inputSchema": {
                        "json": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
                    },
                }
            }
        ]
    }
}


def usage(u):
    return {"input": u["inputTokens"], "output": u["outputTokens"]}


def whole(r):
    content = r["output"]["message"]["content"]
    return {
        "text": "".join(b.get("text", "") for b in content),
        "finish": r["stopReason"],
        "usage": usage(r["usage"]),
        "tools": [
            {"id": b["toolUse"]["toolUseId"], "name": b["toolUse"]["name"], "arguments": json.dumps(b["toolUse"]["input"])}
            for b in content
            if "toolUse" in b
        ],
    }


def piece(out, e):
    if "contentBlockStart" in e:
        call = e["contentBlockStart"]["start"]["toolUse"]
        out["tools"].append({"id": call["toolUseId"], "name": call["name"], "arguments": ""})
    if "contentBlockDelta" in e:
        delta = e["contentBlockDelta"]["delta"]
        out["text"] += delta.get("text", "")
        out["thinking"] += delta.get("reasoningContent", {}).get("text", "")
        if "toolUse" in delta:
            out["tools"][-1]["arguments"] += delta["toolUse"]["input"]
    if "messageStop" in e:
        out["finish"] = e["messageStop"]["stopReason"]
    if "metadata" in e:
        out["usage"] = usage(e["metadata"]["usage"])


def streaming(**more):
    return client.converse_stream(**ASK, **more)["stream"]


def converse():
    return whole(client.converse(**ASK, inferenceConfig={"temperature": 0.5, "maxTokens": 200}))


def converse_stream():
    return joined(streaming(), piece)


def tools():
    """Plays the application: runs the tools that the model asked for."""
    talk = list(ASK["messages"])
    first = client.converse(**(ASK | {"messages": talk}), **TOOLS)
    asked = whole(first)["tools"]
    talk.append(first["output"]["message"])
    results = [{"toolResult": {"toolUseId": c["id"], "content": [{"text": "18 degrees, sunny"}]}} for c in asked]
    talk.append({"role": "user", "content": results})
    return whole(client.converse(**(ASK | {"messages": talk}), **TOOLS)) | {"tools": asked}


def tools_stream():
    return joined(streaming(**TOOLS), piece)


def thinking():
    return joined(streaming(), piece)


BODY = json.dumps(
    {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 200,
        "messages": [{"role": "user", "content": "Say hello to wörld ✓"}],
    }
)


def invoke():
    r = json.loads(client.invoke_model(modelId=CLAUDE, body=BODY)["body"].read())
    return {
        "ids": [r["id"]],
        "model": r["model"],
        "text": r["content"][0]["text"],
        "finish": r["stop_reason"],
        "usage": {"input": r["usage"]["input_tokens"], "output": r["usage"]["output_tokens"]},
    }


def invoke_stream():
    def chunk(out, e):
        e = json.loads(e["chunk"]["bytes"])
        if e["type"] == "message_start":
            out["ids"], out["model"] = [e["message"]["id"]], e["message"]["model"]
            out["usage"] = {"input": e["message"]["usage"]["input_tokens"]}
        if e["type"] == "content_block_delta":
            out["text"] += e["delta"]["text"]
        if e["type"] == "message_delta":
            out["finish"] = e["delta"]["stop_reason"]
            out["usage"]["output"] = e["usage"]["output_tokens"]

    return joined(client.invoke_model_with_response_stream(modelId=CLAUDE, body=BODY)["body"], chunk)


def not_valid():
    try:
        client.converse(**ASK)
    except ClientError as e:
        status = e.response["ResponseMetadata"]["HTTPStatusCode"]
        return {"status": status, "error": type(e).__name__, "code": e.response["Error"]["Code"]}
    return {}


def retried():
    return whole(client.converse(**ASK))


def breaking():
    text = ""
    try:
        for e in streaming():
            text += e.get("contentBlockDelta", {}).get("delta", {}).get("text", "")
    except Exception as e:  # the SDK lets its transport's own error through
        return {"error": type(e).__name__, "text": text}
    return {"text": text}


def stream_exception():
    return breaking()


def cut():
    return breaking()


def session():
    def say(request, **_):
        request.headers["x-spanwire-team"] = "search"
        request.headers["x-spanwire-session"] = "chat-4711"

    client.meta.events.register("before-send.bedrock-runtime.Converse", say)
    try:
        return whole(client.converse(**ASK))
    finally:
        client.meta.events.unregister("before-send.bedrock-runtime.Converse", say)


serve(
    [
        converse, converse_stream, tools, tools_stream, thinking, invoke, invoke_stream, not_valid, retried,
        stream_exception, cut, session,
    ],
    "boto3 " + boto3.__version__,
)
