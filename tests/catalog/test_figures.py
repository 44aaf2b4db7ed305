"""Figures that no model has are told from those that some have, before llama.cpp ends its process at them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.lab.tiny import SHAPES, tiny_model
from vaultbridge.catalog.figures import absurdity
from vaultbridge.catalog.gguf_header import GgufHeader, Tensor

QUERIES = Tensor("blk.0.attn_q.weight", (64, 64), "q4_0")
USUAL = {"block_count": 4, "context_length": 8192, "embedding_length": 64, "attention.head_count": 2}


def header(*tensors: Tensor, **figures: Any) -> GgufHeader:
    told = USUAL | {key.replace("__", "."): value for key, value in figures.items()}
    return GgufHeader({"general.architecture": "x", **{f"x.{key}": value for key, value in told.items()}}, tensors)


@pytest.mark.parametrize("name", SHAPES)
def test_real_files_pass(tmp_path: Path, name: str) -> None:
    assert absurdity(GgufHeader.read(tiny_model(tmp_path, SHAPES[name]))) == ""


@pytest.mark.parametrize(
    "figures",
    [
        {"block_count": 0},
        {"block_count": 513},
        {"context_length": 3},
        {"attention__head_count": 0},
        {"attention__head_count": (0, 0, 0, 0)},
        {"rope__dimension_count": 0},
        {"rope__dimension_count": 3},
        {"rope__dimension_count": 34},
        {"rope__dimension_count": 18, "attention__key_length": 16},
        {"expert_count": 8},
        {"expert_count": 8, "expert_used_count": 0},
        {"expert_count": 8, "expert_used_count": 9},
        {"expert_count": 2000, "expert_used_count": 2},
        {"feed_forward_length": "wide"},
        {"embedding_length": -1},
        {"attention__head_count_kv": (1, 1 << 32)},
    ],
)
def test_what_no_model_has(figures: dict[str, Any]) -> None:
    assert absurdity(header(QUERIES, **figures))


@pytest.mark.parametrize(
    "figures",
    [
        {},
        {"context_length": 0},  # which is not said
        {"attention__head_count": (0, 2, 0, 2), "attention__head_count_kv": (0, 1, 0, 1)},  # attention in some layers
        {"rope__dimension_count": 16},  # a part of the head, as Phi's
        {"rope__dimension_count": 64, "attention__key_length": 576},
        {"expert_count": 8, "expert_used_count": 8},
        {"expert_count": 8, "expert_used_count": (0, 2, 2, 2)},
        {"feed_forward_length": (128, 256, 128, 128)},
    ],
)
def test_what_some_models_have(figures: dict[str, Any]) -> None:
    assert absurdity(header(QUERIES, **figures)) == ""


def test_a_model_without_attention_has_no_heads() -> None:
    assert absurdity(header(Tensor("blk.0.ssm_in.weight", (64, 64), "q4_0"), attention__head_count=0)) == ""


def test_a_header_without_figures_is_left_alone() -> None:
    assert absurdity(GgufHeader({"general.architecture": "clip"}, ())) == ""
