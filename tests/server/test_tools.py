"""Tools in chat completions: what a request offers, and how a call comes back."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator

import httpx
import pytest

from tests.server.building import TOMATOES, TOMATOES_LINK, Building
from tests.server.reading import Json, events, question
from tests.server.test_wire import CHAT, asking
from vaultbridge.core.dialogue import (
    CallHead,
    Conversation,
    Event,
    Finished,
    GroundedPrompt,
    Message,
    Piece,
    Sampling,
    Started,
    Tool,
    ToolCall,
    Usage,
)

PARAMETERS: Json = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER: Json = {
    "type": "function",
    "function": {"name": "weather", "description": "How it is.", "parameters": PARAMETERS, "strict": True},
}
CLOCK: Json = {"type": "function", "function": {"name": "clock"}}
TOOLS = [WEATHER, CLOCK]


class Listener:
    """Keeps the prompts and says nothing."""

    def __init__(self) -> None:
        self.prompts: list[Conversation] = []

    async def __call__(self, prompt: GroundedPrompt, sampling: Sampling) -> AsyncGenerator[Event, None]:
        assert isinstance(prompt.prompt, Conversation)
        self.prompts.append(prompt.prompt)
        yield Started((), ())
        yield Finished("stop", Usage(1, 0))


def heard(building: Building, **more: object) -> Conversation:
    """What a body becomes."""
    listener = Listener()
    with asking(building, listener) as (client, _):
        client.post(CHAT, json=question("Zyxwv?", **more)).raise_for_status()
    return listener.prompts[0]


# --- what a request offers ----------------------------------------------------------------------------------------


def test_tools_reach_the_model_with_their_schemas(building: Building) -> None:
    prompt = heard(building, tools=TOOLS)
    assert prompt.tools == (Tool("weather", "How it is.", PARAMETERS, strict=True), Tool("clock"))
    assert (prompt.call_required, prompt.parallel_calls) == (False, True)


@pytest.mark.parametrize(
    ("choice", "names", "required"),
    [
        (None, ["weather", "clock"], False),
        ("auto", ["weather", "clock"], False),
        ("none", [], False),
        ("required", ["weather", "clock"], True),
        ({"type": "function", "function": {"name": "clock"}}, ["clock"], True),
    ],
)
def test_a_choice_narrows_what_is_offered(building: Building, choice: object, names: list[str], required: bool) -> None:
    prompt = heard(building, tools=TOOLS, tool_choice=choice, parallel_tool_calls=False)
    assert [tool.name for tool in prompt.tools] == names
    assert (prompt.call_required, prompt.parallel_calls) == (required, False)


def test_without_tools_a_harmless_choice_is_no_fault(building: Building) -> None:
    assert heard(building, tools=None, tool_choice="auto").tools == heard(building, tools=[]).tools == ()


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"tools": [{"type": "web_search"}]}, "tools.0.type"),
        ({"tools": [{"type": "function"}]}, "tools.0.function"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools.0.function.name"),
        ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "tools.0.function.name"),
        (
            {"tools": [{"type": "function", "function": {"name": "a", "parameters": []}}]},
            "tools.0.function.parameters",
        ),
        ({"tools": "weather"}, "tools"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "other"}}}, "tool_choice"),
        ({"tools": TOOLS, "tool_choice": {"type": "function"}}, "tool_choice.function"),
    ],
)
def test_what_cannot_be_called_is_refused(client: httpx.Client, body: Json, param: str) -> None:
    response = client.post(CHAT, json=question("x", **body))
    assert response.status_code == 400
    assert response.json()["error"]["param"] == param


def test_a_tool_of_openais_own_is_named(client: httpx.Client) -> None:
    error = client.post(CHAT, json=question("x", tools=[{"type": "web_search"}])).json()["error"]
    assert "'web_search'" in error["message"]


# --- what was called before ---------------------------------------------------------------------------------------

CALLED: Json = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Ulm"}'}}


def test_calls_and_their_results_are_turns(building: Building) -> None:
    listener = Listener()
    messages: list[Json] = [
        {"role": "developer", "content": "Be short."},
        {"role": "user", "content": "How is it in Ulm?"},
        {"role": "assistant", "content": None, "tool_calls": [CALLED], "reasoning_content": "Look it up."},
        {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "Rain."}]},
    ]
    with asking(building, listener) as (client, _):
        client.post(CHAT, json={"messages": messages, "tools": TOOLS}).raise_for_status()
    call = ToolCall("call_1", "weather", '{"city": "Ulm"}')
    assert listener.prompts[0].messages == (
        Message("system", ("Be short.",)),
        Message("user", ("How is it in Ulm?",)),
        Message("assistant", ("",), tool_calls=(call,), reasoning="Look it up."),
        Message("tool", ("Rain.",), name="weather", tool_call_id="call_1"),
    )


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ({"role": "tool", "content": "Rain."}, "messages.1.tool_call_id"),
        ({"role": "tool", "tool_call_id": "", "content": "Rain."}, "messages.1.tool_call_id"),
        ({"role": "tool", "tool_call_id": "call_1"}, "messages.1.content"),
        ({"role": "assistant", "tool_calls": [{"function": {"name": "x"}}]}, "messages.1.tool_calls.0.id"),
        (
            {"role": "user", "content": [{"type": "text", "text": "x"}, {"type": "input_audio", "input_audio": {}}]},
            "messages.1.content.1",
        ),
    ],
)
def test_a_turn_that_makes_no_sense_is_named(client: httpx.Client, message: Json, param: str) -> None:
    response = client.post(CHAT, json={"messages": [{"role": "user", "content": "x"}, message]})
    assert response.status_code == 400
    assert response.json()["error"]["param"] == param


# --- how a call comes back ----------------------------------------------------------------------------------------

ONE, TWO = CallHead(0, "call_a", "weather"), CallHead(1, "call_b", "clock")


async def calling(prompt: GroundedPrompt, sampling: Sampling) -> AsyncGenerator[Event, None]:
    """A thought, and two calls."""
    yield Started((), ())
    yield Piece("Two ", kind="reasoning", tokens=2)
    yield Piece("things.", kind="reasoning", tokens=1)
    yield Piece("", kind="tool_call", call=ONE)
    yield Piece('{"city":', kind="tool_call", call=ONE)
    yield Piece('"Ulm"}', kind="tool_call", call=ONE)
    yield Piece("{}", kind="tool_call", call=TWO)
    yield Finished("tool_calls", Usage(5, 9))


CALLS = [
    {"id": "call_a", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Ulm"}'}},
    {"id": "call_b", "type": "function", "function": {"name": "clock", "arguments": "{}"}},
]


def test_a_whole_answer_has_its_calls_and_no_text(building: Building) -> None:
    with asking(building, calling) as (client, _):
        body = client.post(CHAT, json=question("x", tools=TOOLS)).raise_for_status().json()
    (choice,) = body["choices"]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"] == {
        "role": "assistant",
        "content": None,
        "refusal": None,
        "annotations": [],
        "reasoning_content": "Two things.",
        "tool_calls": CALLS,
    }
    assert body["usage"]["completion_tokens_details"] == {"reasoning_tokens": 3}


def test_a_streamed_call_begins_with_its_name_and_goes_on_by_its_index(building: Building) -> None:
    with asking(building, calling) as (client, _):
        chunks = events(client, question("x", tools=TOOLS))
    assert [chunk["choices"][0]["delta"] for chunk in chunks] == [
        {"role": "assistant", "content": ""},
        {"reasoning_content": "Two "},
        {"reasoning_content": "things."},
        {"tool_calls": [{**CALLS[0], "index": 0, "function": {"name": "weather", "arguments": ""}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"city":'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '"Ulm"}'}}]},
        {"tool_calls": [{**CALLS[1], "index": 1, "function": {"name": "clock", "arguments": ""}}]},
        {"tool_calls": [{"index": 1, "function": {"arguments": "{}"}}]},
        {},
    ]
    reasons = [chunk["choices"][0]["finish_reason"] for chunk in chunks]
    assert reasons == [None] * 8 + ["tool_calls"]


def test_an_answer_with_tools_on_offer_carries_no_line_of_sources(client: httpx.Client) -> None:
    def said(**more: object) -> str:
        body = client.post(CHAT, json=question(TOMATOES, **more)).raise_for_status().json()
        return str(body["choices"][0]["message"]["content"])

    assert TOMATOES_LINK in said()
    assert TOMATOES_LINK not in said(tools=TOOLS)


def test_a_call_goes_all_the_way_from_the_model(client: httpx.Client) -> None:
    body = question('call weather {"city": "Ulm"}', model="x@plain", tools=TOOLS)
    (choice,) = client.post(CHAT, json=body).raise_for_status().json()["choices"]
    (call,) = choice["message"]["tool_calls"]
    assert choice["finish_reason"] == "tool_calls"
    assert (call["function"]["name"], json.loads(call["function"]["arguments"])) == ("weather", {"city": "Ulm"})
    required = question("x", model="x@plain", tools=TOOLS, tool_choice="required", stream=True)
    deltas = [chunk["choices"][0]["delta"] for chunk in events(client, required)]
    assert next(delta for delta in deltas if "tool_calls" in delta)["tool_calls"][0]["function"]["name"] == "weather"
