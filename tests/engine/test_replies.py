"""Thoughts and calls on their way through the engine, over the fake decoder, which writes them when it is asked to."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.engine.desk import TimedDecoder, Watch, audit
from vaultbridge.backends.fakes.decoder import FakeSampler
from vaultbridge.core.dialogue import (
    Continuation,
    Conversation,
    Event,
    Failed,
    Finished,
    Grammar,
    GroundedPrompt,
    Message,
    Piece,
    Prompt,
    Sampling,
    Started,
    Tool,
)
from vaultbridge.core.errors import InvalidRequest
from vaultbridge.core.ports import ReplyFormat
from vaultbridge.engine.calls import Generate
from vaultbridge.engine.engine import Engine

LOOK = Tool("look", "", {"type": "object", "properties": {"at": {"type": "string"}}, "required": ["at"]})
TWO = 'Please\ncall look {"at": "beans"}\ncall look {"at": "番茄"}'
OWN = Grammar("gbnf", 'root ::= "a"')
FORCED = Grammar("gbnf", 'root ::= "b"')


class Forcing(TimedDecoder):
    """Forces a grammar upon prompts with tools, and remembers what its samplers were asked for."""

    asked: list[Sampling]

    def reply(self, prompt: Prompt) -> ReplyFormat:
        tools = isinstance(prompt, Conversation) and prompt.tools
        return ReplyFormat(super().reply(prompt).reader, FORCED if tools else None)

    def sampler(self, sampling: Sampling) -> FakeSampler:
        self.asked = [*getattr(self, "asked", []), sampling]
        return super().sampler(sampling)


def decoder(kind: type[TimedDecoder] = TimedDecoder) -> TimedDecoder:
    return kind(Watch(), context=1024, slots=4)


def asked(text: str, *, required: bool = False, parallel: bool = True, tools: Sequence[Tool] = (LOOK,)) -> Conversation:
    return Conversation((Message("user", (text,)),), tuple(tools), call_required=required, parallel_calls=parallel)


def answered(engine: Engine, prompt: Prompt, sampling: Sampling | None = None) -> list[Event]:
    events = engine.submit(0, Generate(GroundedPrompt(prompt), sampling or Sampling()))
    while engine.busy:
        events += engine.step()
    assert {call for call, _ in events} == {0}
    return [event for _, event in events]


def pieces(events: Sequence[Event], choice: int = 0) -> list[Piece]:
    return [event for event in events if isinstance(event, Piece) and event.choice == choice]


def text(events: Sequence[Event], kind: str, choice: int = 0) -> str:
    return "".join(piece.text for piece in pieces(events, choice) if piece.kind == kind)


def calls(events: Sequence[Event], choice: int = 0) -> list[tuple[str, str]]:
    heads = {piece.call.index: piece.call for piece in pieces(events, choice) if piece.call}
    return [
        (head.name, "".join(piece.text for piece in pieces(events, choice) if piece.call == head))
        for head in heads.values()
    ]


def ends(events: Sequence[Event]) -> list[Finished]:
    return [event for event in events if isinstance(event, Finished)]


def test_calls_come_as_calls_and_are_the_reason_of_the_end() -> None:
    events = answered(Engine(decoder()), asked(TWO))
    assert calls(events) == [("look", '{"at": "beans"}'), ("look", '{"at": "番茄"}')]
    assert text(events, "answer") == ""
    assert [end.reason for end in ends(events)] == ["tool_calls"]


def test_the_arguments_stream() -> None:
    events = answered(Engine(decoder()), asked('call look {"at": "beans"}'))
    assert len(pieces(events)) == len('{"at": "beans"}')


def test_a_call_that_runs_out_of_tokens_is_cut_and_says_so() -> None:
    most = len('<tool_call>\n{"name": "look", "arguments": {"at": "b')
    events = answered(Engine(decoder()), asked(TWO), Sampling(max_tokens=most))
    assert calls(events) == [("look", '{"at": "b')]
    assert [end.reason for end in ends(events)] == ["length"]


def test_only_one_call_ends_the_answer_there() -> None:
    engine = Engine(made := decoder())
    events = answered(engine, asked(TWO, parallel=False))
    assert calls(events) == [("look", '{"at": "beans"}')]
    (end,) = ends(events)
    assert end.reason == "tool_calls"
    assert end.usage.completion_tokens < len(
        '<tool_call>\n{"name": "look", "arguments": {"at": "beans"}}\n</tool_call>'
    )
    audit(engine, made)


def test_thoughts_are_told_from_answers() -> None:
    events = answered(Engine(decoder()), asked("think hm, what\nWhat is it?", tools=()))
    assert text(events, "reasoning") == "hm, what"
    assert text(events, "answer") == "You said: What is it?"
    assert [end.reason for end in ends(events)] == ["stop"]


@pytest.mark.parametrize(("asks", "whole"), [("hello", True), ("think hm\nhello", False), (TWO, False)])
def test_an_answers_tokens_are_kept_only_if_they_are_all_of_it(asks: str, whole: bool) -> None:
    (end,) = ends(answered(Engine(decoder()), asked(asks)))
    assert bytes(end.tokens).decode() == ("You said: hello" if whole else "")


@pytest.mark.parametrize("asks", ["hello", "think hm\nhello", "think hm\n" + TWO])
def test_no_tokens_and_no_log_probabilities_are_lost_on_the_way(asks: str) -> None:
    events = answered(Engine(decoder()), asked(asks), Sampling(logprobs=0))
    (end,) = ends(events)
    told = [one for piece in pieces(events) for one in piece.logprobs]
    assert sum(piece.tokens for piece in pieces(events)) == len(told)
    # What closes the last call comes after its last piece.
    rest = len("}\n</tool_call>") if end.reason == "tool_calls" else 0
    assert len(told) == end.usage.completion_tokens - rest
    assert b"".join(one.data for one in told).decode().endswith('"番茄"}' if rest else "You said: hello")


def test_every_choice_calls_for_itself() -> None:
    events = answered(Engine(decoder()), asked(TWO), Sampling(n=3))
    assert [calls(events, choice) for choice in range(3)] == [calls(events)] * 3
    assert [end.reason for end in ends(events)] == ["tool_calls"] * 3
    assert len({piece.call.id for piece in (event for event in events if isinstance(event, Piece)) if piece.call}) == 6


def test_one_who_leaves_in_the_midst_of_a_call_leaves_nothing_behind() -> None:
    engine = Engine(made := decoder())
    events = engine.submit(0, Generate(GroundedPrompt(asked(TWO)), Sampling(n=2)))
    while not any(isinstance(event, Piece) and event.call for _, event in events):
        events += engine.step()
    engine.cancel(0)
    assert not engine.busy
    audit(engine, made)
    assert calls(answered(engine, asked(TWO)))[0] == ("look", '{"at": "beans"}')


def test_a_start_says_how_long_the_prompt_is() -> None:
    events = answered(Engine(decoder()), asked("hello"))
    assert isinstance(events[0], Started)
    assert events[0].prompt_tokens == ends(events)[0].usage.prompt_tokens


def test_a_stop_text_ends_a_thought_as_it_ends_an_answer() -> None:
    events = answered(Engine(decoder()), asked("think one two three\nhello", tools=()), Sampling(stop=("two",)))
    assert (text(events, "reasoning"), text(events, "answer")) == ("one", "")


@pytest.mark.parametrize(
    ("prompt", "own", "expected"),
    [
        (asked("x"), None, FORCED),
        (asked("x"), OWN, OWN),
        (asked("x", required=True), OWN, FORCED),
        (asked("x", tools=()), OWN, OWN),
        (asked("x", tools=()), None, None),
        (Continuation("x"), None, None),
    ],
)
def test_the_requests_own_grammar_wins_unless_a_tool_must_be_called(
    prompt: Prompt, own: Grammar | None, expected: Grammar | None
) -> None:
    made = decoder(Forcing)
    answered(Engine(made), prompt, Sampling(grammar=own))
    assert isinstance(made, Forcing)
    assert [sampling.grammar for sampling in made.asked] == [expected]


def test_tools_that_cannot_be_forced_fail_before_anything_is_computed() -> None:
    class Refusing(TimedDecoder):
        def reply(self, prompt: Prompt) -> ReplyFormat:
            raise InvalidRequest("No.", param="tools")

    engine = Engine(made := decoder(Refusing))
    with pytest.raises(InvalidRequest):
        engine.submit(0, Generate(GroundedPrompt(asked("x")), Sampling()))
    assert not engine.busy
    assert made.calls == 0


def test_what_is_only_warmed_is_not_read() -> None:
    engine = Engine(decoder())
    events = engine.submit(0, Generate(GroundedPrompt(asked(TWO)), Sampling(), warm=True))
    while engine.busy:
        events += engine.step()
    assert not any(isinstance(event, (Piece, Failed)) for _, event in events)


def test_a_text_ends_where_what_follows_it_begins() -> None:
    said = "You said: The pond has fish."
    cut = answered(Engine(decoder()), Continuation("The pond has fish.", suffix="\npond has fish.\nAnd frogs."))
    assert text(cut, "answer") == "You said: The "
    assert text(answered(Engine(decoder()), Continuation("The pond has fish.", suffix="fish.")), "answer") == said
