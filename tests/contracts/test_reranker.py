"""What every Reranker keeps to: tiny models with random weights in the real libraries, and the fake."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vaultbridge.backends.fakes.reranker import FakeReranker
from vaultbridge.core.errors import EmbedFailed, ModelInvalid

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")

PASSAGES = ["the garden", "a task with a due date", "", "🌱 \0 \ud800", "search the vault " * 500]


def fake(folder: Path) -> Any:
    return FakeReranker()


def cross_encoder(folder: Path) -> Any:
    from tests.contracts.tiny_m3 import MAX_TOKENS, make_tiny_reranker
    from vaultbridge.backends.flag_reranker import FlagCrossEncoder

    return FlagCrossEncoder(make_tiny_reranker(folder), name="tiny", max_tokens=MAX_TOKENS)


def language_model(folder: Path) -> Any:
    from tests.contracts.tiny_gemma import make_tiny_gemma
    from vaultbridge.backends.flag_reranker import FlagLanguageModel

    return FlagLanguageModel(make_tiny_gemma(folder), name="tiny", max_tokens=256)


def gguf(folder: Path) -> Any:
    from gguf import PoolingType

    from tests.contracts.tiny_bert import make_tiny_bert
    from vaultbridge.backends.llama_rerank import LlamaReranker

    return LlamaReranker(make_tiny_bert(folder / "tiny.gguf", PoolingType.RANK, head=True), name="tiny")


def built(build: Callable[[Path], Any], folder: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return build(folder)


@pytest.fixture(scope="session", params=[fake, cross_encoder, language_model, gguf], ids=lambda build: build.__name__)
def reranker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return built(request.param, tmp_path_factory.mktemp("reranker"))


@pytest.fixture(scope="session", params=[cross_encoder, language_model], ids=lambda build: build.__name__)
def flag(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return built(request.param, tmp_path_factory.mktemp("flag"))


def test_one_score_for_each_passage_in_their_order(reranker: Any) -> None:
    scores = reranker.score("water the garden today", PASSAGES)
    assert all(0 <= score <= 1 for score in scores)
    assert len(set(scores)) > 1
    alone = [reranker.score("water the garden today", [passage])[0] for passage in PASSAGES]
    assert scores == pytest.approx(alone, abs=1e-3)


def test_the_question_counts(reranker: Any) -> None:
    assert reranker.score("garden", PASSAGES[:2]) != pytest.approx(reranker.score("due date", PASSAGES[:2]), abs=1e-4)


def test_no_passages_no_scores(reranker: Any) -> None:
    assert reranker.score("garden", []) == []


def test_a_question_that_is_far_too_long_is_cut(reranker: Any) -> None:
    assert len(reranker.score("water the garden " * 1000, PASSAGES)) == len(PASSAGES)


def test_the_scores_are_the_librarys(flag: Any) -> None:
    passages = [PASSAGES[0], PASSAGES[1], PASSAGES[4]]
    pairs = [("water the garden", passage) for passage in passages]
    theirs = flag._flag.compute_score(pairs, max_length=flag._max_tokens, normalize=True)
    assert flag.score("water the garden", passages) == pytest.approx(theirs, abs=1e-3)


def test_a_passage_costs_one_pass(flag: Any) -> None:
    """The library's own scoring makes two of it."""
    passes: list[None] = []
    hook = flag._flag.model.register_forward_hook(lambda *_: passes.append(None))
    try:
        flag.score("water the garden", [PASSAGES[0]])
        ours = len(passes)
        flag._flag.compute_score([("water the garden", PASSAGES[0])])
    finally:
        hook.remove()
    assert (ours, len(passes) - ours) == (1, 2)


def test_a_language_models_long_question_is_cut_as_the_library_does(tmp_path: Path) -> None:
    model = built(language_model, tmp_path)
    question = "search " * 400
    theirs = model._flag.compute_score(
        [(question, passage) for passage in PASSAGES[:2]], max_length=model._max_tokens, normalize=True
    )
    assert model.score(question, PASSAGES[:2]) == pytest.approx(theirs, abs=1e-3)


def test_a_model_that_fails_says_so(flag: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def out_of_memory(*args: object, **kwargs: object) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(flag._flag.model, "forward", out_of_memory)
    with pytest.raises(EmbedFailed, match="out of memory"):
        flag.score("garden", ["a"])


def test_a_folder_that_is_not_a_model(tmp_path: Path) -> None:
    from vaultbridge.backends.flag_reranker import FlagCrossEncoder, FlagLanguageModel

    for kind in (FlagCrossEncoder, FlagLanguageModel):
        with pytest.raises(ModelInvalid, match=r"config\.json"):
            kind(tmp_path, name="x")
