"""Models whose answers are known: texts are directions to an embedder, and have marks from a reranker."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from vaultbridge.core.search import EmbedderInfo, Embedding, Lane


class Angles:
    """An Embedder of the plane: a text's vector points where ``degrees`` says, and an unknown text is an error."""

    def __init__(self, degrees: Mapping[str, float]) -> None:
        self._degrees = degrees
        self.asked: list[tuple[Lane, str]] = []

    @property
    def info(self) -> EmbedderInfo:
        return EmbedderInfo("angles", "angles", 2, 512, floor=0.0)

    def embed(self, texts: Sequence[str], lane: Lane) -> list[Embedding]:
        self.asked += [(lane, text) for text in texts]
        turns = [math.radians(self._degrees[text]) for text in texts]
        return [Embedding(np.array([math.cos(turn), math.sin(turn)], dtype=np.float32)) for turn in turns]


class Marks:
    """A Reranker that gives each passage its mark, whatever is asked."""

    name = "marks"

    def __init__(self, marks: Mapping[str, float]) -> None:
        self._marks = marks

    def score(self, question: str, passages: Sequence[str]) -> list[float]:
        return [self._marks[passage] for passage in passages]
