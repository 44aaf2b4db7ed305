"""Asks the lanes for a question, side by side, and keeps what each of them says."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field

import numpy as np

from vaultbridge.core.errors import ConfigError, InvalidRequest, NotReady, VaultbridgeError
from vaultbridge.core.notes import Chunk, NotePath
from vaultbridge.core.ports import ChunkStore, EmbeddingService
from vaultbridge.core.search import EmbedderInfo, Embedding, Hit, Query, Scored, Vector
from vaultbridge.retrieve.floors import Floor, Floors
from vaultbridge.retrieve.fusion import Evidence, by_meaning, by_weights, by_words, fuse
from vaultbridge.retrieve.meaning import BARE_QUESTIONS, Direction, Nearness, Wording, understands, wording
from vaultbridge.retrieve.relevance import telling, terms
from vaultbridge.retrieve.smoothing import smoothed
from vaultbridge.retrieve.weights import FusionWeights

log = logging.getLogger(__name__)

LANE_LIMIT = 100
"""Chunks that each lane brings to the fusion, at least."""
FILTERED_LIMIT = 1000
"""The same where only some chunks are wanted: those that hold a phrase."""
PATIENCE_SECONDS = 10.0
"""How long a question waits for an embedder that is still loading before the other lanes answer alone."""
BEST = 10
"""Of so many keyword hits, the one that holds most of the question's words says how far the words carry."""
LIKED = 2
"""Notes from which the question learns what it means."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What the lanes found for a question: ``rankings`` by lane, and how ``near`` the candidates lie.

    ``covered`` is the greatest part of the question's words that one of the first keyword hits holds; ``floor`` the
    embedder's, None if it said nothing; ``multi`` the question's multi-vector, if the embedder has such a head;
    ``away`` says of each lane that did not answer why.
    """

    rankings: Mapping[str, Sequence[Scored]] = field(default_factory=dict)
    covered: float = 0.0
    near: Nearness | None = None
    floor: Floor | None = None
    multi: Vector | None = None
    away: Mapping[str, str] = field(default_factory=dict)

    def nearness(self, chunk: Chunk) -> float:
        """How far a candidate speaks of the question by its meaning, 0 to 1."""
        if self.near is None or self.floor is None or chunk.key not in self.near.cosines:
            return 0.0
        return self.floor.nearness(self.near.cosines[chunk.key])

    def hits(self, weights: FusionWeights) -> list[Hit]:
        """Every candidate, best first."""
        chunks = {scored.chunk.key: scored.chunk for ranking in self.rankings.values() for scored in ranking}
        found = {
            lane: {scored.chunk.key: scored.score for scored in ranking} for lane, ranking in self.rankings.items()
        }
        lanes = {lane: evidence for lane, evidence in self._evidence(found).items() if lane in found}
        if self.near is None or "dense" not in found:
            return fuse(chunks.values(), lanes, weights, found)
        found["dense"] = {key: self.near.cosines[key] for key in found["dense"] if key in self.near.cosines}
        hits = fuse(chunks.values(), lanes, weights, found)
        if weights.feedback and len(lanes) > 1:
            nearer = self.near.towards(_liked(hits, lanes, weights), weights.feedback)
            lanes["dense"] = by_meaning(nearer.scores, self._ranked("dense"))
            hits = fuse(chunks.values(), lanes, weights, found)
        return smoothed(hits, self.near.vectors, weights.smoothing) if weights.smoothing and len(lanes) > 1 else hits

    def _evidence(self, found: Mapping[str, Mapping[str, float]]) -> dict[str, Evidence]:
        return {
            "keyword": by_words(found.get("keyword", {}), self.covered),
            "sparse": by_weights(found.get("sparse", {})),
            "dense": by_meaning(self.near.scores if self.near is not None else {}, self._ranked("dense")),
        }

    def _ranked(self, lane: str) -> list[float]:
        return [scored.score for scored in self.rankings.get(lane, ())]


