"""Whatever comes and goes, every answer is what it would be alone: requests, cancels, edits and faults at random."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.engine.desk import (
    Desk,
    GuessingDecoder,
    StubbornDecoder,
    TimedDecoder,
    Watch,
    alone,
    as_the_last_time,
    audit,
    holds,
    text_of,
)
from vaultbridge.core.dialogue import PromptNote, Sampling
from vaultbridge.core.errors import CacheFull, DeadlineExceeded, DecodeFailed
from vaultbridge.core.ports import Segment
from vaultbridge.engine import draft_model, scheduler, slots
from vaultbridge.engine.draft_model import DraftModel
from vaultbridge.engine.engine import Engine

CONTEXT = 96
POISON = "!"
SOURCES = ("K", "Q")
# What is tuned for contexts of thousands of tokens, for one of a hundred.
SCALE = ((scheduler, "OUTPUT_SHARE", 6), (scheduler, "WORTH_WAITING", 4), (scheduler, "LEAST_CHUNK", 3),
         (scheduler, "PASS_TOKENS", 12), (slots, "KEPT_TAIL", 5),
         (draft_model, "LONGEST", 5), (draft_model, "_LEAST", 4))  # fmt: skip

texts = st.builds(
    lambda beginning, tail: "a common beginning "[:beginning] + "".join(tail),
    st.sampled_from([0, 5, 13, 19]),
    st.lists(st.sampled_from(["a", "bc", "cab", "You said: ", "a common ", "abcabc"]), min_size=1, max_size=5),
)
samplings = st.builds(
    Sampling,
    max_tokens=st.sampled_from([None, None, None, 1, 4, 20]),
    stop=st.sampled_from([(), (), ("said",), ("cb", "aa")]),
    n=st.sampled_from([1, 1, 1, 2, 3]),
)


class Answers(RuleBasedStateMachine):
    """Asks, steps, leaves, edits notes; at the end everybody must have been answered."""

    @initialize(
        slots=st.integers(1, 5),
        spare=st.integers(0, 2 * CONTEXT),
        batch=st.sampled_from([3, 16, 64]),
        each=st.sampled_from([0.0, 0.01]),
        stubborn=st.booleans(),
        drafts=st.sampled_from(["none", "from the text", "by a model"]),
        sight=st.sampled_from([16, 40, 2 * CONTEXT]),
    )
    def open(self, slots: int, spare: int, batch: int, each: float, stubborn: bool, drafts: str, sight: int) -> None:
        self.patch = pytest.MonkeyPatch()
        for module, name, value in SCALE:
            self.patch.setattr(module, name, value)
        kind = self.kind(stubborn)
        self.decoder = kind(Watch(), each, context=CONTEXT, slots=slots, cache=CONTEXT + spare, batch=batch)
        watch = self.decoder.watch
        self.guesser = GuessingDecoder(watch, as_the_last_time, context=sight, cache=sight, batch=7)
        self.draft_model = DraftModel(self.guesser, 120, watch) if drafts == "by a model" else None
        self.desk = Desk(Engine(self.decoder, watch, drafts=drafts != "none", draft_model=self.draft_model))
        self.version = dict.fromkeys(SOURCES, 0)
        self.gone: set[str] = set()

    def kind(self, stubborn: bool) -> type[TimedDecoder]:
        return StubbornDecoder if stubborn else TimedDecoder

    @rule(text=texts, sampling=samplings)
    def ask(self, text: str, sampling: Sampling) -> None:
        self.desk.ask(text, sampling)

    @rule(text=texts, sampling=samplings, source=st.sampled_from(SOURCES))
    def ask_with_a_note(self, text: str, sampling: Sampling, source: str) -> None:
        self.desk.ask(text, sampling, [PromptNote(1, f"[1] <{source}{self.version[source]}>", source)])

    @rule(text=texts, deadline=st.sampled_from([0.0, 0.05, 0.5]))
    def ask_in_a_hurry(self, text: str, deadline: float) -> None:
        self.desk.ask(text, Sampling(n=2), deadline=deadline)

    @rule(text=texts)
    def warm(self, text: str) -> None:
        self.desk.ask(text, warm=True)

    @rule(count=st.integers(1, 12))
    def compute(self, count: int) -> None:
        for _ in range(count):
            self.step()

    @rule(seconds=st.sampled_from([0.1, 1.0]))
    def wait(self, seconds: float) -> None:
        self.decoder.watch.now += seconds

    @precondition(lambda self: self.desk.engine.busy)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        here = [call for call in self.desk.asked if not self.desk.is_over(call)]
        self.desk.leave(data.draw(st.sampled_from(here)))

    @rule(source=st.sampled_from(SOURCES))
    def edit(self, source: str) -> None:
        self.gone.add(f"<{source}{self.version[source]}>")
        self.version[source] += 1
        self.desk.engine.forget({source})

    def step(self) -> None:
        before, busy = self.decoder.calls, self.desk.engine.busy
        left = sum(not self.desk.is_over(call) for call in self.desk.asked)
        self.desk.step()
        after = sum(not self.desk.is_over(call) for call in self.desk.asked)
        assert not busy or self.decoder.calls > before or after < left, "a step without progress"

    @invariant()
    def the_books_agree(self) -> None:
        audit(self.desk.engine, self.decoder)
        if self.draft_model:
            assert self.draft_model._held == self.guesser.cached(0)
            assert not self.draft_model._failed

    @invariant()
    def nothing_lies_around_that_was_forgotten(self) -> None:
        slots = self.desk.engine._slots
        assert all(slots[slot].busy for slot in holds(self.decoder, self.gone))
        assert not holds(self.guesser, self.gone)

    def teardown(self) -> None:
        if hasattr(self, "desk"):
            try:
                self.come_to_an_end()
            finally:
                self.patch.undo()

    def come_to_an_end(self) -> None:
        work = sum(len(text_of(request)) + CONTEXT for request in self.desk.asked.values())
        for _ in range(work):
            if self.desk.engine.busy:
                self.step()
                audit(self.desk.engine, self.decoder)
        assert not self.desk.engine.busy, "somebody waits for ever"
        assert not holds(self.decoder, self.gone)
        for call in self.desk.asked:
            self.judge(call)

    def judge(self, call: int) -> None:
        """Whole answers for all but those who left, came too late or asked for a warm cache only."""
        desk, asked = self.desk, self.desk.asked[call]
        if asked.warm or call in desk.left:
            return
        hurried = asked.deadline is not None
        if call in desk.failed:
            assert hurried
            assert isinstance(desk.failed[call], DeadlineExceeded)
        one = replace(asked.sampling, n=1)
        whole = alone(text_of(asked), one, asked.prompt.block.notes, CONTEXT)
        for choice in range(asked.sampling.n):
            if hurried:
                assert whole.startswith(desk.text(call, choice))
            else:
                assert desk.text(call, choice) == whole
            if ended := desk.ended.get((call, choice)):
                said = b"".join(map(self.decoder.token_bytes, ended.tokens)).decode()
                assert said == desk.text(call, choice)
                assert ended.usage.completion_tokens >= len(ended.tokens)
                assert ended.reason == "length" or said == whole


class FaultyDecoder(TimedDecoder):
    """Fails on a poisoned token, and on some calls for no reason; in the middle of its work, or before.

    On so many ``crowded`` batches of several sequences it says that it is full though it is not. ``lonely`` failures
    had one sequence in their batch.
    """

    faults: frozenset[int] = frozenset()
    crowded = 0
    halfway = False
    lonely = 0

    def decode(self, segments: Sequence[Segment]) -> None:
        if self.crowded and len(segments) > 1:
            self.crowded -= 1
            self.calls += 1
            raise CacheFull("No room.")
        if self.calls in self.faults or any(ord(POISON) in segment.tokens for segment in segments):
            if self.halfway:
                super().decode(segments[: len(segments) // 2 + 1])
            self.calls += 1
            self.lonely += len(segments) == 1
            raise RuntimeError("native trouble")
        super().decode(segments)


class Faults(Answers):
    """The same, while decode calls fail: only those fail whose fault it is, and whom it befalls alone."""

    decoder: FaultyDecoder

    def kind(self, stubborn: bool) -> type[TimedDecoder]:
        return FaultyDecoder

    @rule(after=st.integers(0, 5), halfway=st.booleans())
    def trouble(self, after: int, halfway: bool) -> None:
        self.decoder.halfway = halfway
        self.decoder.faults |= {self.decoder.calls + after}

    @rule(batches=st.integers(1, 4))
    def no_room(self, batches: int) -> None:
        self.decoder.crowded = batches

    @rule(text=texts, n=st.integers(1, 2))
    def ask_for_trouble(self, text: str, n: int) -> None:
        self.desk.ask(text + POISON, Sampling(n=n))

    def poisoned(self, call: int) -> bool:
        return POISON in text_of(self.desk.asked[call])

    def come_to_an_end(self) -> None:
        super().come_to_an_end()
        broken = [call for call, error in self.desk.failed.items() if isinstance(error, DecodeFailed)]
        assert len(broken) <= self.decoder.lonely, "somebody paid for another one's fault"
        assert all(self.poisoned(call) for call in broken) or self.decoder.faults

    def judge(self, call: int) -> None:
        if isinstance(self.desk.failed.get(call), DecodeFailed):
            return
        if self.poisoned(call):
            assert call in self.desk.left
        else:
            super().judge(call)


Answers.TestCase.settings = Faults.TestCase.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
TestAnswers = Answers.TestCase
TestFaults = Faults.TestCase
