"""A Decoder that is timed, so that what is left of a step is the engine's own."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from vaultbridge.core.dialogue import Sampling
from vaultbridge.core.ports import Decoder, Segment, TokenSampler


class Stopwatch:
    """Knows how long the model and its samplers took, in seconds."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self.decoding = 0.0
        self.sampling: list[float] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._decoder, name)

    def decode(self, segments: Sequence[Segment]) -> None:
        """Timed."""
        start = time.perf_counter()
        self._decoder.decode(segments)
        self.decoding += time.perf_counter() - start

    def sampler(self, sampling: Sampling) -> TokenSampler:
        """One whose ``sample`` is timed."""
        return _TimedSampler(self._decoder.sampler(sampling), self)


class _TimedSampler:
    def __init__(self, sampler: TokenSampler, watch: Stopwatch) -> None:
        self._sampler, self._watch = sampler, watch
        self.logprob, self.close = sampler.logprob, sampler.close

    def sample(self, row: int) -> int:
        start = time.perf_counter()
        token = self._sampler.sample(row)
        self._watch.sampling.append(time.perf_counter() - start)
        return token
