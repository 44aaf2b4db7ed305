"""Evaluation over fakes: what is asked of whom, and what fitted weights are worth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.retrieve.rows import chunk, embed_all, update
from vaultbridge.backends.fakes.embeddings import FakeEmbeddings
from vaultbridge.backends.fakes.store import FakeStore
from vaultbridge.core.notes import NotePath
from vaultbridge.core.search import Embedding, Lane
from vaultbridge.lab.cases import Case
from vaultbridge.lab.eval_plot import draw_evaluation
from vaultbridge.lab.evaluate import FUSED, RRF, evaluate
from vaultbridge.lab.fit import fit
from vaultbridge.retrieve.retriever import Retriever
from vaultbridge.retrieve.weights import FusionWeights

WORDS = "amber birch cedar delta ember fjord gable heron islet joker kayak lemon".split()
CASES = [Case(word, f"{word} please", {NotePath(f"{word}.md"): 1}) for word in WORDS]


@pytest.fixture
async def store() -> FakeStore:
    store = FakeStore()
    await store.replace(
        [update(chunk(f"{word}.md", f"The {word} of the year, and the {word} of old.")) for word in WORDS]
    )
    return store


@pytest.fixture
async def embeddings(store: FakeStore) -> FakeEmbeddings:
    embeddings = FakeEmbeddings()
    await embed_all(store, embeddings)
    return embeddings


async def test_every_lane_is_judged_alone_fused_and_with_parts_switched_off(
    store: FakeStore, embeddings: FakeEmbeddings, tmp_path: Path
) -> None:
    seen: list[int] = []
    evaluation = await evaluate(
        store, embeddings, FusionWeights(), CASES, ["keyword", "dense"], ["feedback", "keyword"], seen.append
    )
    assert list(evaluation.rows) == ["keyword", "dense", RRF, FUSED, "without feedback", "without keyword"]
    assert seen == list(range(1, len(CASES) + 1))
    assert evaluation.rows["keyword"].interval().mean == 1.0
    assert evaluation.best_lane == "keyword"
    assert evaluation.over("keyword").mean <= 0 <= evaluation.over("dense").high
    draw_evaluation(evaluation, "words", tmp_path / "plot.svg")
    assert "<svg" in (tmp_path / "plot.svg").read_text()


async def test_one_lane_is_not_fused(store: FakeStore) -> None:
    evaluation = await evaluate(store, None, FusionWeights(), CASES, ["keyword"], ["feedback"], lambda done: None)
    assert list(evaluation.rows) == ["keyword"]


async def test_the_note_that_a_case_leaves_out_is_not_found(store: FakeStore) -> None:
    hidden = [Case(case.id, case.text, case.relevant, without=tuple(case.relevant)) for case in CASES]
    evaluation = await evaluate(store, None, FusionWeights(), hidden, ["keyword"], [], lambda done: None)
    assert evaluation.rows["keyword"].interval("R@100").mean == 0


async def test_a_lane_that_misleads_is_fitted_down_and_a_perfect_ranking_is_left_alone(
    store: FakeStore, embeddings: FakeEmbeddings
) -> None:
    class Misleading(FakeEmbeddings):
        async def embed(self, texts: Sequence[str], lane: Lane) -> list[Embedding]:
            return await super().embed([_next(text) for text in texts] if lane == "query" else texts, lane)

    misled = await fit(Retriever(store, Misleading(), FusionWeights(dense=4.0)), CASES, lambda done: None)
    assert misled.weights.dense < 4.0
    assert misled.holds
    content = await fit(Retriever(store, None), CASES, lambda done: None)
    assert content.weights == FusionWeights()
    assert not content.holds


def _next(text: str) -> str:
    """A question about another word than was asked."""
    for place, word in enumerate(WORDS):
        if word in text:
            return text.replace(word, WORDS[(place + 1) % len(WORDS)])
    return text
