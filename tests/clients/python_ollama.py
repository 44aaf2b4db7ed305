"""The ``ollama`` client for Python."""

from __future__ import annotations

import json

import ollama

from tests.clients.trying import (
    ASKED,
    PLAIN_MODEL,
    VAULT_MODEL,
    address,
    called,
    embedded,
    fakes,
    formed,
    grounded,
    must,
    try_all,
)

client = ollama.Client(host=address(), trust_env=False)
# A call cannot be forced in this dialect: the fake model does as it is told.
willing = ollama.Client(host=fakes(), trust_env=False)
QUESTION = [{"role": "user", "content": ASKED["question"]}]
REQUEST = {"role": "user", "content": ASKED["line"]}
TOOLS = [{"type": "function", "function": ASKED["tool"]}]
SHORT = {"num_predict": 48, "temperature": 0}


def models() -> str:
    names = [model.model for model in client.list().models]
    shown = client.show(names[0] or "")
    must("completion" in (shown.capabilities or []), shown)
    client.ps()
    return "list, show, ps"


def chat() -> str:
    answer = client.chat(VAULT_MODEL, QUESTION, options=SHORT)
    must(answer.done and answer.eval_count, "no counts")
    return grounded(answer.message.content)


def stream() -> str:
    parts = list(client.chat(VAULT_MODEL, QUESTION, stream=True, options=SHORT))
    must(parts[-1].done and parts[-1].done_reason and parts[-1].eval_count, f"it ended with {parts[-1]}")
    return grounded("".join(part.message.content or "" for part in parts), len(parts)) + ", counts"


def tools() -> str:
    said = willing.chat(PLAIN_MODEL, [REQUEST], tools=TOOLS).message
    call = (said.tool_calls or [])[0].function
    got = called(call.name, call.arguments)
    result = {"role": "tool", "tool_name": call.name, "content": ASKED["result"]}
    following = willing.chat(PLAIN_MODEL, [REQUEST, said, result], tools=TOOLS).message.content or ""
    must(ASKED["result"] in following, f"the tool's result is not seen: {following}")
    return f"{got}, answer (fakes)"


def streamed_tools() -> str:
    twice = {"role": "user", "content": f"{ASKED['line']}\n{ASKED['line']}"}
    parts = willing.chat(PLAIN_MODEL, [twice], tools=TOOLS, stream=True)
    calls = [call.function for part in parts for call in part.message.tool_calls or []]
    must(len(calls) == 2, f"{len(calls)} calls instead of two")
    for call in calls:
        called(call.name, call.arguments)
    return "two calls (fakes)"


def structured() -> str:
    answer = client.chat(PLAIN_MODEL, QUESTION, format=ASKED["form"], options=SHORT)
    return formed(json.loads(answer.message.content or ""))


def embeddings() -> str:
    return embedded(client.embed("any", ASKED["texts"]).embeddings)


def completion() -> str:
    answer = client.generate(PLAIN_MODEL, "Once upon a", options={"num_predict": 8})
    must(answer.done and answer.response, answer)
    return "text"


try_all(
    {
        "models": models,
        "chat": chat,
        "stream": stream,
        "tools": tools,
        "tools, streamed": streamed_tools,
        "structured": structured,
        "embeddings": embeddings,
        "completion": completion,
    }
)
