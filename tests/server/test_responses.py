"""``/v1/responses`` as OpenAI's clients, LangChain's among them, read it."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator

import httpx
import pytest

from tests.server.building import TOMATOES, TOMATOES_LINK, Building, ScriptedGenerator
from tests.server.reading import Json, RawStream
from tests.server.test_chat import Held
from tests.server.test_errors import error_of
from tests.server.test_tools import CALLS, PARAMETERS, Listener, calling
from tests.server.test_wire import asking, sampling_of
from vaultbridge.core.dialogue import (
    Event,
    Failed,
    Finished,
    Grammar,
    GroundedPrompt,
    Message,
    Piece,
    Sampling,
    Started,
    Tool,
    ToolCall,
    Usage,
)
from vaultbridge.core.errors import WorkerLost
from vaultbridge.server import sse

RESPONSES = "/v1/responses"
WEATHER: Json = {"type": "function", "name": "weather", "parameters": PARAMETERS, "strict": True}
CLOCK: Json = {"type": "function", "name": "clock", "description": "What time it is."}


def told(client: httpx.Client, body: Json) -> list[Json]:
    """The events of a stream, each under its own name and number, ``[DONE]`` behind them."""
    with client.stream("POST", RESPONSES, json={**body, "stream": True}) as response:
        assert response.status_code == 200, response.read()
        assert response.headers["content-type"].startswith("text/event-stream")
        *events, last, end = response.read().decode().split("\n\n")
    assert (last, end) == ("data: [DONE]", "")
    documents = []
    for number, event in enumerate(events):
        name, data = event.split("\n")
        document = json.loads(data.removeprefix("data: "))
        assert name == f"event: {document['type']}"
        assert document["sequence_number"] == number
        documents.append(document)
    return documents


def text_of(response: Json) -> str:
    parts = (part for item in response["output"] if item["type"] == "message" for part in item["content"])
    return "".join(part["text"] for part in parts)


# --- what is asked ------------------------------------------------------------------------------------------------


def test_input_is_a_text_or_items_that_make_turns(building: Building) -> None:
    listener = Listener()
    items: list[Json] = [
        {"role": "developer", "content": "Be short."},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "How is it in Ulm?"}]},
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Look it up."}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Let me see."}]},
        {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": "{}"},
        {"type": "function_call", "call_id": "call_2", "name": "clock", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_2", "output": "Noon."},
        {"type": "function_call_output", "call_id": "call_1", "output": [{"type": "input_text", "text": "Rain."}]},
    ]
    with asking(building, listener) as (client, _):
        body: Json = {"input": items, "instructions": "Be kind.", "tools": [WEATHER, CLOCK], "model": "x@plain"}
        client.post(RESPONSES, json=body).raise_for_status()
        client.post(RESPONSES, json={"input": "Zyxwv?", "previous_response_id": None, "store": True})
    long, short = listener.prompts
    assert short.messages == (Message("user", ("Zyxwv?",)),)
    assert long.messages == (
        Message("system", ("Be kind.",)),
        Message("system", ("Be short.",)),
        Message("user", ("How is it in Ulm?",)),
        Message(
            "assistant",
            ("Let me see.",),
            tool_calls=(ToolCall("call_1", "weather", "{}"), ToolCall("call_2", "clock", "{}")),
            reasoning="Look it up.",
        ),
        Message("tool", ("Noon.",), name="clock", tool_call_id="call_2"),
        Message("tool", ("Rain.",), name="weather", tool_call_id="call_1"),
    )
    assert long.tools == (Tool("weather", parameters=PARAMETERS, strict=True), Tool("clock", "What time it is."))


def test_the_tool_that_is_named_must_be_called(building: Building) -> None:
    listener = Listener()
    body = {"input": "Zyxwv?", "tools": [WEATHER, CLOCK], "tool_choice": {"type": "function", "name": "clock"}}
    with asking(building, listener) as (client, _):
        client.post(RESPONSES, json=body).raise_for_status()
    assert [tool.name for tool in listener.prompts[0].tools] == ["clock"]
    assert listener.prompts[0].call_required


def test_sampling_and_form(building: Building) -> None:
    body: Json = {
        "input": "x",
        "temperature": 9,
        "top_p": 0.5,
        "max_output_tokens": 7,
        "top_logprobs": 3,
        "text": {"format": {"type": "json_schema", "name": "weather", "schema": PARAMETERS, "strict": True}},
    }
    sampling = sampling_of(building, body, RESPONSES)
    assert (sampling.temperature, sampling.top_p, sampling.max_tokens, sampling.logprobs) == (2.0, 0.5, 7, 3)
    assert sampling.grammar == Grammar("json_schema", json.dumps(PARAMETERS))
    assert sampling_of(building, {"input": "x", "text": {"format": {"type": "text"}}}, RESPONSES).grammar is None


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "input"),
        ({"input": []}, "input"),
        ({"input": 5}, "input"),
        ({"input": [{"role": "user"}]}, "input.0.content"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input.0"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "data:,"}]}]},
            "input.0.content.0",
        ),
        ({"input": [{"type": "function_call_output", "output": "x"}]}, "input.0.call_id"),
        ({"input": "x", "previous_response_id": "resp_1"}, "previous_response_id"),
        ({"input": "x", "tools": [{"type": "web_search"}]}, "tools.0.type"),
        ({"input": "x", "tools": [{"type": "function"}]}, "tools.0.name"),
        ({"input": "x", "tool_choice": "required"}, "tool_choice"),
        ({"input": "x", "text": {"format": {"type": "sonnet"}}}, "text.format.type"),
        ({"input": "x", "text": {"format": {"type": "json_schema", "schema": {}}}}, "text.format.name"),
        ({"input": "x", "max_output_tokens": "many"}, "max_output_tokens"),
    ],
    ids=lambda value: json.dumps(value)[:60] if isinstance(value, dict) else value,
)
def test_a_wrong_field_is_named(client: httpx.Client, body: Json, param: str) -> None:
    for stream in (False, True):
        response = client.post(RESPONSES, json={**body, "stream": stream})
        assert error_of(response, 400, "invalid_request")["param"] == param


# --- what comes back ----------------------------------------------------------------------------------------------


def test_a_response_says_what_was_asked_and_what_it_rests_on(client: httpx.Client) -> None:
    body: Json = {"input": TOMATOES, "instructions": "Be short.", "tools": [], "metadata": {"a": "b"}, "temperature": 0}
    response = client.post(RESPONSES, json=body).raise_for_status().json()
    assert (response["object"], response["status"], response["error"]) == ("response", "completed", None)
    assert response["id"].startswith("resp_")
    (item,) = response["output"]
    assert (item["type"], item["role"], item["status"]) == ("message", "assistant", "completed")
    assert item["content"][0]["type"] == "output_text"
    assert text_of(response).endswith(f"Sources: {TOMATOES_LINK}")
    assert response["vaultbridge"]["citations"][0]["link"] == TOMATOES_LINK
    assert response["vaultbridge"]["used"] == [1]
    usage = response["usage"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"] > usage["output_tokens"] > 0
    for name in ("instructions", "tools", "metadata", "temperature"):
        assert response[name] == body[name]
    assert "Sources" not in text_of(client.post(RESPONSES, json={**body, "vaultbridge": {}}).json())


def test_a_stream_tells_of_everything_in_its_order(client: httpx.Client) -> None:
    events = told(client, {"input": TOMATOES})
    names = [event["type"] for event in events]
    deltas = names.count("response.output_text.delta")
    assert deltas > 1
    assert names == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        *["response.output_text.delta"] * deltas,
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    last = events[-1]["response"]
    text = text_of(last)
    assert "".join(event["delta"] for event in events if event["type"].endswith("text.delta")) == text
    assert events[-4]["text"] == events[-3]["part"]["text"] == text
    assert events[-2]["item"] == last["output"][0]
    assert events[2]["item"] == {**last["output"][0], "status": "in_progress", "content": []}
    assert len({event["item_id"] for event in events if "item_id" in event}) == 1
    assert events[0]["response"]["vaultbridge"]["citations"]
    assert events[0]["response"]["output"] == []
    assert (events[0]["response"]["status"], last["status"]) == ("in_progress", "completed")
    assert last["usage"]["output_tokens"] > 0


def test_thoughts_and_calls_are_items_of_their_own(building: Building) -> None:
    with asking(building, calling) as (client, _):
        events = told(client, {"input": "x", "tools": [WEATHER, CLOCK]})
        whole = client.post(RESPONSES, json={"input": "x", "tools": [WEATHER, CLOCK]}).json()
    assert [event["type"].removeprefix("response.") for event in events] == [
        *("created", "in_progress"),
        *("output_item.added", "reasoning_summary_part.added"),
        *["reasoning_summary_text.delta"] * 2,
        *("reasoning_summary_text.done", "reasoning_summary_part.done", "output_item.done"),
        *("output_item.added", *["function_call_arguments.delta"] * 2),
        *("function_call_arguments.done", "output_item.done"),
        *("output_item.added", "function_call_arguments.delta"),
        *("function_call_arguments.done", "output_item.done"),
        "completed",
    ]
    thought, *calls = events[-1]["response"]["output"]
    assert thought["summary"] == [{"type": "summary_text", "text": "Two things."}]
    assert [(call["call_id"], call["name"], call["arguments"]) for call in calls] == [
        (call["id"], call["function"]["name"], call["function"]["arguments"])  # type: ignore[index]
        for call in CALLS
    ]
    assert [event["output_index"] for event in events if event["type"] == "response.output_item.done"] == [0, 1, 2]
    assert [item["type"] for item in whole["output"]] == ["reasoning", "function_call", "function_call"]
    assert whole["usage"]["output_tokens_details"] == {"reasoning_tokens": 3}


def test_text_behind_a_call_is_a_new_message_and_no_text_an_empty_one(building: Building) -> None:
    async def speak(prompt: GroundedPrompt, sampling: Sampling) -> AsyncGenerator[Event, None]:
        yield Started((), ())
        if sampling.seed == 1:
            yield Piece("a")
            async for event in calling(prompt, sampling):
                if isinstance(event, Piece) and event.kind == "tool_call":
                    yield event
            yield Piece("b")
        yield Finished("stop", Usage(1, 2))

    with asking(building, speak) as (client, _):
        several = client.post(RESPONSES, json={"input": "x", "seed": 1}).json()["output"]
        empty = client.post(RESPONSES, json={"input": "x"}).json()["output"]
    assert [item["type"] for item in several] == ["message", "function_call", "function_call", "message"]
    assert [item["content"][0]["text"] for item in empty] == [""]


def test_a_response_that_ran_out_of_tokens_is_incomplete(client: httpx.Client) -> None:
    body: Json = {"input": "one two three", "model": "x@plain", "max_output_tokens": 3}
    response = client.post(RESPONSES, json=body).json()
    assert response["status"] == response["output"][0]["status"] == "incomplete"
    assert response["incomplete_details"] == {"reason": "max_output_tokens"}
    assert told(client, body)[-1]["type"] == "response.incomplete"


def test_a_failure_in_the_middle_is_told_twice_and_as_a_status(building: Building) -> None:
    async def speak(prompt: GroundedPrompt, sampling: Sampling) -> AsyncGenerator[Event, None]:
        yield Started((), ())
        yield Piece("Half a ")
        yield Failed(WorkerLost("The generator process ended unexpectedly.", "Send it again."))

    with asking(building, speak) as (client, _):
        *_, error, failed = told(client, {"input": "x"})
        whole = client.post(RESPONSES, json={"input": "x"})
    assert (error["type"], error["error"]["code"]) == ("error", "worker_lost")
    assert (failed["type"], failed["response"]["status"]) == ("response.failed", "failed")
    assert failed["response"]["error"]["code"] == "server_error"
    assert failed["response"]["error"]["message"] == error["error"]["message"]
    error_of(whole, 503, "worker_lost")


def test_a_quiet_line_is_kept_alive_by_an_event_with_its_own_number(
    building: Building, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "KEEP_ALIVE_SECONDS", 0.02)
    held = Held()
    address = building.serve(building.speaking(ScriptedGenerator(held)))
    documents: list[Json] = []
    with RawStream(address, {"input": "x"}, path=RESPONSES) as stream:
        for write in stream.http_chunks():
            if b"[DONE]" not in write:
                documents.append(json.loads(write.decode().partition("data: ")[2]))
            if len(documents) == 9:  # five up to the first word, and only keep-alives since
                held.go.set()
    assert [document["sequence_number"] for document in documents] == list(range(len(documents)))
    assert {document["type"] for document in documents[5:9]} == {"response.in_progress"}
    assert text_of(documents[-1]["response"]) == "wait… done"
