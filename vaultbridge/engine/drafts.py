"""Drafts from the prompt: what followed the last time that these tokens stood here.

Answers that rest on notes repeat stretches of them. A draft is verified by the model in one batch, and the sampler
decides on each token as it would without it, so that the distribution is unchanged at any temperature.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

NGRAM = 3
"""Tokens that must agree before anything is drafted."""
LONGEST = 24
"""Tokens in a draft at the most."""
_OCCURRENCES = 8
_FADE = 0.95
_GAIN = 1.03
# Matches of so many tokens and more share one acceptance rate, and begin with this one (and its weight).
_LENGTHS = (NGRAM, 4, 6, 9, 14, 22)
_RATES = (0.35, 0.45, 0.6, 0.75, 0.85, 0.9)
_WEIGHT = 2.0


class Drafter:
    """Looks up drafts for one sequence, and learns which of them come true.

    Every token that is generated tells whether a draft would have been right, be it asked for or not: learning costs
    nothing, and a sequence that does not quote never drafts.
    """

    def __init__(self, prompt: Sequence[int]) -> None:
        self._tokens = list(prompt)
        self._places: dict[tuple[int, ...], list[int]] = {}
        self._source = 0
        self._match = 0
        self._hits = [rate * _WEIGHT for rate in _RATES]
        self._tries = [_WEIGHT] * len(_RATES)
        for place in range(NGRAM, len(prompt)):
            self._note(place)
        self._find()

    def push(self, token: int) -> None:
        """The sequence goes on with ``token``."""
        if self._match:
            right = self._tokens[self._source] == token
            self._learn(right)
            self._source += 1
            self._match = self._match + 1 if right else 0
        self._tokens.append(token)
        if len(self._tokens) > NGRAM:
            self._note(len(self._tokens) - 1)
        if not self._match:
            self._find()

    def _note(self, place: int) -> None:
        self._places.setdefault(tuple(self._tokens[place - NGRAM : place]), []).append(place)

    def _find(self) -> None:
        """Look for the longest earlier stretch that ends as the sequence does, the latest of equals."""
        tokens, end = self._tokens, len(self._tokens)
        for place in self._places.get(tuple(tokens[end - NGRAM :]), ())[-_OCCURRENCES:]:
            length = NGRAM
            while length < min(place, _LENGTHS[-1]) and tokens[place - 1 - length] == tokens[end - 1 - length]:
                length += 1
            if length >= self._match:
                self._match, self._source = length, place

    def _learn(self, right: bool) -> None:
        bucket = self._bucket()
        self._hits[bucket] = self._hits[bucket] * _FADE + right
        self._tries[bucket] = self._tries[bucket] * _FADE + 1

    def _bucket(self) -> int:
        return sum(self._match >= length for length in _LENGTHS) - 1

    def draft(self, most: int, cost: Callable[[int], float], others: int = 0) -> list[int]:
        """What may come next: as many tokens as make the step worth its time, perhaps none.

        ``cost`` tells what the step takes with so many drafted tokens; ``others`` tokens are gained by it anyway.
        """
        if not self._match or not cost(0):  # no step has been timed yet
            return []
        most = min(most, LONGEST, len(self._tokens) - self._source)
        rate = self._hits[self._bucket()] / self._tries[self._bucket()]
        best, length = (others + 1) / cost(0) * _GAIN, 0
        expected, probability = 1.0, 1.0
        for k in range(1, most + 1):
            probability *= rate
            expected += probability
            if (others + expected) / cost(k) > best:
                best, length = (others + expected) / cost(k), k
        return self._tokens[self._source : self._source + length]
