"""A reranker without a model: shared words make a passage an answer."""

from __future__ import annotations

import re
from collections.abc import Sequence

_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")
"""A word, or a single Chinese, Japanese or Korean character, which stand without spaces."""


class FakeReranker:
    """A deterministic Reranker: the part of the question's words that a passage has."""

    name = "fake-reranker"

    def score(self, question: str, passages: Sequence[str]) -> list[float]:
        """Score each passage between 0 and 1."""
        asked = _words(question)
        return [len(asked & _words(passage)) / max(1, len(asked)) for passage in passages]


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.lower()))
