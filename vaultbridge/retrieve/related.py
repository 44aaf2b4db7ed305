"""Notes that have to do with a note, without a model: its vectors, its name and its links are all there."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence, Set

import numpy as np

from vaultbridge.core.notes import Chunk, NotePath
from vaultbridge.core.ports import ChunkStore
from vaultbridge.core.search import Hit, Scope, Scored, Vector
from vaultbridge.retrieve.floors import Floor
from vaultbridge.retrieve.fusion import by_meaning, by_words, fuse, ranked
from vaultbridge.retrieve.relevance import Asked, telling
from vaultbridge.retrieve.retriever import Found
from vaultbridge.retrieve.weights import FusionWeights

MOST_CHUNKS = 8
"""Chunks of the note that are compared with all others, spread over it."""
EACH = 30
LINKED = 0.1
"""What a link adds: it says that two notes are related, not how much."""


class Related:
    """Finds related notes."""

    def __init__(self, store: ChunkStore, weights: FusionWeights | None = None) -> None:
        self._store = store
        self._weights = weights or FusionWeights()

    async def to_note(
        self, path: NotePath, name: str, limit: int, exclude: Sequence[NotePath] = (), floor: Floor | None = None
    ) -> Found:
        """The notes nearest to one, each by the passage that relates most. ``name``: its title and headings.

        Nothing is embedded: a note without vectors is related by words and links alone. Without a ``floor`` whatever
        was found is taken.
        """
        scope = Scope(exclude=(path, *exclude))
        own, linked = await asyncio.gather(self._store.chunks(path), self._store.linked([path]))
        neighbours = {note for note in linked.get(path, ()) if note not in scope.exclude}
        vectors = await self._vectors(own[:: max(1, -(-len(own) // MOST_CHUNKS))])
        keyword, *nearest = await asyncio.gather(
            self._store.keyword(telling(name), scope, EACH),
            *(self._store.dense(vector, scope, EACH) for vector in vectors.values()),
        )
        chunks = {scored.chunk.key: scored.chunk for ranking in (keyword, *nearest) for scored in ranking}
        for note in neighbours - {chunk.note for chunk in chunks.values()}:
            chunks |= {chunk.key: chunk for chunk in (await self._store.chunks(note))[:1]}
        asked = Asked(name)
        cosines = await self._cosines(chunks.values(), list(vectors.values()))
        found = {
            "keyword": {scored.chunk.key: scored.score for scored in keyword},
            # A cosine that says nothing is no reason to be shown.
            "dense": {key: near for key, near in cosines.items() if floor is None or floor.nearness(near) > 0},
        }
        lanes = {
            "keyword": by_words(found["keyword"], max((asked.coverage(hit.chunk) for hit in keyword), default=0.0)),
            "dense": by_meaning(cosines, [scored.score for scored in _best(nearest)]),
        }
        hits = [
            Hit(hit.chunk, hit.score + LINKED, {**hit.lanes, "linked": 1.0}) if hit.chunk.note in neighbours else hit
            for hit in fuse(chunks.values(), lanes, self._weights, found)
        ]
        related = relating(ranked(hits), name, floor, neighbours)
        return Found(by_note(related, limit), linked=dict.fromkeys(neighbours, path))

    async def _vectors(self, chunks: Iterable[Chunk]) -> dict[str, Vector]:
        return dict(await self._store.vectors([chunk.digest for chunk in chunks]))

    async def _cosines(self, chunks: Collection[Chunk], own: Sequence[Vector]) -> dict[str, float]:
        """How near each chunk lies to the nearest of the note's own."""
        vectors = await self._vectors(chunks)
        near = {digest: round(float(np.max(np.stack(own) @ vector)), 6) for digest, vector in vectors.items() if own}
        return {chunk.key: near[chunk.digest] for chunk in chunks if chunk.digest in near}


def _best(rankings: Iterable[Sequence[Scored]]) -> list[Scored]:
    """Each chunk once, as far as the best of the rankings says."""
    best: dict[str, Scored] = {}
    for scored in sorted((scored for ranking in rankings for scored in ranking), key=lambda scored: -scored.score):
        best.setdefault(scored.chunk.key, scored)
    return list(best.values())


def relating(hits: Iterable[Hit], text: str, floor: Floor | None, linked: Set[NotePath] = frozenset()) -> list[Hit]:
    """The hits that have to do with a text: of ``linked`` notes, near enough, or holding most of its words."""
    asked = Asked(text)

    def relates(hit: Hit) -> bool:
        if floor is None or hit.chunk.note in linked:
            return True
        near = floor.nearness(hit.lanes["dense"]) if "dense" in hit.lanes else 0.0
        return near + asked.shown_by(hit.chunk) >= 1

    return [hit for hit in hits if relates(hit)]


def by_note(hits: Iterable[Hit], limit: int) -> tuple[Hit, ...]:
    """The first hit of each note."""
    first: dict[NotePath, Hit] = {}
    for hit in hits:
        first.setdefault(hit.chunk.note, hit)
    return tuple(first.values())[:limit]
