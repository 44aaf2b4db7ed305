"""``litellm``, which speaks for many programs: its ``openai/`` and ``ollama_chat/`` routes, and its reranking."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # it fetches a list of prices when it is imported otherwise

import litellm

from tests.clients.trying import (
    ASKED,
    Cells,
    address,
    called,
    embedded,
    fakes,
    formed,
    grounded,
    must,
    try_all,
)

litellm.suppress_debug_info = True
QUESTION = [{"role": "user", "content": ASKED["question"]}]
TOOLS = [{"type": "function", "function": ASKED["tool"]}]
FORM = {"type": "json_schema", "json_schema": {"name": "meeting", "schema": ASKED["form"], "strict": True}}


def cells(route: str, base: str, forced: dict[str, Any]) -> Cells:
    """What both routes can be asked; ``forced`` is how a tool's call is brought about."""
    place: dict[str, Any] = {"api_base": base, "api_key": "none", "max_retries": 0, "temperature": 0}
    vault, plain = ({"model": f"{route}/{model}", **place} for model in ("any", "any@plain"))
    calling = {**plain, "tools": TOOLS, **forced}
    where = " (fakes)" if "api_base" in forced else ""

    def chat() -> str:
        answer = litellm.completion(messages=QUESTION, max_tokens=48, **vault)
        must(answer.usage.total_tokens, "no usage")
        return grounded(answer.choices[0].message.content)

    def stream() -> str:
        chunks = litellm.completion(messages=QUESTION, max_tokens=48, stream=True, **vault)
        texts = [text for chunk in chunks if (text := chunk.choices[0].delta.content)]
        return grounded("".join(texts), len(texts))

    def tools() -> str:
        call = litellm.completion(**calling).choices[0].message.tool_calls[0].function
        return called(call.name, call.arguments) + where

    def streamed_tools() -> str:
        chunks = litellm.completion(stream=True, **calling)
        calls = [call.function for chunk in chunks for call in chunk.choices[0].delta.tool_calls or []]
        return called(calls[0].name, "".join(call.arguments or "" for call in calls)) + where

    def structured() -> str:
        answer = litellm.completion(messages=QUESTION, response_format=FORM, max_tokens=64, **plain)
        return formed(json.loads(answer.choices[0].message.content))

    def embeddings() -> str:
        name = route.removesuffix("_chat")
        answer = litellm.embedding(model=f"{name}/any", input=ASKED["texts"], api_base=base, api_key="none")
        return embedded([item["embedding"] for item in answer.data])

    return {
        "chat": chat,
        "stream": stream,
        "tools": tools,
        "tools, streamed": streamed_tools,
        "structured": structured,
        "embeddings": embeddings,
    }


def responses() -> str:
    answer = litellm.responses(
        model="openai/any",
        input=ASKED["question"],
        api_base=f"{address()}/v1",
        api_key="none",
        max_output_tokens=48,
        temperature=0,
    )
    return grounded("".join(part.text for item in answer.output for part in item.content))


def rerank() -> str:
    answer = litellm.rerank(
        model="jina_ai/any",
        query="tomatoes",
        documents=["the king of France", "ripe red tomatoes"],
        api_base=f"{address()}/v1/rerank",
        api_key="none",
    )
    must(answer.results[0]["index"] == 1, answer)
    return "ranked"


choose = {"type": "function", "function": {"name": ASKED["tool"]["name"]}}
request = [{"role": "user", "content": ASKED["request"]}]
line = [{"role": "user", "content": ASKED["line"]}]
if sys.argv[3] == "openai":
    tried = cells("openai", f"{address()}/v1", {"messages": request, "tool_choice": choose, "max_tokens": 64})
    try_all({**tried, "responses": responses, "rerank": rerank})
else:
    # A call cannot be forced in this dialect: the fake model does as it is told.
    try_all(cells("ollama_chat", address(), {"messages": line, "api_base": fakes()}))
