"""What a batch costs on this machine, learned from the batches that it has computed.

A GPU computes sixteen tokens in the time of one; two CPU cores need nine times as long. Chunks and drafts follow what
was seen, not a table.
"""

from __future__ import annotations

import bisect
from itertools import accumulate

SIZES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64)
"""Batches whose every token has an output are remembered by these sizes."""
_FOLLOW = 0.2


class BatchCosts:
    """Seconds of a step: by the number of tokens with an output (decoding, drafts), and by the token of a prompt."""

    def __init__(self) -> None:
        self._steps: dict[int, float] = {}
        self._token = 0.0

    def observe(self, outputs: int, prompt: int, seconds: float) -> None:
        """A step with ``outputs`` tokens whose logits were wanted and ``prompt`` others took so long."""
        if prompt:
            share = max(0.0, seconds - self.step(outputs)) / prompt if outputs and self._steps else seconds / prompt
            self._token = _follow(self._token, share)
        elif outputs <= SIZES[-1]:
            size = SIZES[bisect.bisect_left(SIZES, outputs)]
            self._steps[size] = _follow(self._steps.get(size, 0.0), seconds * size / outputs)

    def step(self, outputs: int) -> float:
        """What a step of ``outputs`` tokens should take; unseen sizes lie on the line through their neighbours."""
        if not self._steps or outputs <= 0:
            return 0.0
        known = sorted(self._steps)
        # What was disturbed looks slow: no batch takes longer than a greater one.
        seconds = list(accumulate((self._steps[size] for size in reversed(known)), min))[::-1]
        above = min(bisect.bisect_left(known, outputs), len(known) - 1)
        if known[above] == outputs or len(known) == 1:
            return seconds[above] * max(1.0, outputs / known[above])
        low, high = max(0, above - 1), max(1, above)
        slope = (seconds[high] - seconds[low]) / (known[high] - known[low])
        return max(seconds[low] + slope * (outputs - known[low]), seconds[0])

    def chunk(self, seconds: float, outputs: int) -> int:
        """How many tokens of a prompt a step may take beside ``outputs`` others to last about ``seconds``."""
        if not self._token:
            return 0
        return int(max(0.0, seconds - self.step(outputs)) / self._token)


def _follow(old: float, new: float) -> float:
    return old + _FOLLOW * (new - old) if old else new
