"""A vault of any size that nobody wrote: words as frequent as in real ones, and embeddings that lie in clusters."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vaultbridge.core.notes import Chunk, FileState, IndexedNote, NotePath, NoteUpdate, Span
from vaultbridge.core.search import EmbedderInfo, Embedding, Lane, Vector

CHUNKS_A_NOTE = 8
CHUNK_WORDS = 120
QUESTION_WORDS = 7
POSTINGS = 120
"""Learned sparse weights of a chunk: what BGE-M3 gives one of this size."""
QUESTION_POSTINGS = 10
CLUSTERS = 400
SPREAD = 1.2
"""How long the part of a vector is that is its own, when the part that it shares with its cluster is 1."""
TOKENS = 250_002
"""The size of BGE-M3's vocabulary."""
VOCABULARY = 40_000
CHINESE = 3
"""One note of so many is in Chinese."""

_FIRST = "the of and to in is that it for was on are as with they be at this from have or by one had not but".split()
_ONSETS = "b br c ch d dr f g gr h j k l m n p pl qu r s sh st t th tr v w".split()
_RHYMES = "a an ar e el en er i in ing ion is o ol on or u um un us".split()
_IDEOGRAPHS = range(0x4E00, 0x4E00 + 2500)

Choices = NDArray[np.intp]


class Invention:
    """Notes, questions and embeddings drawn from one seed; ``dimensions`` are those of the dense vectors."""

    def __init__(self, dimensions: int, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._dimensions = dimensions
        syllables = ["".join(pair) for pair in product(_ONSETS, _RHYMES)]
        self._english = _FIRST + self._joined(syllables, (2, 3), VOCABULARY)
        self._chinese = self._joined([chr(point) for point in _IDEOGRAPHS], (1, 2, 2, 2), VOCABULARY)
        self._centres = self._units(CLUSTERS)

    def note(self, number: int) -> NoteUpdate:
        """A note of that number; another text each time that it is asked for."""
        path = NotePath(f"{number % 97:02d}/note {number}.md")
        words, gap = (self._chinese, "") if number % CHINESE == 0 else (self._english, " ")
        title = gap.join(self._some(words, 3))
        texts = [gap.join(self._some(words, CHUNK_WORDS)) for _ in range(CHUNKS_A_NOTE)]
        state = FileState(path, 1_700_000_000_000_000_000 + number, sum(map(len, texts)), f"{number:064x}")
        chunks = tuple(
            Chunk(path, ordinal, Span(0, len(text), 1, 1), text, (title,), title) for ordinal, text in enumerate(texts)
        )
        return NoteUpdate(IndexedNote(state, title, tags=("invented",), chunks=len(chunks)), chunks)

    def question(self, number: int) -> str:
        """A question in the language of the note of that number."""
        words, gap = (self._chinese, "") if number % CHINESE == 0 else (self._english, " ")
        return gap.join(self._some(words, QUESTION_WORDS))

    def words(self, count: int) -> list[str]:
        """English words, as often as people use them."""
        return self._some(self._english, count)

    def embeddings(self, count: int, lane: Lane) -> list[Embedding]:
        """Dense and sparse, for texts that say nothing about them."""
        size = POSTINGS if lane == "document" else QUESTION_POSTINGS
        return [Embedding(dense, self._weights(size)) for dense in self.directions(count)]

    def directions(self, count: int) -> Vector:
        """Dense vectors alone, ``(count, dimensions)``."""
        near = self._centres[self._rng.integers(CLUSTERS, size=count)] + SPREAD * self._units(count)
        near /= np.linalg.norm(near, axis=1, keepdims=True)
        return near

    def _weights(self, size: int) -> dict[int, float]:
        tokens = self._ranks(TOKENS, 2 * size)
        return dict(zip(dict.fromkeys(tokens.tolist()), self._rng.random(size).tolist(), strict=False))

    def _units(self, count: int) -> Vector:
        vectors = self._rng.standard_normal((count, self._dimensions), dtype=np.float32)
        units: Vector = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return units

    def _some(self, words: Sequence[str], count: int) -> list[str]:
        return [words[rank] for rank in self._ranks(len(words), count)]

    def _ranks(self, size: int, count: int) -> Choices:
        """Ranks below ``size``, each as frequent as its inverse (Zipf's law)."""
        ranks: Choices = (np.exp(self._rng.random(count) * np.log(size + 1)) - 1).astype(np.intp)
        return ranks

    def _joined(self, parts: Sequence[str], lengths: Sequence[int], count: int) -> list[str]:
        drawn: Any = self._rng.integers(len(parts), size=(2 * count, max(lengths)))
        sizes = self._rng.choice(lengths, size=2 * count)
        made = ("".join(parts[at] for at in row[:size]) for row, size in zip(drawn, sizes, strict=True))
        return list(dict.fromkeys(made))[:count]


class InventedEmbeddings:
    """An EmbeddingService without a model: nobody waits for a forward pass."""

    def __init__(self, invention: Invention, dimensions: int) -> None:
        self._invention = invention
        self._info = EmbedderInfo("invented", f"invented-{dimensions}", dimensions, 512, floor=0.3, sparse=True)

    def now(self) -> InventedEmbeddings:
        """Itself: no other will take its place."""
        return self

    async def info(self) -> EmbedderInfo:
        """What the embedder is."""
        return self._info

    async def embed(self, texts: Sequence[str], lane: Lane) -> list[Embedding]:
        """An embedding for each text, another one each time."""
        return self._invention.embeddings(len(texts), lane)
