"""What guesses have cost and gained, and how far they are to be trusted: learned from those that were judged."""

from __future__ import annotations

CREDIT = 4.0
"""So many steps' time may be lost at once; more than that is not saved up either."""
LOSS = 0.02
"""The part of all steps' time that guesses may cost which are never right."""
_FADE = 0.95
_WEIGHT = 2.0
_RATE = 0.6


class Ledger:
    """Costs and gains are counted in steps of the large model, so that they mean the same on every machine."""

    def __init__(self) -> None:
        self.credit = CREDIT
        """The time of so many steps may be spent on the next guess."""
        self._tries, self._sure, self._right = _WEIGHT, _WEIGHT * _RATE, _WEIGHT * _RATE

    @property
    def rate(self) -> float:
        """How often a guessed token is right, if those before it were."""
        return self._right / self._tries

    def chance(self, sure: float) -> float:
        """How often a token is right of which the draft model says that it is ``sure`` (0 to 1)."""
        return min(1.0, sure * self._right / self._sure)

    def step(self) -> None:
        """One more step is computed: a part of its time may be spent on guesses."""
        self.credit = min(CREDIT, self.credit + LOSS)

    def charge(self, steps: float) -> None:
        """A guess has cost the time of so many steps."""
        self.credit -= steps

    def judge(self, sure: float, *, right: bool, offered: bool) -> None:
        """A guessed token turned out ``right`` or not; if it was ``offered``, it has saved a step."""
        self._tries = self._tries * _FADE + 1
        self._sure = self._sure * _FADE + sure
        self._right = self._right * _FADE + right
        self.credit += right and offered
