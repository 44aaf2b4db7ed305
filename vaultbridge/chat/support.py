"""How far a note holds what a sentence says."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from math import log

from vaultbridge.core.search import Citation
from vaultbridge.retrieve.relevance import terms

CLEAR = 0.6
"""The part of a sentence that a note must hold to be marked as its source where the answer marks none."""
MARKED = 0.4
"""The same for a note that the answer marks."""
FEWEST_TERMS = 2
"""A sentence of fewer terms, none of them a number, says nothing that could be looked up."""

_NUMBER = re.compile(r"\d+(?:[.,:/]\d+)*")
_WORD = re.compile(r"[^\W_]+")
_EMPHASIS = 2.0
"""How much more a number or a name counts than another word: it is what an answer gets wrong."""


class Support:
    """Compares sentences with the notes that an answer was given to read.

    A sentence is the set of its terms: words without the commonest, pairs of CJK characters, numbers. Each weighs the
    more the fewer of the notes hold it. Nothing is embedded: see ``docs/benchmarks.md``.
    """

    def __init__(self, citations: Iterable[Citation]) -> None:
        self._held = {citation.number: _terms(f"{citation.context}\n{citation.quote}") for citation in citations}
        self._notes = Counter(term for held in self._held.values() for term in held)

    def of(self, sentence: str) -> Mapping[int, float]:
        """By number, the part of a sentence that each note holds, 0 to 1."""
        said = _terms(sentence)
        names = {_folded(word) for word in _WORD.findall(sentence)[1:] if not word.islower()}
        weights = {term: self._weight(term, term in names) for term in said}
        whole = sum(weights.values()) or 1.0
        return {number: sum(weights[term] for term in said & held) / whole for number, held in self._held.items()}

    def _weight(self, term: str, name: bool) -> float:
        rarity = 1 + log((len(self._held) + 1) / (self._notes[term] + 1))
        return rarity * _EMPHASIS if name or term[0].isdigit() else rarity


def tells(sentence: str) -> bool:
    """Whether a sentence says something that could be looked up."""
    said = _terms(sentence)
    return len(said) >= FEWEST_TERMS or any(term[0].isdigit() for term in said)


def best(support: Mapping[int, float], among: Collection[int]) -> tuple[int, float]:
    """The note of ``among`` that holds the most, the first of equal ones, and how much; 0 if there is none."""
    number = max((number for number in support if number in among), key=support.__getitem__, default=0)
    return number, support.get(number, 0.0)


def _terms(text: str) -> set[str]:
    text = unicodedata.normalize("NFKC", text)
    numbers = {number.replace(",", "") for number in _NUMBER.findall(text)}
    return {_folded(term) for term in terms(text) if not term.isdigit()} | numbers


def _folded(word: str) -> str:
    word = word.casefold()
    return word[:-1] if len(word) > 3 and word.endswith("s") and word.isascii() else word
