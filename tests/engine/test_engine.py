"""The engine over the fake decoder, which refuses what a real cache would not survive: many requests, little room."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vaultbridge.backends.fakes.decoder import FakeDecoder
from vaultbridge.core.dialogue import (
    Continuation,
    Failed,
    Finished,
    GroundedPrompt,
    NoteBlock,
    Piece,
    PromptNote,
    Sampling,
)
from vaultbridge.core.errors import DeadlineExceeded, DecodeFailed, Overloaded
from vaultbridge.core.ports import Segment
from vaultbridge.engine.calls import Generate
from vaultbridge.engine.engine import Engine

CONTEXT = 96
POISON = "☠".encode()[0]


class PoisonedDecoder(FakeDecoder):
    """Fails on every batch that holds a certain token."""

    def decode(self, segments: Sequence[Segment]) -> None:
        super().decode(segments)
        if any(POISON in segment.tokens for segment in segments):
            raise RuntimeError("native trouble")


class StubbornDecoder(FakeDecoder):
    """Takes nothing back and copies nothing, as a cache whose window has moved on."""

    rewinds = False

    def truncate(self, slot: int, position: int) -> bool:
        super().truncate(slot, 0)
        return position == 0

    def copy(self, source: int, target: int, length: int) -> bool:
        return False


class Asked:
    """Requests by their numbers, and what came of them."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.said: dict[int, str] = {}
        self.ended: dict[int, Finished | Failed] = {}
        self.texts: dict[int, str] = {}

    def ask(self, text: str, **more: object) -> int:
        call = len(self.texts)
        self.texts[call], self.said[call] = text, ""
        request = Generate(GroundedPrompt(Continuation(text)), Sampling(), **more)  # type: ignore[arg-type]
        self._note(self.engine.submit(call, request))
        return call

    def step(self) -> None:
        self._note(self.engine.step())

    def finish(self) -> None:
        for _ in range(20_000):
            if not self.engine.busy:
                return
            self.step()
        raise AssertionError("no end in sight")

    def _note(self, events: Sequence[tuple[int, object]]) -> None:
        for call, event in events:
            assert call not in self.ended, "something came after the end"
            if isinstance(event, Piece):
                self.said[call] += event.text
            elif isinstance(event, (Finished, Failed)):
                self.ended[call] = event


def spoken(text: str) -> str:
    return f"You said: {text.strip().splitlines()[-1]}"[: CONTEXT - len(text)]


prompts = st.builds(
    lambda beginning, tail: "common beginning "[:beginning] + tail,
    st.integers(0, 17),
    st.text("abc", min_size=1, max_size=25),
)
scripts = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), prompts),
        st.tuples(st.just("step"), st.integers(1, 6)),
        st.tuples(st.just("cancel"), st.integers(0, 20)),
    ),
    max_size=40,
)


@settings(max_examples=120, deadline=None)
@given(scripts, st.integers(1, 5), st.integers(0, 120), st.booleans(), st.sampled_from([FakeDecoder, StubbornDecoder]))
def test_whatever_comes_and_goes_every_answer_is_what_it_would_be_alone(
    script: list[tuple[str, object]], slots: int, spare: int, drafts: bool, kind: type[FakeDecoder]
) -> None:
    decoder = kind(context=CONTEXT, slots=slots, cache=CONTEXT + spare, batch=16)
    asked = Asked(Engine(decoder, drafts=drafts))
    cancelled: set[int] = set()
    for what, value in script:
        if what == "ask":
            asked.ask(str(value))
        elif what == "step":
            for _ in range(int(str(value))):
                asked.step()
        elif value in asked.texts and value not in asked.ended:
            cancelled.add(int(str(value)))
            asked.engine.cancel(int(str(value)))
    asked.finish()
    for call, text in asked.texts.items():
        if call in cancelled:
            assert call not in asked.ended
        else:
            assert isinstance(asked.ended[call], Finished)
            assert asked.said[call] == spoken(text)


def test_a_decode_error_fails_only_the_one_it_belongs_to() -> None:
    asked = Asked(Engine(PoisonedDecoder(context=CONTEXT, slots=4, batch=64)))
    good = [asked.ask("abc"), asked.ask("bca")]
    bad = asked.ask("a ☠")
    good.append(asked.ask("cab"))
    asked.finish()
    failed = asked.ended[bad]
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, DecodeFailed)
    assert [asked.said[call] for call in good] == [f"You said: {text}" for text in ("abc", "bca", "cab")]


def test_a_request_that_waits_too_long_fails_and_one_that_speaks_ends_there() -> None:
    now = 0.0
    engine = Engine(FakeDecoder(context=CONTEXT, slots=1), clock=lambda: now)
    asked = Asked(engine)
    speaking = asked.ask("abcabcabc", deadline=10.0)
    waiting = asked.ask("bcabcabca", deadline=10.0)
    asked.step()
    asked.step()
    now = 11.0
    asked.finish()
    ended = asked.ended[speaking]
    assert isinstance(ended, Finished)
    assert ended.reason == "length"
    assert asked.said[speaking]
    failed = asked.ended[waiting]
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, DeadlineExceeded)


def test_what_is_warmed_gives_way_and_leaves_its_cache() -> None:
    asked = Asked(Engine(FakeDecoder(context=CONTEXT, slots=2, batch=16)))
    warmed = asked.ask("a" * 60, warm=True)
    asked.step()
    asked.step()
    real = asked.ask("a" * 60)
    failed = asked.ended[warmed]
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, Overloaded)
    asked.finish()
    ended = asked.ended[real]
    assert isinstance(ended, Finished)
    assert ended.usage.cached_tokens >= 16


@pytest.mark.parametrize("warm", [True, False])
def test_forgotten_notes_are_not_in_the_cache_any_more(warm: bool) -> None:
    decoder = FakeDecoder(context=CONTEXT, slots=2)
    engine = Engine(decoder)
    block = NoteBlock((PromptNote(1, "[1] secret", "Diary.md"),))
    engine.submit(1, Generate(GroundedPrompt(Continuation("what?"), block), Sampling(), warm=warm))
    engine.step()
    engine.forget({"Diary.md"})
    while engine.busy:
        engine.step()
    assert not any(b"secret" in bytes(decoder.cached(slot)) for slot in range(2))
