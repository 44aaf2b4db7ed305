"""One answer in the making: the engine's only mutable noun."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from vaultbridge.core.dialogue import Sampling, Timings, Usage


@dataclass(slots=True)
class Sequence:
    """``tokens`` are the prompt's and then the answer's; the first ``cached_len`` were found in the KV cache."""

    id: int
    tokens: list[int]
    prompt_len: int
    max_tokens: int
    sampling: Sampling
    cached_len: int = 0
    arrived: float = field(default_factory=time.monotonic)
    prefilled: float = 0.0
    decoding: float = 0.0

    @property
    def generated(self) -> int:
        """How many tokens of the answer exist."""
        return len(self.tokens) - self.prompt_len

    @property
    def usage(self) -> Usage:
        """The answer's token counts so far."""
        return Usage(self.prompt_len, self.generated, self.cached_len)

    @property
    def timings(self) -> Timings:
        """The answer's times so far."""
        return Timings(
            prefill_ms=round((self.prefilled - self.arrived) * 1000, 1),
            decode_ms=round((self.decoding - self.prefilled) * 1000, 1),
        )


def common_prefix(one: list[int], other: list[int]) -> int:
    """How many tokens two sequences share from their start."""
    for i, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return i
    return min(len(one), len(other))
