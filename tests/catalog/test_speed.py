"""Expected speed: every byte is read once, and what is not reading is never free."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.catalog.test_footprint import EMBEDDING, MATRIX, header
from vaultbridge.catalog.gguf_header import Tensor
from vaultbridge.catalog.model_bytes import ModelBytes
from vaultbridge.catalog.speed import COSTS, expected_speed

MODEL = ModelBytes.of(header(EMBEDDING, MATRIX, Tensor("blk.1.ffn_up.weight", (64, 1_000_000), "q4_0")))


def test_it_never_passes_what_reading_alone_allows() -> None:
    for bandwidth in (1e9, 1e10, 1e11):
        assert expected_speed(MODEL, bandwidth, 8, 100) < bandwidth / MODEL.step(1, 100)


def test_slow_memory_is_what_counts_where_it_is_slow() -> None:
    limit = 1e8 / MODEL.step(1, 0)
    assert expected_speed(MODEL, 1e8, 4, 0) == pytest.approx(limit, rel=0.02)


def test_threads_and_shorter_contexts_help() -> None:
    assert expected_speed(MODEL, 1e11, 4, 0) > expected_speed(MODEL, 1e11, 1, 0)
    assert expected_speed(MODEL, 1e10, 4, 0) > expected_speed(MODEL, 1e10, 4, 100_000)


def test_a_type_that_is_not_measured_is_no_obstacle() -> None:
    known = expected_speed(MODEL, 1e10, 2, 0)
    unknown = expected_speed(replace(MODEL, types={"iq3_xxs": sum(MODEL.types.values())}), 1e10, 2, 0)
    assert known / 3 < unknown < known * 3
    assert "iq3_xxs" not in COSTS
