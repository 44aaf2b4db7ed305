"""How fast something goes just now."""

from __future__ import annotations

MEMORY_SECONDS = 30.0
"""What was done so long ago counts half."""


class Pace:
    """A rate over the last minute or so, of work that is told in pieces."""

    def __init__(self) -> None:
        self._done = 0.0
        self._seconds = 0.0

    @property
    def rate(self) -> float:
        """Done in a second; 0 before anything is."""
        return self._done / self._seconds if self._seconds else 0.0

    def tell(self, done: int, seconds: float) -> None:
        """So much was done in the last ``seconds``."""
        kept = 0.5 ** (seconds / MEMORY_SECONDS)
        self._done = kept * self._done + done
        self._seconds = kept * self._seconds + max(seconds, 1e-6)

    def left(self, amount: int) -> float | None:
        """Seconds that ``amount`` will take; None if nobody knows."""
        if not amount:
            return 0.0
        return amount / self.rate if self._seconds else None