class Lanes:
    """The lanes over a store; those of the embedder are away without one."""

    def __init__(self, store: ChunkStore, embeddings: EmbeddingService | None, floors: Floors | None = None) -> None:
        self._store = store
        self._embeddings = embeddings
        self._floors = floors
        self._grounds: dict[tuple[str, Wording], Vector] = {}

    async def ask(self, query: Query, weights: FusionWeights) -> Findings:
        """What the lanes of ``query.mode`` find. Raises what keeps a lane away only if no other one was asked."""
        asked = " ".join([query.text, *query.phrases]).strip()
        if not asked:
            return Findings()
        filtered = bool(query.phrases or query.without)
        limit = max(FILTERED_LIMIT if filtered else LANE_LIMIT, query.limit)
        keyword, meant = await asyncio.gather(
            self._keyword(asked, query, limit), self._meant(asked, query, weights, limit)
        )
        rankings = {
            lane: [scored for scored in ranking if not filtered or _passes(scored.chunk, query)]
            for lane, ranking in {**keyword, **meant.rankings}.items()
        }
        return Findings(
            rankings=rankings,
            covered=_covered(terms(asked), rankings.get("keyword", ())[:BEST]),
            near=await self._near(meant.direction, rankings),
            floor=meant.floor,
            multi=meant.multi,
            away=meant.away,
        )

    async def floor(self, text: str) -> Floor | None:
        """The embedder's floor for a text; None without one, or while it cannot say."""
        if self._embeddings is None:
            return None
        try:
            return self._floor(await self._embeddings.now().info(), text)
        except VaultbridgeError as error:
            log.info("no floor is known: %s", error)
            return None

    async def _keyword(self, asked: str, query: Query, limit: int) -> dict[str, Sequence[Scored]]:
        if query.mode not in ("hybrid", "keyword"):
            return {}
        return {"keyword": await self._store.keyword(telling(asked), query.scope, limit)}

    async def _meant(self, asked: str, query: Query, weights: FusionWeights, limit: int) -> _Meant:
        """The lanes of the embedder's heads, by one pass of it."""
        if query.mode == "keyword" or (query.mode == "hybrid" and self._embeddings is None):
            return _Meant()
        try:
            if self._embeddings is None:
                raise ConfigError("No embedder is chosen.", "Pass --embedder NAME.")
            embeddings = self._embeddings.now()
            try:
                return await self._meant_by(embeddings, asked, query, weights, limit)
            except NotReady:
                if (heir := self._embeddings.now()) is embeddings:
                    raise
                return await self._meant_by(heir, asked, query, weights, limit)  # the former one left meanwhile
        except VaultbridgeError as error:
            if query.mode in ("dense", "sparse"):
                raise
            log.info("the dense lane is away: %s", error)
            return _Meant(away={"dense": error.code})

    async def _meant_by(
        self, embeddings: EmbeddingService, asked: str, query: Query, weights: FusionWeights, limit: int
    ) -> _Meant:
        (embedding,) = await self._embed(embeddings, [asked])
        info = await embeddings.info()
        if query.mode == "hybrid" and not understands(info.languages, asked):
            return _Meant()
        if query.mode == "sparse" and embedding.sparse is None:
            raise InvalidRequest(
                f"{info.name} has no sparse head.", "Choose another mode, or serve bge-m3.", param="mode"
            )
        await self._store.serve_vectors(info.fingerprint, info.dimensions)
        ground = await self._ground(embeddings, info, asked) if weights.ground else embedding.dense * 0
        direction = Direction.away_from(ground, embedding.dense, weights.ground)
        rankings: dict[str, Sequence[Scored]] = {}
        if query.mode != "sparse":
            rankings["dense"] = await self._store.dense(direction.aim, query.scope, limit)
        if query.mode != "dense" and embedding.sparse is not None:
            rankings["sparse"] = await self._store.sparse(embedding.sparse, query.scope, limit)
        return _Meant(rankings, direction, self._floor(info, asked), embedding.multi)

    def _floor(self, info: EmbedderInfo, text: str) -> Floor:
        return self._floors.of(info, text) if self._floors is not None else Floor(info.floor, info.floor)

    async def _embed(self, embeddings: EmbeddingService, questions: Sequence[str]) -> list[Embedding]:
        try:
            return await asyncio.wait_for(embeddings.embed(questions, "query"), PATIENCE_SECONDS)
        except asyncio.TimeoutError:
            raise NotReady("The embedder is still loading.", "Try again in a moment.") from None

    async def _ground(self, embeddings: EmbeddingService, info: EmbedderInfo, text: str) -> Vector:
        """The mean of the bare questions, which are embedded once."""
        key = (info.fingerprint, wording(text))
        if key not in self._grounds:
            bare = await self._embed(embeddings, BARE_QUESTIONS[key[1]])
            self._grounds[key] = np.mean([embedding.dense for embedding in bare], axis=0)
        return self._grounds[key]

    async def _near(self, direction: Direction | None, rankings: Mapping[str, Sequence[Scored]]) -> Nearness | None:
        """How near every candidate lies, those that only the words found too."""
        if direction is None:
            return None
        digests = {scored.chunk.key: scored.chunk.digest for ranking in rankings.values() for scored in ranking}
        stored = await self._store.vectors(list(dict.fromkeys(digests.values())))
        return Nearness(direction, {key: stored[digest] for key, digest in digests.items() if digest in stored})


@dataclass(frozen=True, slots=True)
class _Meant:
    rankings: Mapping[str, Sequence[Scored]] = field(default_factory=dict)
    direction: Direction | None = None
    floor: Floor | None = None
    multi: Vector | None = None
    away: Mapping[str, str] = field(default_factory=dict)


def _liked(hits: Sequence[Hit], lanes: Mapping[str, Evidence], weights: FusionWeights) -> dict[str, float]:
    """The first chunks of the first notes, each as far as the lane of meaning and another one agree on it."""
    first: dict[NotePath, str] = {}
    for hit in hits:
        if len(first) < LIKED:
            first.setdefault(hit.chunk.note, hit.chunk.key)

    def said(lane: str, key: str) -> float:
        return max(0.0, weights.of(lane) * lanes[lane].confidence * lanes[lane].scores.get(key, 0.0))

    others = [lane for lane in lanes if lane != "dense"]
    return {key: (said("dense", key) * max(said(lane, key) for lane in others)) ** 0.5 for key in first.values()}


def _covered(words: Set[str], ranking: Sequence[Scored]) -> float:
    """The greatest part of the words that one chunk holds."""
    return max((len(words & terms(scored.chunk.embedded)) / len(words) for scored in ranking if words), default=0.0)


def _passes(chunk: Chunk, query: Query) -> bool:
    """Whether a chunk holds every phrase and none of the words that are not wanted."""
    text = chunk.embedded.casefold()
    return all(phrase.casefold() in text for phrase in query.phrases) and not any(
        re.search(rf"(?<![a-z0-9_]){re.escape(word.casefold())}(?![a-z0-9_])", text) for word in query.without
    )
