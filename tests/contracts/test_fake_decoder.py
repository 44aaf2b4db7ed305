"""What the fake model can be asked for, which tests of other rooms rest on."""

from __future__ import annotations

import json

import pytest

from tests.contracts.test_decoder import answer
from vaultbridge.backends.fakes.decoder import FakeDecoder
from vaultbridge.core.dialogue import Conversation, Message, Piece, Tool, ToolCall

LOOK = Tool(
    "look",
    "",
    {
        "properties": {
            "at": {"type": "string"}, "how": {"enum": ["far", "near"]}, "times": {"type": "integer"},
            "more": {"properties": {"deep": {"type": "boolean"}}, "required": ["deep"]}, "left": {"type": "array"},
        },
        "required": ["at", "how", "times", "more"],
    },
)  # fmt: skip
CLOSE = Tool("close")


def told(prompt: Conversation) -> list[tuple[str, str]]:
    """What it says: the kinds of its stretches, or the names of tools, and their texts."""
    decoder = FakeDecoder()
    reader = decoder.reply(prompt).reader()
    text = b"".join(map(decoder.token_bytes, answer(decoder, prompt, 1000))).decode()
    pieces: list[Piece] = [*reader.push(text), *reader.finish()]
    return [(piece.call.name if piece.call else piece.kind, piece.text) for piece in pieces]


def asked(text: str, *tools: Tool, required: bool = False) -> Conversation:
    return Conversation((Message("user", (text,)),), tools, call_required=required)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hello", "You said: hello"),
        ('call look {"at": 1}', 'You said: call look {"at": 1}'),
        ("[1] Garden\nEvery two days.\n\nWhen?", "Every two days. [1]"),
        ("I think so", "You said: I think so"),
    ],
)
def test_without_tools_it_repeats(text: str, said: str) -> None:
    assert told(asked(text)) == [("answer", said)]


def test_with_tools_it_still_repeats_what_asks_for_no_call() -> None:
    assert told(asked("hello", LOOK)) == [("answer", "You said: hello")]
    assert told(asked("call look\ncall {}", LOOK)) == [("answer", "You said: call {}")]


def test_it_calls_what_its_last_lines_ask_for() -> None:
    calls = [("look", '{"at": "beans"}'), ("close", "{}")]
    assert told(asked('call close {"no": 1}\nPlease\ncall look {"at": "beans"}\ncall close {}', LOOK, CLOSE)) == calls


def test_a_required_call_has_arguments_that_the_schema_allows() -> None:
    ((name, arguments),) = told(asked("hello", LOOK, CLOSE, required=True))
    assert name == "look"
    assert json.loads(arguments) == {"at": "text", "how": "far", "times": 1, "more": {"deep": True}}


def test_a_required_call_may_be_asked_for() -> None:
    assert told(asked("call close {}", LOOK, CLOSE, required=True)) == [("close", "{}")]


def test_it_thinks_before_its_usual_answer() -> None:
    assert told(asked("think it over\nWhen?")) == [("reasoning", "it over"), ("answer", "You said: When?")]
    assert told(asked("think it over")) == [("reasoning", "it over"), ("answer", "You said: think it over")]
    assert told(asked("think it over\ncall close {}", CLOSE)) == [("reasoning", "it over"), ("close", "{}")]


def test_it_says_what_tools_said() -> None:
    question = Message("user", ("call close {}",))
    calling = Message("assistant", (), tool_calls=(ToolCall("1", "close", "{}"),))
    results = Message("tool", ("closed",), tool_call_id="1"), Message("tool", ("really",), tool_call_id="2")
    assert told(Conversation((question, calling, *results), (CLOSE,))) == [("answer", "Tool said: closed, really")]
    later = Message("assistant", ("Done.",)), Message("user", ("Thanks",))
    assert told(Conversation((question, calling, *results, *later), (CLOSE,))) == [("answer", "You said: Thanks")]
