"""Notes that have to do with a note, without a model: its vectors, its name and its links are all there."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from vaultbridge.core.notes import Chunk, NotePath
from vaultbridge.core.ports import ChunkStore
from vaultbridge.core.search import Hit, Scope, Scored
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

    async def to_note(self, path: NotePath, name: str, limit: int, exclude: Sequence[NotePath] = ()) -> Found:
        """The notes nearest to one, each by the passage that relates most. ``name``: its title and headings.

        Nothing is embedded: a note without vectors is related by words and links alone.
        """
        scope = Scope(exclude=(path, *exclude))
        own, linked = await asyncio.gather(self._store.chunks(path), self._store.linked([path]))
        neighbours = {note for note in linked.get(path, ()) if note not in scope.exclude}
        keyword, dense = await asyncio.gather(
            self._store.keyword(telling(name), scope, EACH), self._nearest(own, scope)
        )
        chunks = {scored.chunk.key: scored.chunk for scored in (*keyword, *dense)}
        for note in neighbours - {chunk.note for chunk in chunks.values()}:
            chunks |= {chunk.key: chunk for chunk in (await self._store.chunks(note))[:1]}
        found = {
            lane: {scored.chunk.key: scored.score for scored in ranking}
            for lane, ranking in (("keyword", keyword), ("dense", dense))
        }
        asked = Asked(name)
        lanes = {
            "keyword": by_words(found["keyword"], max((asked.coverage(hit.chunk) for hit in keyword), default=0.0)),
            "dense": by_meaning(found["dense"], [scored.score for scored in dense]),
        }
        hits = [
            Hit(hit.chunk, hit.score + LINKED, {**hit.lanes, "linked": 1.0}) if hit.chunk.note in neighbours else hit
            for hit in fuse(chunks.values(), lanes, self._weights, found)
        ]
        return Found(by_note(ranked(hits), limit), linked=dict.fromkeys(neighbours, path))

    async def _nearest(self, own: Sequence[Chunk], scope: Scope) -> list[Scored]:
        """Chunks of other notes, each by the nearest of the note's own."""
        step = max(1, -(-len(own) // MOST_CHUNKS))
        vectors = await self._store.vectors([chunk.digest for chunk in own[::step]])
        rankings = await asyncio.gather(*(self._store.dense(vector, scope, EACH) for vector in vectors.values()))
        best: dict[str, Scored] = {}
        for scored in sorted((scored for ranking in rankings for scored in ranking), key=lambda scored: -scored.score):
            best.setdefault(scored.chunk.key, scored)
        return list(best.values())


def by_note(hits: Sequence[Hit], limit: int) -> tuple[Hit, ...]:
    """The first hit of each note."""
    first: dict[NotePath, Hit] = {}
    for hit in hits:
        first.setdefault(hit.chunk.note, hit)
    return tuple(first.values())[:limit]
