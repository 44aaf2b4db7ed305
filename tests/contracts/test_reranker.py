"""What a Reranker keeps to: a tiny cross-encoder with random weights."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest

from vaultbridge.core.errors import ModelInvalid

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")

PASSAGES = ["the garden", "a task with a due date", "", "🌱 \0 \ud800", "search the vault " * 500]


@pytest.fixture(scope="session")
def reranker(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tests.contracts.tiny_m3 import MAX_TOKENS, make_tiny_reranker
        from vaultbridge.backends.flag_embedding import FlagCrossEncoder

        folder = make_tiny_reranker(tmp_path_factory.mktemp("reranker"))
        return FlagCrossEncoder(folder, name="tiny", max_tokens=MAX_TOKENS)


def test_one_score_for_each_passage_in_their_order(reranker: Any) -> None:
    scores = reranker.score("water the garden today", PASSAGES)
    assert all(0 <= score <= 1 for score in scores)
    assert len(set(scores)) > 2
    alone = [reranker.score("water the garden today", [passage])[0] for passage in PASSAGES]
    assert scores == pytest.approx(alone, abs=1e-4)


def test_the_question_counts(reranker: Any) -> None:
    assert reranker.score("garden", PASSAGES[:2]) != pytest.approx(reranker.score("due date", PASSAGES[:2]), abs=1e-4)


def test_no_passages_no_scores(reranker: Any) -> None:
    assert reranker.score("garden", []) == []


def test_the_scores_are_the_librarys(reranker: Any) -> None:
    pairs = [("water the garden", passage) for passage in PASSAGES[:2]]
    theirs = reranker._flag.compute_score(pairs, normalize=True)
    assert reranker.score("water the garden", PASSAGES[:2]) == pytest.approx(theirs, abs=1e-3)


def test_a_folder_that_is_not_a_model(tmp_path: Path) -> None:
    from vaultbridge.backends.flag_embedding import FlagCrossEncoder

    with pytest.raises(ModelInvalid, match=r"config\.json"):
        FlagCrossEncoder(tmp_path, name="x")
