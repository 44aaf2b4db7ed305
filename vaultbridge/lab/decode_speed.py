"""How many tokens a second a model gives: step after step with nothing around it, and through the engine."""

from __future__ import annotations

import time
from dataclasses import dataclass

from vaultbridge.core.dialogue import Continuation, Event, Failed, Finished, GroundedPrompt, Sampling
from vaultbridge.core.errors import DecodeFailed
from vaultbridge.core.ports import Decoder, Segment
from vaultbridge.engine.calls import Generate
from vaultbridge.engine.engine import Engine

WIDE = 64
"""Tokens in a batch from which on nearly every machine computes as fast as it can."""
SECONDS = 1.5
"""How long one speed is measured, where a step takes less."""
_ROUNDS = 5
_STEPS = 16
ROOM = max(_STEPS, WIDE)
"""Positions beyond its depth that a measurement takes."""
_TICK_MS = 0.1
_TOKEN = 100
_GREEDY = Sampling(temperature=0.0, repeat_penalty=1.0)
_PASSAGE = (
    "The bees left the hive at six, when the sun had reached the third row of apple trees. Most of them flew to the "
    "lime avenue behind the mill, and a few, as on every morning of that June, to the thyme on the old railway bank. "
)


class BareLoop:
    """Steps of one model with nothing around them. It has the decoder for itself; its cache is empty at first."""

    def __init__(self, decoder: Decoder, seconds: float = SECONDS) -> None:
        self._decoder = decoder
        self._seconds = seconds
        self._held = [0] * decoder.slots

    def speed(self, batch: int, depth: int) -> float:
        """Tokens a second of ``batch`` sequences together, each with ``depth`` tokens before it."""
        return batch / self._measure(batch, depth, 1)

    def ceiling(self, depth: int) -> float:
        """Tokens a second where each weight that is read serves ``WIDE`` tokens: what computing alone allows."""
        width = min(WIDE, self._decoder.batch_size)
        return width / self._measure(1, depth, width)

    def _measure(self, batch: int, depth: int, width: int) -> float:
        """Seconds of a step that adds ``width`` tokens to each of ``batch`` sequences, in the best of several rounds.

        The best, because the bandwidth that it is held against is the best of several passes too.
        """
        self._round(batch, depth, width, 1)  # what the library makes on first use
        once = self._round(batch, depth, width, 1)
        fitting = self._seconds / once
        steps = 1 if width > 1 else int(min(_STEPS, max(1, fitting / _ROUNDS)))
        rounds = int(min(_ROUNDS, max(1, fitting / steps)))
        return min(self._round(batch, depth, width, steps) for _ in range(rounds))

    def _round(self, batch: int, depth: int, width: int, steps: int) -> float:
        """Seconds of a step, the mean of ``steps``.

        The last of them is sampled from, so that a device which computes behind our back is waited for.
        """
        self._fill(batch, depth)
        sampler = self._decoder.sampler(_GREEDY)
        try:
            begun = time.perf_counter()
            for _ in range(steps):
                segments = [Segment(slot, self._held[slot], [_TOKEN] * width, width) for slot in range(batch)]
                self._decoder.decode(segments)
                for slot in range(batch):
                    self._held[slot] += width
            sampler.sample(batch * width - 1)
            return (time.perf_counter() - begun) / steps
        finally:
            sampler.close()

    def _fill(self, batch: int, depth: int) -> None:
        """Bring each of the first ``batch`` slots to ``depth`` tokens."""
        for slot in range(batch):
            if self._held[slot] > depth:
                self._held[slot] = depth if self._decoder.truncate(slot, depth) else 0
            while (held := self._held[slot]) < depth:
                count = min(self._decoder.batch_size, depth - held)
                self._decoder.decode([Segment(slot, held, [_TOKEN] * count)])
                self._held[slot] += count


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of the engine: ``speed`` in tokens a second after the first, ``depth`` in the middle of it."""

    speed: float
    depth: int
    drafted: int
    accepted: int


def answer_speed(decoder: Decoder, depth: int, tokens: int, *, drafts: bool) -> Answer:
    """Let an engine of its own go on for ``tokens`` with a passage that stands again and again in ``depth`` tokens.

    A trained model copies it, which is what drafts live on. Empties the decoder's cache first. Raises what the engine
    fails with.
    """
    for slot in range(decoder.slots):
        decoder.truncate(slot, 0)
    engine = Engine(decoder, drafts=drafts)
    engine.calibrate()
    times = max(2, round(depth / len(decoder.tokenize(_PASSAGE))))
    prompt = GroundedPrompt(Continuation((_PASSAGE * times)[: -len(_PASSAGE) // 2]))
    sampling = Sampling(temperature=0.0, repeat_penalty=1.0, max_tokens=tokens, ignore_eos=True)
    events: list[tuple[int, Event]] = engine.submit(0, Generate(prompt, sampling))
    while engine.busy:
        events += engine.step()
    last = events[-1][1]
    if isinstance(last, Failed):
        raise last.error
    if not isinstance(last, Finished) or last.usage.completion_tokens < 2:
        raise DecodeFailed("The model ended its answer at once; no speed can be told from it.")
    usage, timings = last.usage, last.timings
    return Answer(
        speed=1000 * (usage.completion_tokens - 1) / max(timings.decode_ms, _TICK_MS),
        depth=usage.prompt_tokens + usage.completion_tokens // 2,
        drafted=timings.drafted,
        accepted=timings.accepted,
    )
