"""The second look: who goes first, what keeps it away, and what is left then."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from tests.retrieve.rows import chunk, embed_all, update
from vaultbridge.backends.fakes.embeddings import FakeEmbeddings
from vaultbridge.backends.fakes.reranker import FakeReranker
from vaultbridge.backends.fakes.store import FakeStore
from vaultbridge.core.errors import EmbedFailed, NotReady, VaultbridgeError, WorkerLost
from vaultbridge.core.search import Hit, Query, Vector
from vaultbridge.retrieve.rescoring import RERANK_HITS, Rescoring, max_sim
from vaultbridge.retrieve.retriever import Retriever


class Rerank:
    """A RerankService in this process; ``failure`` makes it fail, ``stuck`` makes it wait forever."""

    name = "fake"

    def __init__(self, failure: VaultbridgeError | None = None, *, stuck: bool = False) -> None:
        self._failure, self._stuck = failure, stuck
        self.asked: list[tuple[str, list[str]]] = []
        self.cancelled = False

    async def ready(self) -> None:
        return

    async def score(self, question: str, passages: Sequence[str]) -> list[float]:
        self.asked.append((question, list(passages)))
        if self._failure is not None:
            raise self._failure
        if self._stuck:
            try:
                await asyncio.Event().wait()
            finally:
                self.cancelled = True
        return FakeReranker().score(question, passages)


class MultiStore(FakeStore):
    """Knows some chunks' multi-vectors by their texts."""

    def __init__(self, vectors: Mapping[str, Sequence[Sequence[float]]]) -> None:
        super().__init__()
        self._known = {chunk(f"{text}.md", text).digest: np.array(rows, np.float32) for text, rows in vectors.items()}

    async def multi(self, digests: Sequence[str]) -> dict[str, Vector]:
        return {digest: self._known[digest] for digest in digests if digest in self._known}


def hits(*texts: str) -> list[Hit]:
    """Best first, with falling scores."""
    return [
        Hit(chunk(f"{text}.md", text), 1 / (rank + 1), {"keyword": float(-rank)}) for rank, text in enumerate(texts)
    ]


def texts(found: Sequence[Hit]) -> list[str]:
    return [hit.chunk.text for hit in found]


async def test_the_reranker_decides_and_scores_still_fall() -> None:
    before = hits("soil", "red tomatoes", "tomatoes")
    after = (await Rescoring(FakeStore(), Rerank()).rescored(before, "red tomatoes")).hits
    assert texts(after) == ["red tomatoes", "tomatoes", "soil"]
    assert [hit.score for hit in after] == [hit.score for hit in before]
    assert [hit.lanes["rerank"] for hit in after] == [1.0, 0.5, 0.0]
    assert all("keyword" in hit.lanes for hit in after)


async def test_equals_stay_in_their_order() -> None:
    before = hits("soil", "bees", "compost")
    assert texts((await Rescoring(FakeStore(), Rerank()).rescored(before, "tomatoes")).hits) == texts(before)


async def test_only_the_best_are_looked_at() -> None:
    reranker = Rerank()
    before = hits(*(f"soil {number}" for number in range(RERANK_HITS)), "tomatoes")
    after = (await Rescoring(FakeStore(), reranker).rescored(before, "tomatoes")).hits
    assert [len(passages) for _, passages in reranker.asked] == [RERANK_HITS]
    assert texts(after)[-1] == "tomatoes"


@pytest.mark.parametrize("found", [[], hits("alone")], ids=["none", "one"])
async def test_nothing_to_order_nothing_asked(found: list[Hit]) -> None:
    reranker = Rerank()
    assert (await Rescoring(FakeStore(), reranker).rescored(found, "tomatoes")).hits == found
    assert not reranker.asked


async def test_one_that_is_too_slow_is_left_out_cancelled_and_named() -> None:
    reranker = Rerank(stuck=True)
    before = hits("soil", "tomatoes")
    after = await Rescoring(FakeStore(), reranker, seconds=0.01).rescored(before, "tomatoes")
    assert after.hits == before
    assert after.degraded == {"rerank": "deadline_exceeded"}
    assert reranker.cancelled


@pytest.mark.parametrize("failure", [NotReady("It loads."), WorkerLost("It died."), EmbedFailed("It failed.")])
async def test_one_that_fails_is_left_out_and_named(failure: VaultbridgeError) -> None:
    before = hits("soil", "tomatoes")
    after = await Rescoring(FakeStore(), Rerank(failure)).rescored(before, "tomatoes")
    assert (after.hits, after.degraded) == (before, {"rerank": failure.code})


def test_max_sim_is_the_mean_of_the_best_matches() -> None:
    question = np.array([[1, 0], [0, 1]], np.float32)
    passage = np.array([[1, 0], [0.6, 0.8], [0, -1]], np.float32)
    assert max_sim(question, passage) == pytest.approx((1 + 0.8) / 2)


async def test_multi_vectors_lift_what_the_question_matches_word_by_word() -> None:
    store = MultiStore({"far": [[0, 1]], "near": [[1, 0]], "between": [[0.8, 0.6]]})
    before = hits("far", "between", "near")
    after = await Rescoring(store).rescored(before, "q", np.array([[1, 0]], np.float32))
    # Fused: 1, 0.25 and 0 of the way from the least score to the greatest; by MaxSim: 0, 0.8 and 1.
    assert texts(after.hits) == ["between", "far", "near"]
    assert after.hits[0].lanes["multi"] == pytest.approx(0.8)
    assert after.degraded == {}


async def test_without_all_multi_vectors_the_order_stays() -> None:
    store = MultiStore({"near": [[1, 0]]})
    before = hits("far", "near")
    assert (await Rescoring(store).rescored(before, "q", np.array([[1, 0]], np.float32))).hits == before


# --- through the retriever ----------------------------------------------------------------------------------------


@pytest.fixture
async def store() -> FakeStore:
    store = FakeStore()
    await store.replace(
        [
            update(chunk("Soil.md", "Tomatoes tomatoes tomatoes like loose soil.")),
            update(chunk("Water.md", "How often to water the tomatoes: every morning.")),
        ]
    )
    return store


async def test_a_search_is_reranked_but_no_single_lane(store: FakeStore) -> None:
    embeddings = FakeEmbeddings()
    await embed_all(store, embeddings)
    retriever = Retriever(store, embeddings, rescoring=Rescoring(store, Rerank()))
    for found in (
        await retriever.search(Query("how often water tomatoes")),
        await retriever.relevant(Query("how often water tomatoes")),
        await retriever.relevant(Query("how often water tomatoes"), any_hit=True),
    ):
        assert found.hits[0].chunk.note == "Water.md"
        assert "rerank" in found.hits[0].lanes
    alone = await retriever.search(Query("how often water tomatoes", mode="keyword"))
    assert all(set(hit.lanes) == {"keyword"} for hit in alone.hits)


async def test_what_is_away_is_told_of_every_lane(store: FakeStore) -> None:
    embeddings = FakeEmbeddings()
    embeddings.failure = WorkerLost("It died.")
    retriever = Retriever(store, embeddings, rescoring=Rescoring(store, Rerank(NotReady("It loads."))))
    found = await retriever.search(Query("water tomatoes"))
    assert found.hits
    assert found.degraded == {"dense": "worker_lost", "rerank": "not_ready"}
