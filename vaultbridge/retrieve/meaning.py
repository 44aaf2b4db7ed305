"""Where a question points in an embedder's space, and how near the candidates lie."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import numpy as np

from vaultbridge.core.search import Vector

Wording = Literal["latin", "cjk"]
BARE_QUESTIONS: Mapping[Wording, tuple[str, ...]] = {
    "latin": (
        "What is this about?",
        "How does it work?",
        "Why is that so?",
        "When did it happen?",
        "Where is it?",
        "Who was it?",
        "How many are there?",
        "What happened?",
        "Which one is it?",
        "What does it mean?",
        "How do I do that?",
        "Tell me about it.",
    ),
    "cjk": (
        "这是关于什么的？",
        "它是如何工作的？",
        "为什么会这样？",
        "这是什么时候发生的？",
        "它在哪里？",
        "他是谁？",
        "一共有多少个？",
        "发生了什么事？",
        "是哪一个？",
        "这是什么意思？",
        "我该怎么做？",
        "请介绍一下。",
    ),
}
"""Questions that ask nothing. Some chunks are near to any question, whatever it asks: what lies near to these."""

_CJK = frozenset(("CJK", "HIRAGANA", "KATAKANA", "HANGUL"))
# The languages of embedders that know only some; any other is written in Latin letters.
_SCRIPTS: Mapping[str, frozenset[str]] = {
    "zh": frozenset(("CJK",)),
    "ja": frozenset(("CJK", "HIRAGANA", "KATAKANA")),
    "ko": frozenset(("HANGUL", "CJK")),
    "ru": frozenset(("CYRILLIC",)),
    "uk": frozenset(("CYRILLIC",)),
    "bg": frozenset(("CYRILLIC",)),
    "el": frozenset(("GREEK",)),
    "he": frozenset(("HEBREW",)),
    "ar": frozenset(("ARABIC",)),
    "fa": frozenset(("ARABIC",)),
    "hi": frozenset(("DEVANAGARI",)),
    "th": frozenset(("THAI",)),
}


@dataclass(frozen=True, slots=True)
class Direction:
    """What is looked for: the ``question`` as it was embedded, and where to ``aim`` for it."""

    question: Vector
    aim: Vector

    @classmethod
    def away_from(cls, ground: Vector, question: Vector, share: float) -> Direction:
        """Take a ``share`` of the ``ground``, the mean of the bare questions, off a question."""
        return cls(question, (question - share * ground).astype(np.float32))


@dataclass(frozen=True)
class Nearness:
    """How near candidates lie to a question; ``vectors`` by chunk key."""

    direction: Direction
    vectors: Mapping[str, Vector] = field(default_factory=dict)

    @cached_property
    def cosines(self) -> dict[str, float]:
        """The cosine of each candidate and the question itself, by which the embedder's floor is meant."""
        return self._products(self.direction.question)

    @cached_property
    def scores(self) -> dict[str, float]:
        """What the dense lane ranks by."""
        return self._products(self.direction.aim)

    def towards(self, liked: Mapping[str, float], share: float) -> Nearness:
        """The same candidates for a question drawn towards those that are ``liked``, each as far as its weight says.

        Rocchio's relevance feedback (1971), with the first hits taken for relevant: nothing is embedded again.
        """
        known = [(self.vectors[key], weight) for key, weight in liked.items() if key in self.vectors]
        if not known:
            return self
        pull = sum(weight * vector for vector, weight in known) / len(known)
        direction = replace(self.direction, aim=self.direction.aim + share * pull)
        return Nearness(direction, self.vectors)

    def _products(self, vector: Vector) -> dict[str, float]:
        if not self.vectors:
            return {}
        # Equal rows may differ in the last bit of a product, by where they stand: the same text stays a tie.
        products = np.stack(list(self.vectors.values())) @ vector
        return dict(zip(self.vectors, (round(float(product), 6) for product in products), strict=True))


def wording(text: str) -> Wording:
    """Which of the bare questions are most like a question."""
    return "cjk" if any(script in _CJK for script in _scripts(text)) else "latin"


def understands(languages: Sequence[str], text: str) -> bool:
    """Whether an embedder of these languages, empty for all, knows most of the letters of a question."""
    letters = _scripts(text)
    known = frozenset[str]().union(*(_SCRIPTS.get(language, frozenset(("LATIN",))) for language in languages))
    return not languages or 2 * sum(script in known for script in letters) >= len(letters)


def _scripts(text: str) -> list[str]:
    """The script of each letter."""
    return [unicodedata.name(letter, "?").partition(" ")[0] for letter in text if letter.isalpha()]
