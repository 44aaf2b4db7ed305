"""One answer in the making: the engine's only mutable noun."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vaultbridge.core.dialogue import Sampling, Timings, Usage
from vaultbridge.core.ports import TokenSampler
from vaultbridge.engine.answer import Answer
from vaultbridge.engine.drafts import Drafter

Tokens = NDArray[np.int32]


@dataclass(eq=False, slots=True)
class Sequence:
    """``tokens`` are the prompt's and then the answer's; those that are not in its slot's cache are yet to be decoded.

    ``call`` and ``choice`` say whose it is, ``rank`` is its place in the order of arrival. What a ``doomed`` one leaves
    in the cache is for nobody. What is only warmed has no ``answer``. Times are seconds.
    """

    call: int
    tokens: list[int]
    max_tokens: int
    sampling: Sampling = field(default_factory=Sampling)
    choice: int = 0
    rank: int = 0
    warm: bool = False
    deadline: float | None = None
    sources: frozenset[str] = frozenset()
    answer: Answer | None = None
    # set by the constructor
    prompt_len: int = field(init=False)
    prompt: Tokens = field(init=False)
    # set on the way
    slot: int | None = None
    doomed: bool = False
    cached_len: int | None = None
    passed: int = 0
    sampler: TokenSampler | None = None
    drafter: Drafter | None = None
    drafted: int = 0
    accepted: int = 0
    arrived: float = 0.0
    admitted: float = 0.0
    first: float = 0.0
    last: float = 0.0

    def __post_init__(self) -> None:
        self.prompt_len = len(self.tokens)
        self.prompt = np.asarray(self.tokens, np.int32)

    @property
    def generated(self) -> int:
        """How many tokens of the answer exist."""
        return len(self.tokens) - self.prompt_len

    @property
    def usage(self) -> Usage:
        """The answer's token counts so far."""
        return Usage(self.prompt_len, self.generated, self.cached_len or 0)

    @property
    def timings(self) -> Timings:
        """The answer's times so far."""

        def span(start: float, end: float) -> float:
            return round(max(0.0, end - start) * 1000, 1)

        return Timings(
            queue_ms=span(self.arrived, self.admitted or self.arrived),
            prefill_ms=span(self.admitted, self.first),
            decode_ms=span(self.first, self.last),
            drafted=self.drafted,
            accepted=self.accepted,
        )

    def close(self) -> None:
        """Free what the model's library holds for it."""
        if self.sampler is not None:
            self.sampler.close()
            self.sampler = None


def common_prefix(one: NDArray[Any], other: NDArray[Any]) -> int:
    """How many tokens two sequences share from their start."""
    length = min(len(one), len(other))
    differ = one[:length] != other[:length]
    at = int(differ.argmax()) if length else 0
    return at if length and differ[at] else length
