"""Embedders and rerankers in GGUF files: a tiny BERT that is compared with torch's, and a real causal model."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vaultbridge.core.errors import EmbedFailed, ModelInvalid

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import torch
    from gguf import PoolingType

    from tests.contracts.tiny_bert import CONTEXT, make_tiny_bert, tiny_bert
    from tests.contracts.tiny_embedding_gemma import embedded, make_tiny_embedding_gemma

from vaultbridge.backends.llama_embed import LlamaEmbedder
from vaultbridge.backends.llama_rerank import LlamaReranker

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")

TEXTS = ["water the garden early", "a note", "给花园浇水", "the task is due today"]
# [CLS] water the garden early [SEP]
TOKENS = [2, 11, 4, 10, 20, 3]


def torch_states(tokens: Sequence[int]) -> Any:
    with torch.inference_mode():
        return tiny_bert().bert(torch.tensor([tokens])).last_hidden_state[0].numpy()


@pytest.mark.parametrize("pooling", [PoolingType.MEAN, PoolingType.CLS, PoolingType.LAST])
def test_the_file_says_how_to_pool_and_the_vectors_are_those_of_torch(tmp_path: Path, pooling: PoolingType) -> None:
    embedder = LlamaEmbedder(make_tiny_bert(tmp_path / "x.gguf", pooling), name="x")
    states = torch_states(TOKENS)
    pooled = {PoolingType.MEAN: states.mean(0), PoolingType.CLS: states[0], PoolingType.LAST: states[-1]}[pooling]
    (embedding,) = embedder.embed(["water the garden early"], "document")
    assert embedding.dense == pytest.approx(pooled / np.linalg.norm(pooled), abs=1e-3)


def test_what_is_asked_for_wins_over_the_file(tmp_path: Path) -> None:
    path = make_tiny_bert(tmp_path / "x.gguf", PoolingType.MEAN)
    (asked,) = LlamaEmbedder(path, name="x", pooling="cls").embed(TEXTS[:1], "query")
    (own,) = LlamaEmbedder(make_tiny_bert(tmp_path / "y.gguf", PoolingType.CLS), name="x").embed(TEXTS[:1], "query")
    assert asked.dense == pytest.approx(own.dense, abs=1e-6)


def test_the_prefixes_belong_to_the_text_and_to_the_space(tmp_path: Path) -> None:
    path = make_tiny_bert(tmp_path / "x.gguf", PoolingType.MEAN)
    plain = LlamaEmbedder(path, name="x")
    prefixed = LlamaEmbedder(path, name="x", query_prefix="search: ", document_prefix="note: ")
    for lane, prefix in (("query", "search: "), ("document", "note: ")):
        (ours,) = prefixed.embed(["the garden"], lane)  # type: ignore[arg-type]
        (spelled,) = plain.embed([f"{prefix}the garden"], "document")
        assert ours.dense == pytest.approx(spelled.dense, abs=1e-6)
    assert plain.info.fingerprint != prefixed.info.fingerprint


def test_embedding_gemmas_vectors_are_those_of_torch_behind_its_own_prefixes(tmp_path: Path) -> None:
    """Its attention looks both ways, and two layers stand behind the pooling: all of it is in the file."""
    embedder = LlamaEmbedder(make_tiny_embedding_gemma(tmp_path / "x.gguf"), name="x")
    for lane, prefix in (("query", "task: search result | query: "), ("document", "title: none | text: ")):
        (embedding,) = embedder.embed(["water the garden"], lane)  # type: ignore[arg-type]
        assert embedding.dense == pytest.approx(embedded(f"{prefix}water the garden"), abs=1e-3)


def test_prefixes_that_are_given_win_over_those_of_the_architecture(tmp_path: Path) -> None:
    path = make_tiny_embedding_gemma(tmp_path / "x.gguf")
    plain = LlamaEmbedder(path, name="x", query_prefix="", document_prefix="")
    (embedding,) = plain.embed(["water the garden"], "query")
    assert embedding.dense == pytest.approx(embedded("water the garden"), abs=1e-3)
    assert plain.info.fingerprint != LlamaEmbedder(path, name="x").info.fingerprint


def test_no_text_is_longer_than_the_model_was_trained_for(tmp_path: Path) -> None:
    path = make_tiny_bert(tmp_path / "x.gguf", PoolingType.MEAN)
    assert LlamaEmbedder(path, name="x", max_tokens=100_000).info.max_tokens == CONTEXT
    assert LlamaEmbedder(path, name="x", max_tokens=40).info.max_tokens == 40


def test_more_texts_than_a_call_takes(tmp_path: Path) -> None:
    embedder = LlamaEmbedder(make_tiny_bert(tmp_path / "x.gguf", PoolingType.MEAN), name="x", max_tokens=24)
    texts = [f"note {number} the garden" for number in range(50)]
    together = embedder.embed(texts, "document")
    for row in (0, 17, 49):
        assert together[row].dense == pytest.approx(embedder.embed([texts[row]], "document")[0].dense, abs=1e-3)


def test_a_reranker_is_no_embedder_and_an_embedder_no_reranker(tmp_path: Path) -> None:
    with pytest.raises(ModelInvalid, match="--reranker"):
        LlamaEmbedder(make_tiny_bert(tmp_path / "r.gguf", PoolingType.RANK, head=True), name="x")
    with pytest.raises(ModelInvalid, match="no classification head"):
        LlamaReranker(make_tiny_bert(tmp_path / "e.gguf", PoolingType.MEAN), name="x")


def test_a_file_that_is_damaged_is_invalid(tmp_path: Path) -> None:
    (tmp_path / "x.gguf").write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(ModelInvalid, match="cannot load"):
        LlamaEmbedder(tmp_path / "x.gguf", name="x")


@pytest.mark.parametrize("pooling", [PoolingType.RANK, None])
def test_the_scores_are_those_of_torch(tmp_path: Path, pooling: PoolingType | None) -> None:
    """Also in files that were made before there was a name for this pooling."""
    reranker = LlamaReranker(make_tiny_bert(tmp_path / "r.gguf", pooling, head=True), name="x")
    # [CLS] garden [SEP] [SEP] water the garden early [SEP]: the pair as llama.cpp's own server writes it
    pair = [2, 10, 3, 3, *TOKENS[1:]]
    with torch.inference_mode():
        logit = tiny_bert()(torch.tensor([pair])).logits[0, 0]
    assert reranker.score("garden", ["water the garden early"]) == pytest.approx([float(logit.sigmoid())], abs=1e-3)


def test_a_classifier_of_many_classes_is_no_reranker(tmp_path: Path) -> None:
    with pytest.raises(ModelInvalid, match="3 classes"):
        LlamaReranker(make_tiny_bert(tmp_path / "r.gguf", PoolingType.RANK, head=True, labels=3), name="x")


def test_a_text_that_was_not_cut_is_refused_before_it_ends_the_process(tmp_path: Path) -> None:
    reranker = LlamaReranker(make_tiny_bert(tmp_path / "r.gguf", PoolingType.RANK, head=True), name="x", max_tokens=64)
    with pytest.raises(EmbedFailed, match="65 tokens"):
        reranker._model.rows([[5] * 65], 1)


def test_a_model_that_reads_forwards_embeds_too() -> None:
    """Real weights: a causal model with a cache, which has to be emptied between calls."""
    path = Path("models/gemma-3-270m/gemma-3-270m-q4_k_m.gguf")
    if not path.is_file():
        pytest.skip("gemma-3-270m is not fetched")
    embedder = LlamaEmbedder(path, name="gemma", pooling="mean", max_tokens=128)
    together = np.stack([embedding.dense for embedding in embedder.embed(TEXTS, "document")])
    alone = np.stack([embedder.embed([text], "document")[0].dense for text in TEXTS])
    assert embedder.info.dimensions == together.shape[1]
    assert (together * alone).sum(1) == pytest.approx(1, abs=2e-3)  # 4-bit weights, and other kernels for other sizes
