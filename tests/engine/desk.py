"""A counter in front of an Engine: questions by number, what came of them, and whether the books agree."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import cache

from vaultbridge.backends.fakes.decoder import FakeDecoder, FakeSampler
from vaultbridge.core.dialogue import (
    Continuation,
    Event,
    Failed,
    Finished,
    GroundedPrompt,
    NoteBlock,
    Piece,
    PromptNote,
    Sampling,
    TokenLogprob,
)
from vaultbridge.core.ports import Segment
from vaultbridge.engine.calls import Generate
from vaultbridge.engine.engine import Engine

PLAIN = Sampling()


class Watch:
    """Time that passes only when somebody lets it."""

    def __init__(self) -> None:
        self.now = 1.0

    def __call__(self) -> float:
        return self.now


class TimedDecoder(FakeDecoder):
    """Takes ``each`` seconds for a token and ``every`` for a batch; counts both, and the tokens' outputs."""

    def __init__(self, watch: Watch, each: float = 0.0, every: float = 0.01, **shape: int) -> None:
        super().__init__(**shape)  # type: ignore[arg-type]
        self.watch, self.each, self.every = watch, each, every
        self.calls = self.tokens = 0

    def decode(self, segments: Sequence[Segment]) -> None:
        count = sum(len(segment.tokens) for segment in segments)
        self.calls, self.tokens = self.calls + 1, self.tokens + count
        self.watch.now += self.every + self.each * count
        super().decode(segments)


class StubbornDecoder(TimedDecoder):
    """Takes nothing back and copies nothing, as a cache whose window has moved on."""

    rewinds = False

    def truncate(self, slot: int, position: int) -> bool:
        super().truncate(slot, 0)
        return position == 0

    def copy(self, source: int, target: int, length: int) -> bool:
        return False


class GuessingDecoder(TimedDecoder):
    """A draft model: ``guess`` says what comes after the tokens that it has seen, and it is quite sure of it."""

    def __init__(self, watch: Watch, guess: Callable[[list[int]], int], **shape: int) -> None:
        super().__init__(watch, 0.00001, every=0.001, **{"slots": 1, **shape})
        self.guess = guess

    def sampler(self, sampling: Sampling) -> FakeSampler:
        return Guesses(self, sampling)


class Guesses(FakeSampler):
    """Without a memory of what it said."""

    def __init__(self, decoder: GuessingDecoder, sampling: Sampling) -> None:
        super().__init__(decoder, sampling)
        self._guesser = decoder

    def sample(self, row: int) -> int:
        return self._guesser.guess(self._guesser.context_of(row))

    def logprob(self, row: int, token: int) -> TokenLogprob:
        return replace(super().logprob(row, token), logprob=math.log(0.9))


def as_the_last_time(seen: list[int]) -> int:
    """A guess: what followed the last time that the last byte was there. Too little for a draft from the prompt."""
    return next((seen[at + 1] for at in range(len(seen) - 2, -1, -1) if seen[at] == seen[-1]), seen[-1])


class Desk:
    """``said`` and ``tokens`` are by call and choice, ``ended`` too; ``failed`` is by call."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.asked: dict[int, Generate] = {}
        self.started: set[int] = set()
        self.said: dict[tuple[int, int], str] = {}
        self.counted: dict[tuple[int, int], int] = {}
        self.ended: dict[tuple[int, int], Finished] = {}
        self.failed: dict[int, Exception] = {}
        self.left: set[int] = set()

    def ask(
        self,
        text: str,
        sampling: Sampling = PLAIN,
        notes: Sequence[PromptNote] = (),
        *,
        warm: bool = False,
        deadline: float | None = None,
    ) -> int:
        prompt = GroundedPrompt(Continuation(text), NoteBlock(tuple(notes)))
        return self.put(Generate(prompt, sampling, warm, deadline))

    def put(self, request: Generate) -> int:
        call = len(self.asked)
        self.asked[call] = request
        self._hear(self.engine.submit(call, request))
        return call

    def leave(self, call: int) -> None:
        self.left.add(call)
        self.engine.cancel(call)

    def step(self) -> None:
        self._hear(self.engine.step())

    def finish(self, within: int = 5000) -> None:
        for _ in range(within):
            if not self.engine.busy:
                return
            self.step()
        assert not self.engine.busy, f"no end after {within} steps"

    def text(self, call: int, choice: int = 0) -> str:
        return self.said.get((call, choice), "")

    def is_over(self, call: int) -> bool:
        choices = range(self.asked[call].sampling.n)
        return call in self.failed or call in self.left or all((call, choice) in self.ended for choice in choices)

    def _hear(self, events: Sequence[tuple[int, Event]]) -> None:
        for call, event in events:
            assert call not in self.left, "somebody spoke to one who had left"
            assert call not in self.failed, "something came after a failure"
            if isinstance(event, Failed):
                self.failed[call] = event.error
            elif isinstance(event, (Piece, Finished)):
                assert call in self.started
                place = call, event.choice
                assert place not in self.ended, "something came after the end"
                if isinstance(event, Piece):
                    self.said[place] = self.said.get(place, "") + event.text
                    self.counted[place] = self.counted.get(place, 0) + event.tokens
                else:
                    self.ended[place] = event
            else:
                self.started.add(call)


def text_of(request: Generate) -> str:
    """What was asked."""
    prompt = request.prompt.prompt
    assert isinstance(prompt, Continuation)
    return prompt.text


@cache
def alone(text: str, sampling: Sampling, notes: tuple[PromptNote, ...], context: int) -> str:
    """What is said to a request when there is nobody else."""
    desk = Desk(Engine(FakeDecoder(context=context, slots=1), drafts=False))
    call = desk.ask(text, sampling, notes)
    desk.finish()
    assert not desk.failed
    return desk.text(call)


def audit(engine: Engine, decoder: FakeDecoder) -> None:
    """What the engine believes of its slots and cells is what the decoder has.

    Looks under the hood of both: a book that is wrong shows in an answer only much later.
    """
    slots, scheduler = engine._slots, engine._scheduler
    owned = [sequence.slot for sequence in scheduler.running]
    assert None not in owned
    assert len(set(owned)) == len(owned), "a slot has two owners"
    assert all(sequence.slot is None for sequence in scheduler.waiting)
    assert {slot for slot in range(len(slots)) if slots[slot].busy} == set(owned)
    numbers: dict[int, int] = {}
    for index in range(len(slots)):
        slot = slots[index]
        assert decoder.cached(index) == slot.cached.tolist()
        assert slot.busy or not slot.doomed
        for cell, (_, number) in zip(slot.cells[: slot.length].tolist(), decoder._cells[index], strict=True):
            assert numbers.setdefault(cell, number) == number, "two tokens in one cell"
    assert len(set(numbers.values())) == len(numbers), "a token in two cells"
    assert slots.free == decoder.capacity - len(numbers)
    for sequence in scheduler.running:
        assert sequence.slot is not None
        cached = slots[sequence.slot].cached.tolist()
        assert cached == sequence.tokens[: len(cached)]


def holds(decoder: FakeDecoder, texts: Collection[str]) -> list[int]:
    """The slots whose cache holds one of these texts."""
    return [
        slot for slot in range(decoder.slots) if any(text.encode() in bytes(decoder.cached(slot)) for text in texts)
    ]
