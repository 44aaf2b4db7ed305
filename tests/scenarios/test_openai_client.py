"""The real ``openai`` client, in strict validation, against a real server process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import cast

import numpy as np
import openai
import pytest
from openai.types.chat import ChatCompletionFunctionToolParam, ChatCompletionMessageParam
from openai.types.responses import (
    FunctionToolParam,
    ResponseFunctionToolCall,
    ResponseInputParam,
    ResponseReasoningItem,
)

from tests.scenarios.serving import Served
from tests.server.building import TOMATOES, TOMATOES_LINK

SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
WEATHER: ChatCompletionFunctionToolParam = {
    "type": "function",
    "function": {"name": "weather", "parameters": SCHEMA, "strict": True},
}
FLAT_WEATHER: FunctionToolParam = {"type": "function", "name": "weather", "parameters": SCHEMA, "strict": True}
CALL = 'think Where is it?\ncall weather {"city": "Ulm"}\ncall weather {"city": "Bonn"}'
CITIES = [{"city": "Ulm"}, {"city": "Bonn"}]


def connected(served: Served, *, strict: bool) -> openai.OpenAI:
    return openai.OpenAI(
        base_url=f"{served.address}/v1",
        api_key="none",
        http_client=openai.DefaultHttpxClient(trust_env=False),
        max_retries=0,
        _strict_response_validation=strict,
    )


@pytest.fixture
def client(served: Served) -> Iterator[openai.OpenAI]:
    with connected(served, strict=True) as client:
        yield client


@pytest.fixture
def lenient(served: Served) -> Iterator[openai.OpenAI]:
    """For the two replies of OpenAI's own that are not what its client's types say."""
    with connected(served, strict=False) as client:
        yield client


def asked(text: str) -> list[ChatCompletionMessageParam]:
    return [{"role": "user", "content": text}]


# --- chat ---------------------------------------------------------------------------------------------------------


def test_chat(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="gpt-4o", messages=asked(TOMATOES))
    assert TOMATOES_LINK in (answer.choices[0].message.content or "")
    assert answer.usage is not None
    assert answer.usage.total_tokens > 0
    assert answer.model == client.models.list().data[0].id


def test_stream(client: openai.OpenAI) -> None:
    whole = client.chat.completions.create(model="gpt-4o", messages=asked(TOMATOES))
    stream = client.chat.completions.create(
        model="gpt-4o", messages=asked(TOMATOES), stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert text == whole.choices[0].message.content
    assert chunks[-1].usage is not None
    assert [chunk.choices[0].finish_reason for chunk in chunks[:-1]][-1] == "stop"


def test_our_keys_pass_through_extra_body(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="x",
        messages=asked(TOMATOES),
        extra_body={"vaultbridge": {"sources": "field", "scope": {"folders": ["Garden"]}}},
    )
    ours = (answer.model_extra or {})["vaultbridge"]
    assert ours["citations"][0]["link"] == TOMATOES_LINK
    assert "[[" not in (answer.choices[0].message.content or "")


def test_tools_there_and_back(client: openai.OpenAI) -> None:
    messages = asked(CALL)
    answer = client.chat.completions.create(model="x@plain", messages=messages, tools=[WEATHER])
    message = answer.choices[0].message
    assert answer.choices[0].finish_reason == "tool_calls"
    calls = [call for call in message.tool_calls or () if call.type == "function"]
    assert [json.loads(call.function.arguments) for call in calls] == CITIES
    assert len({call.id for call in calls}) == 2
    assert (message.model_extra or {})["reasoning_content"].strip() == "Where is it?"
    messages.append(cast("ChatCompletionMessageParam", message.to_dict(exclude_unset=True)))
    messages += [{"role": "tool", "tool_call_id": call.id, "content": "Rain."} for call in calls]
    after = client.chat.completions.create(model="x@plain", messages=messages, tools=[WEATHER])
    assert "Rain." in (after.choices[0].message.content or "")


def test_streamed_tools_are_put_together(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(
        model="x@plain", messages=asked(CALL), tools=[WEATHER], stream_options={"include_usage": True}
    ) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()
    assert "tool_calls.function.arguments.done" in kinds
    calls = final.choices[0].message.tool_calls or []
    assert [call.function.parsed_arguments for call in calls] == CITIES
    assert final.usage is not None
    assert final.choices[0].finish_reason == "tool_calls"


def test_log_probabilities_and_choices(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="x@plain", messages=asked("x"), logprobs=True, top_logprobs=2, n=2, max_completion_tokens=4
    )
    assert [choice.index for choice in answer.choices] == [0, 1]
    assert answer.choices[0].logprobs is not None
    assert len(answer.choices[0].logprobs.content or ()) == 4
    chunks = client.chat.completions.create(
        model="x@plain", messages=asked("x"), logprobs=True, n=2, max_completion_tokens=4, stream=True
    )
    assert {choice.index for chunk in chunks for choice in chunk.choices} == {0, 1}


def test_plain_completions(client: openai.OpenAI, lenient: openai.OpenAI) -> None:
    answer = client.completions.create(model="x@plain", prompt="one two", max_tokens=4, echo=True)
    assert answer.choices[0].text.startswith("one two")
    # Only the last chunk has a finish reason; the types want one in each.
    chunks = list(lenient.completions.create(model="x@plain", prompt="one", max_tokens=4, logprobs=2, stream=True))
    assert sum(len(chunk.choices[0].logprobs.tokens or ()) for chunk in chunks if chunk.choices[0].logprobs) == 4


# --- responses ----------------------------------------------------------------------------------------------------


def test_a_response(client: openai.OpenAI) -> None:
    response = client.responses.create(model="gpt-4o", input=TOMATOES, instructions="Be short.")
    assert response.status == "completed"
    assert TOMATOES_LINK in response.output_text
    assert response.usage is not None
    assert response.usage.total_tokens > 0
    assert (response.model_extra or {})["vaultbridge"]["used"] == [1]


def test_a_streamed_response(client: openai.OpenAI) -> None:
    whole = client.responses.create(model="gpt-4o", input=TOMATOES)
    with client.responses.stream(model="gpt-4o", input=TOMATOES) as stream:
        text = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
        final = stream.get_final_response()
    assert text == final.output_text == whole.output_text


def test_a_response_with_tools_there_and_back(client: openai.OpenAI) -> None:
    first = client.responses.create(model="x@plain", input=CALL, tools=[FLAT_WEATHER])
    calls = [item for item in first.output if isinstance(item, ResponseFunctionToolCall)]
    assert [json.loads(call.arguments) for call in calls] == CITIES
    assert any(isinstance(item, ResponseReasoningItem) for item in first.output)
    items: ResponseInputParam = [{"role": "user", "content": CALL}]
    items += [item.to_dict() for item in first.output]  # type: ignore[misc]
    items += [{"type": "function_call_output", "call_id": call.call_id, "output": "Rain."} for call in calls]
    assert "Rain." in client.responses.create(model="x@plain", input=items, tools=[FLAT_WEATHER]).output_text


def test_a_streamed_response_with_tools(client: openai.OpenAI) -> None:
    stream = client.responses.create(model="x@plain", input=CALL, tools=[FLAT_WEATHER], stream=True)
    events = list(stream)
    assert [event.sequence_number for event in events] == list(range(len(events)))
    done = [event.arguments for event in events if event.type == "response.function_call_arguments.done"]
    assert [json.loads(arguments) for arguments in done] == CITIES
    thought = [event.delta for event in events if event.type == "response.reasoning_summary_text.delta"]
    assert "".join(thought).strip() == "Where is it?"
    assert events[-1].type == "response.completed"


# --- what else ----------------------------------------------------------------------------------------------------


def test_embeddings(client: openai.OpenAI, lenient: openai.OpenAI) -> None:
    # The client asks for base64 unasked, and decodes it after its types are checked.
    answer = lenient.embeddings.create(model="any", input=["red tomatoes", "ripe red tomatoes"])
    first, second = (np.array(item.embedding) for item in answer.data)
    assert 0.5 < float(first @ second) < 1
    short = client.embeddings.create(model="any", input="red", dimensions=8, encoding_format="float")
    assert len(short.data[0].embedding) == 8


def test_models_and_errors(client: openai.OpenAI) -> None:
    ids = [model.id for model in client.models.list()]
    assert client.models.retrieve(ids[0]).id == ids[0]
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nowhere")
    with pytest.raises(openai.BadRequestError, match="user message"):
        client.chat.completions.create(model="x", messages=[{"role": "system", "content": "x"}])
    with pytest.raises(openai.BadRequestError, match="stored") as refused:
        client.responses.create(model="x", input="x", previous_response_id="resp_1")
    assert refused.value.param == "previous_response_id"
