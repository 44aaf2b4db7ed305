"""What a token reads, by hand for small headers, and by what llama.cpp says of real files."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.lab.tiny import SHAPES, TINY, tiny_model
from tests.live.starters import starter
from vaultbridge.catalog.gguf_header import GgufHeader, Tensor
from vaultbridge.catalog.model_bytes import ModelBytes


def header(architecture: str, *tensors: Tensor, **keys: Any) -> GgufHeader:
    own = {f"{architecture}.{key.replace('__', '.')}": value for key, value in keys.items()}
    return GgufHeader({"general.architecture": architecture, **own}, tensors)


EMBEDDING = Tensor("token_embd.weight", (64, 1000), "q8_0")  # a row: 2 blocks of 34 bytes
OUTPUT = Tensor("output.weight", (64, 1000), "f16")
MATRIX = Tensor("blk.0.attn_q.weight", (64, 64), "q4_0")  # 128 blocks of 18 bytes
NORM = Tensor("blk.0.attn_norm.weight", (64,), "f32")


def test_a_tied_table_is_read_once_and_whole() -> None:
    model = ModelBytes.of(header("llama", EMBEDDING, MATRIX, NORM))
    assert model.tied
    assert model.weights() == 1000 * 68 + 128 * 18 + 64 * 4
    assert model.active == model.parameters == 64000 + 4096 + 64


def test_of_an_untied_table_one_row_is_read() -> None:
    model = ModelBytes.of(header("llama", EMBEDDING, OUTPUT, MATRIX, NORM))
    assert not model.tied
    assert model.weights() == 68 + 64000 * 2 + 128 * 18 + 64 * 4
    assert model.weights(4) - model.weights(1) == 3 * 68
    assert model.parameters - model.active == 999 * 64


def test_a_table_of_each_layer_is_looked_up_too() -> None:
    plain = ModelBytes.of(header("gemma3n", EMBEDDING, MATRIX))
    layered = ModelBytes.of(
        header("gemma3n", EMBEDDING, MATRIX, Tensor("per_layer_token_embd.weight", (256, 9), "q8_0"))
    )
    assert layered.weights() - plain.weights() == 8 * 34


def test_bits_are_those_of_the_weights_that_are_read() -> None:
    table = Tensor("token_embd.weight", (64, 1000), "q4_0")
    assert ModelBytes.of(header("llama", table)).bits == pytest.approx(4.5)


def test_only_the_active_experts_are_read() -> None:
    experts = Tensor("blk.0.ffn_up_exps.weight", (32, 16, 8), "q8_0")
    shared = Tensor("blk.0.ffn_up_shexp.weight", (32, 16), "q8_0")
    model = ModelBytes.of(header("qwen3moe", OUTPUT, shared, experts, expert_count=8, expert_used_count=2))
    one = 16 * 34
    assert model.weights() == pytest.approx(128000 + one + 2 * one)
    assert model.active == 64000 + 512 + 2 * 512
    # Two tokens that choose 2 of 8 evenly have 8 * (1 - (6/8)^2) = 3.5 different ones between them.
    assert model.weights(2) == pytest.approx(128000 + one + 3.5 * one)
    assert model.weights(10_000) == pytest.approx(128000 + one + 8 * one), "never more than all of them"


def test_grouped_query_attention_keeps_as_many_heads_as_there_are_groups() -> None:
    keys = {"block_count": 10, "embedding_length": 512, "attention__head_count": 8}
    whole = ModelBytes.of(header("llama", OUTPUT, **keys))
    grouped = ModelBytes.of(header("llama", OUTPUT, **keys, attention__head_count_kv=2))
    assert whole.cache(100) == 100 * 10 * 8 * (64 + 64) * 2
    assert grouped.cache(100) == whole.cache(100) / 4
    assert grouped.cache(0) == 0


def test_the_type_of_the_cache_counts() -> None:
    model = ModelBytes.of(header("llama", OUTPUT, block_count=1, embedding_length=64, attention__head_count=1))
    assert [model.cache(1, kind) for kind in ("f32", "f16", "q8_0", "q4_0")] == [512, 256, 136, 72]


def test_heads_of_their_own_width_and_layers_that_differ() -> None:
    keys = {"block_count": 3, "embedding_length": 512, "attention__head_count": 8}
    model = ModelBytes.of(
        header(
            "lfm2",
            OUTPUT,
            **keys,
            attention__head_count_kv=(0, 4, 0),
            attention__key_length=256,
            attention__value_length=128,
        )
    )
    assert model.cache(7, "f32") == 7 * 4 * (256 + 128) * 4


@pytest.mark.parametrize(
    ("architecture", "keys", "whole"),
    [
        ("gemma3", {}, [5, 11]),  # every sixth, as the file does not say
        ("gemma2", {}, [1, 3, 5, 7, 9, 11]),
        ("gemma3", {"attention__sliding_window_pattern": 4}, [3, 7, 11]),
        ("gemma3", {"attention__sliding_window_pattern": (True, True, False)}, [2, 5, 8, 11]),
        ("cohere2", {"attention__sliding_window_pattern": 0}, []),
        ("llama", {}, list(range(12))),  # llama.cpp does not look at Mistral's window
    ],
)
def test_which_layers_see_everything(architecture: str, keys: dict[str, Any], whole: list[int]) -> None:
    common = {"block_count": 12, "embedding_length": 64, "attention__head_count": 1, "attention__sliding_window": 100}
    model = ModelBytes.of(header(architecture, OUTPUT, **common, **keys))
    assert [at for at, layer in enumerate(model.layers) if layer.window == math.inf] == whole
    per_position = 128 * 2
    assert model.cache(90) == 12 * 90 * per_position, "within the window all layers read the same"
    assert model.cache(1000) == (len(whole) * 1000 + (12 - len(whole)) * 100) * per_position


def test_local_layers_may_have_narrower_heads() -> None:
    common = {"block_count": 2, "embedding_length": 64, "attention__head_count": 1, "attention__sliding_window": 10}
    widths = {"attention__key_length": 512, "attention__value_length": 512}
    local = {"attention__key_length_swa": 256, "attention__value_length_swa": 256}
    pattern = {"attention__sliding_window_pattern": (True, False)}
    model = ModelBytes.of(header("gemma4", OUTPUT, **common, **widths, **local, **pattern))
    assert [layer.values for layer in model.layers] == [512, 1024]


def test_an_unknown_architecture_is_counted_by_the_same_keys() -> None:
    model = ModelBytes.of(header("brand-new", OUTPUT, block_count=2, embedding_length=64, attention__head_count=4))
    assert model.cache(10) == 2 * 10 * 128 * 2


@pytest.mark.parametrize("name", SHAPES)
def test_every_tied_dense_weight_of_a_real_file_is_counted(tmp_path: Path, name: str) -> None:
    found = GgufHeader.read(tiny_model(tmp_path, SHAPES[name]))
    model = ModelBytes.of(found)
    everything = sum(tensor.bytes for tensor in found.tensors)
    if name == "untied":
        assert everything - model.weights() == 511 * 256 // 32 * 34
    elif name == "qwen3moe":
        experts = sum(tensor.bytes for tensor in found.tensors if "_exps" in tensor.name)
        assert model.weights() == pytest.approx(everything - experts * 6 / 8)
    else:
        assert model.weights() == everything


def test_a_grouped_cache_is_smaller_by_the_groups(tmp_path: Path) -> None:
    narrow = ModelBytes.of(GgufHeader.read(tiny_model(tmp_path, replace(TINY, kv_heads=1), "f16")))
    wide = ModelBytes.of(GgufHeader.read(tiny_model(tmp_path, replace(TINY, kv_heads=4), "q4_0")))
    assert wide.cache(50) == 4 * narrow.cache(50)


@pytest.mark.live
def test_gemma_3_270m_is_what_its_model_card_says() -> None:
    model = ModelBytes.of(GgufHeader.read(starter("gemma-3-270m")))
    assert model.tied
    assert round(model.parameters / 1e6) == 268, "170 million of embedding and 100 million of transformer blocks"
    local = [layer for layer in model.layers if layer.window == 512]
    assert (len(local), len(model.layers)) == (15, 18)
    assert model.cache(10_000) == (15 * 512 + 3 * 10_000) * 2 * 256 * 2
