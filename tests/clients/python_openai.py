"""The ``openai`` client for Python, with its strict validation of every answer and chunk."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import openai
from openai.types.chat import ChatCompletionMessageParam
from pydantic import BaseModel

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

QUESTION: list[ChatCompletionMessageParam] = [{"role": "user", "content": ASKED["question"]}]
REQUEST: list[ChatCompletionMessageParam] = [{"role": "user", "content": ASKED["request"]}]
TOOLS: list[Any] = [{"type": "function", "function": {**ASKED["tool"], "strict": True}}]
FLAT_TOOLS: list[Any] = [{"type": "function", "strict": True, **ASKED["tool"]}]
SHORT: Any = {"max_output_tokens": 48, "temperature": 0}


def connected(place: str, *, strict: bool = True) -> openai.OpenAI:
    return openai.OpenAI(
        base_url=f"{place}/v1",
        api_key="none",
        http_client=openai.DefaultHttpxClient(trust_env=False),
        max_retries=0,
        _strict_response_validation=strict,
    )


client = connected(address())


class Meeting(BaseModel):
    day: Literal["Monday", "Tuesday"]
    weekly: bool


def models() -> str:
    ids = [model.id for model in client.models.list()]
    must(client.models.retrieve(ids[0]).id == ids[0], "retrieve")
    return "list, one"


def chat() -> str:
    answer = client.chat.completions.create(model=VAULT_MODEL, messages=QUESTION, max_tokens=48, temperature=0)
    must(answer.usage and answer.usage.total_tokens, "no usage")
    return grounded(answer.choices[0].message.content)


def stream() -> str:
    chunks = list(
        client.chat.completions.create(
            model=VAULT_MODEL,
            messages=QUESTION,
            max_tokens=48,
            temperature=0,
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    must(chunks[-1].usage and chunks[-1].usage.total_tokens, "no usage")
    texts = [text for chunk in chunks for choice in chunk.choices if (text := choice.delta.content)]
    return grounded("".join(texts), len(texts)) + ", usage"


def tools() -> str:
    answer = client.chat.completions.create(
        model=PLAIN_MODEL,
        messages=REQUEST,
        tools=TOOLS,
        tool_choice={"type": "function", "function": {"name": ASKED["tool"]["name"]}},
        max_tokens=64,
        temperature=0,
    )
    (choice,) = answer.choices
    must(choice.finish_reason == "tool_calls", f"it ended with {choice.finish_reason}")
    call = (choice.message.tool_calls or [])[0]
    must(call.type == "function", call)
    assert call.type == "function"
    got = called(call.function.name, call.function.arguments)
    said: ChatCompletionMessageParam = {
        "role": "assistant",
        "tool_calls": [{"id": call.id, "type": "function", "function": {**call.function.model_dump()}}],  # type: ignore[typeddict-item]
    }
    result: ChatCompletionMessageParam = {"role": "tool", "tool_call_id": call.id, "content": ASKED["result"]}
    following = client.chat.completions.create(
        model=PLAIN_MODEL, messages=[*REQUEST, said, result], tools=TOOLS, tool_choice="none", max_tokens=32
    )
    must(following.choices[0].message.content, "no answer to the tool's result")
    return f"{got}, answer"


def streamed_tools() -> str:
    with client.chat.completions.stream(
        model=PLAIN_MODEL, messages=REQUEST, tools=TOOLS, tool_choice="required", max_tokens=64, temperature=0
    ) as events:
        pieces = sum(event.type == "tool_calls.function.arguments.delta" for event in events)
        choice = events.get_final_completion().choices[0]
    must(choice.finish_reason == "tool_calls", f"it ended with {choice.finish_reason}")
    must(pieces > 1, "the arguments came in one piece")
    call = (choice.message.tool_calls or [])[0]
    return called(call.function.name, call.function.arguments)


def parallel_tools() -> str:
    twice: ChatCompletionMessageParam = {"role": "user", "content": f"{ASKED['line']}\n{ASKED['line']}"}
    with connected(fakes()).chat.completions.stream(model=PLAIN_MODEL, messages=[twice], tools=TOOLS) as events:
        calls = events.get_final_completion().choices[0].message.tool_calls or []
    must(len(calls) == 2, f"{len(calls)} calls instead of two")
    for call in calls:
        called(call.function.name, call.function.arguments)
    return "two calls (fakes)"


def structured() -> str:
    answer = client.chat.completions.parse(
        model=PLAIN_MODEL, messages=QUESTION, response_format=Meeting, max_tokens=64, temperature=0
    )
    parsed = answer.choices[0].message.parsed
    must(parsed, "nothing was parsed")
    return formed(parsed.model_dump() if parsed else {})


def responses() -> str:
    answer = client.responses.create(model=VAULT_MODEL, input=ASKED["question"], **SHORT)
    must(answer.usage and answer.usage.total_tokens, "no usage")
    return grounded(answer.output_text)


def streamed_responses() -> str:
    with client.responses.stream(model=VAULT_MODEL, input=ASKED["question"], **SHORT) as events:
        pieces = sum(event.type == "response.output_text.delta" for event in events)
        return grounded(events.get_final_response().output_text, pieces)


def responses_tools() -> str:
    answer = client.responses.create(
        model=PLAIN_MODEL,
        input=ASKED["request"],
        tools=FLAT_TOOLS,
        tool_choice="required",
        max_output_tokens=64,
        temperature=0,
    )
    call = next(item for item in answer.output if item.type == "function_call")
    return called(call.name, call.arguments)


def responses_structured() -> str:
    answer = client.responses.parse(
        model=PLAIN_MODEL, input=ASKED["question"], text_format=Meeting, max_output_tokens=64, temperature=0
    )
    must(answer.output_parsed, "nothing was parsed")
    return formed(answer.output_parsed.model_dump() if answer.output_parsed else {})


def embeddings() -> str:
    answer = client.embeddings.create(model="any", input=ASKED["texts"], encoding_format="float")
    # Without a format the client asks for base64, and decodes it after its strict validation would have refused it.
    default = connected(address(), strict=False).embeddings.create(model="any", input=ASKED["texts"])
    must(np.allclose(answer.data[0].embedding, default.data[0].embedding), "base64 says something else")
    return embedded([item.embedding for item in answer.data])


def completion() -> str:
    answer = client.completions.create(model=PLAIN_MODEL, prompt="Once upon a", max_tokens=8)
    must(answer.choices[0].text, "no text")
    return "text"


try_all(
    {
        "models": models,
        "chat": chat,
        "stream": stream,
        "tools": tools,
        "tools, streamed": streamed_tools,
        "tools, parallel": parallel_tools,
        "structured": structured,
        "responses": responses,
        "responses, streamed": streamed_responses,
        "responses, tools": responses_tools,
        "responses, structured": responses_structured,
        "embeddings": embeddings,
        "completion": completion,
    }
)
