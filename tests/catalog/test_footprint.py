"""What a model takes, by hand for small headers, and by what llama.cpp allocates for small files."""

from __future__ import annotations

from typing import Any

import pytest

from vaultbridge.catalog.footprint import Footprint, Use, weights_by_type
from vaultbridge.catalog.gguf_header import GgufHeader, Tensor
from vaultbridge.core.errors import ModelInvalid

EMBEDDING = Tensor("token_embd.weight", (64, 1000), "q8_0")
OUTPUT = Tensor("output.weight", (64, 1000), "q4_0")
MATRIX = Tensor("blk.0.attn_q.weight", (64, 64), "q4_0")
NORM = Tensor("blk.0.attn_norm.weight", (64,), "f32")


def header(*tensors: Tensor, architecture: str = "llama", **keys: Any) -> GgufHeader:
    common = {"block_count": 4, "embedding_length": 64, "feed_forward_length": 128, "attention.head_count": 2} | {
        key.replace("__", "."): value for key, value in keys.items()
    }
    own = {f"{architecture}.{key}": value for key, value in common.items()}
    return GgufHeader({"general.architecture": architecture, **own}, tensors)


def test_all_weights_count_once_and_copies_beside_them() -> None:
    found = Footprint.of(header(EMBEDDING, OUTPUT, MATRIX, NORM), Use(512, 1), frozenset({"q4_0"}))
    assert found.weights == sum(tensor.bytes for tensor in (EMBEDDING, OUTPUT, MATRIX, NORM))
    assert found.copies == OUTPUT.bytes + MATRIX.bytes, "of the q8_0 table one row at a time is looked up"
    assert found.resident == found.needed + found.copies
    assert Footprint.of(header(EMBEDDING, OUTPUT, MATRIX, NORM), Use(512, 1)).copies == 0


def test_a_table_that_is_the_output_too_is_copied() -> None:
    tied = header(EMBEDDING, MATRIX)
    assert Footprint.of(tied, Use(512, 1), frozenset({"q8_0"})).copies == EMBEDDING.bytes
    untied = header(EMBEDDING, OUTPUT, MATRIX)
    assert Footprint.of(untied, Use(512, 1), frozenset({"q8_0"})).copies == 0


def test_the_cache_grows_with_its_cells_and_not_with_slots() -> None:
    model = header(EMBEDDING, MATRIX)
    small, large = (Footprint.of(model, Use(cells, 1)) for cells in (512, 1024))
    assert large.cache == 2 * small.cache == 1024 * 4 * 2 * 64 * 2
    assert Footprint.of(model, Use(512, 8)).cache == small.cache


def test_a_window_saves_memory_only_without_its_past() -> None:
    model = header(EMBEDDING, MATRIX, architecture="gemma2", attention__sliding_window=100)
    whole = Footprint.of(model, Use(4096, 2, swa_full=True)).cache
    short = Footprint.of(model, Use(4096, 2, swa_full=False, batch=56)).cache
    assert whole == 4096 * 4 * 256
    assert short == (2 * 4096 + 2 * (2 * 100 + 56)) * 256, "a window for each of two slots, and a batch"


def test_layers_that_read_what_another_one_keeps_take_nothing() -> None:
    alone = Footprint.of(header(EMBEDDING, architecture="gemma3n"), Use(100, 1))
    shared = Footprint.of(header(EMBEDDING, architecture="gemma3n", attention__shared_kv_layers=3), Use(100, 1))
    assert shared.cache * 4 == alone.cache


def test_figures_differ_from_layer_to_layer() -> None:
    model = header(EMBEDDING, attention__head_count=(2, 4, 2, 2), feed_forward_length=(128, 256, 128, 128))
    assert Footprint.of(model, Use(100, 1)).work > Footprint.of(header(EMBEDDING), Use(100, 1)).work


def test_weights_are_told_by_their_type() -> None:
    assert weights_by_type(header(EMBEDDING, OUTPUT, MATRIX, NORM)) == {
        "q8_0": EMBEDDING.bytes,
        "q4_0": OUTPUT.bytes + MATRIX.bytes,
        "f32": NORM.bytes,
    }


@pytest.mark.parametrize(
    "keys",
    [
        {"block_count": 1 << 31},
        {"block_count": "many"},
        {"attention__head_count": (1, 2)},
        {"expert_count": -1},
        {"attention__sliding_window": 5, "attention__sliding_window_pattern": ()},
        {"embedding_length": "wide"},
        {"feed_forward_length": "wide"},
    ],
)
def test_figures_that_no_model_has_are_refused(keys: dict[str, Any]) -> None:
    with pytest.raises(ModelInvalid):
        Footprint.of(header(EMBEDDING, MATRIX, architecture="gemma2", **keys), Use(512, 1))
