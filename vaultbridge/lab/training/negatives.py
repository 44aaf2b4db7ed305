"""Hard negatives: what the vault's own index finds for a query and yet does not answer it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from random import Random

from vaultbridge.core.errors import EmbedFailed
from vaultbridge.core.notes import Chunk, NotePath
from vaultbridge.core.ports import ChunkStore, RerankService
from vaultbridge.core.search import Query, Scope
from vaultbridge.lab.training.near import Shingles, are_near, shingles, words
from vaultbridge.lab.training.pairs import FEWEST_WORDS, Cut, Pair, passage_of
from vaultbridge.lab.training.translations import translated
from vaultbridge.retrieve.lanes import Findings
from vaultbridge.retrieve.retriever import Retriever

DRAWN = 64
"""Passages that are drawn at chance where the index finds too little."""


class Miner:
    """Finds negatives among the notes of one split, so that nothing of another split is read in training.

    ``margin``: a candidate that scores more than this part of the positive's score may well answer, too. That is
    TopK-PercPos of NV-Retriever (Moreira et al., 2024), which found 0.95 the best of the ways to leave false negatives
    out.
    """

    def __init__(
        self,
        store: ChunkStore,
        retriever: Retriever,
        reranker: RerankService | None,
        among: Sequence[Cut],
        margin: float,
        seed: int,
    ) -> None:
        self._store = store
        self._retriever = retriever
        self._reranker = reranker
        self._notes = [cut.note.path for cut in among]
        self._chunks = [chunk for cut in among for chunk in cut.chunks if _tells(chunk)]
        self._margin = margin
        self._seed = seed
        self._shingles: dict[str, Shingles] = {}
        self._translations: defaultdict[NotePath, set[NotePath]] = defaultdict(set)
        for one, other in translated(among):
            self._translations[one.note.path].add(other.note.path)

    async def mined(self, pair: Pair, count: int) -> tuple[str, ...]:
        """At most ``count`` passages of other notes, shown as the positives are, the hardest first.

        None of them nearly repeats a positive. Where too few are left, some are drawn at chance; none at all only if
        the split has no other passage. Raises EmbedFailed if the embedder does not answer.
        """
        spared = self._spared(pair)
        notes = tuple(note for note in self._notes if note not in spared)
        if not notes:
            return ()
        findings = await self._retriever.findings(Query(pair.query, Scope(notes=notes), limit=DRAWN))
        if findings.away:
            raise EmbedFailed(f"The embedder did not answer: {', '.join(findings.away.values())}.", "Try again.")
        hard = list(islice(self._unlike(pair, await self._below(pair, findings)), 2 * count))
        hard = await self._unvetoed(pair, hard)
        chance = Random(f"{self._seed} {pair.target} {pair.query}")
        drawn = chance.sample(self._chunks, min(DRAWN, len(self._chunks)))
        others = (chunk for chunk in drawn if chunk.note not in spared)
        texts = (_shown(chunk, pair.bare) for chunk in (*hard, *self._unlike(pair, others)))
        return tuple(islice(dict.fromkeys(texts), count))

    def _spared(self, pair: Pair) -> set[NotePath]:
        """Notes that may answer the query, too: what it speaks of, and the same in other languages."""
        named = {pair.source, pair.target, *pair.also}
        return named.union(*(self._translations.get(note, ()) for note in named))

    async def _below(self, pair: Pair, findings: Findings) -> list[Chunk]:
        """The candidates, best first, whose cosine keeps its distance from the positive's; none without cosines."""
        if findings.near is None:
            return []
        right = await self._store.vectors([chunk.digest for chunk in pair.chunks])
        cosines = [float(vector @ findings.near.direction.question) for vector in right.values()]
        ceiling = self._margin * max(cosines, default=0.0)
        near = findings.near.cosines
        hits = findings.hits(self._retriever.weights)
        return [hit.chunk for hit in hits if _tells(hit.chunk) and near.get(hit.chunk.key, 1.0) < ceiling]

    async def _unvetoed(self, pair: Pair, hard: list[Chunk]) -> list[Chunk]:
        """Those that the reranker, if there is one, finds clearly worse than the positive."""
        if self._reranker is None or not hard:
            return hard
        read = [passage_of(chunk).embedded for chunk in (pair.chunks[0], *hard)]
        right, *scores = await self._reranker.score(pair.query, read)
        return [chunk for chunk, score in zip(hard, scores, strict=True) if score < self._margin * right]

    def _unlike(self, pair: Pair, chunks: Iterable[Chunk]) -> Iterator[Chunk]:
        """Those that repeat neither a positive nor the passage that it stands in."""
        right = [*map(shingles, pair.pos), *map(self._of, pair.chunks)]
        return (chunk for chunk in chunks if not any(are_near(self._of(chunk), one) for one in right))

    def _of(self, chunk: Chunk) -> Shingles:
        if chunk.key not in self._shingles:
            self._shingles[chunk.key] = shingles(passage_of(chunk).bare)
        return self._shingles[chunk.key]


def _tells(chunk: Chunk) -> bool:
    return len(words(passage_of(chunk).bare)) >= FEWEST_WORDS


def _shown(chunk: Chunk, bare: bool) -> str:
    return passage_of(chunk).bare if bare else passage_of(chunk).embedded
