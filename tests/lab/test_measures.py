"""Measures, against sums done by hand, and intervals."""

from __future__ import annotations

import math

import numpy as np
import pytest

from vaultbridge.core.notes import NotePath
from vaultbridge.lab.cases import Case
from vaultbridge.lab.evaluate import reciprocal_rank
from vaultbridge.lab.measures import NDCG, interval, judge

A, B, C, D = map(NotePath, "abcd")


def test_measures_by_hand() -> None:
    cases = [Case("1", "", {A: 3, B: 1, C: 1}), Case("2", "", {D: 1})]
    values = judge(cases, [[B, D, A], []])
    best = 7 + 1 / math.log2(3) + 1 / 2
    assert values[NDCG] == pytest.approx([(1 + 7 / 2) / best, 0])
    assert values["R@10"] == pytest.approx([2 / 3, 0])
    assert values["RR@10"] == pytest.approx([1, 0])


def test_recall_sees_further_than_the_first_ten() -> None:
    others = [NotePath(f"{n}") for n in range(50)]
    values = judge([Case("1", "", {A: 1})], [[*others, A]])
    assert (values["R@10"][0], values["R@100"][0], values["RR@10"][0]) == (0, 1, 0)


def test_an_interval_holds_its_mean_and_is_the_same_each_time() -> None:
    values = np.random.default_rng(0).random(200)
    first = interval(values)
    assert first == interval(values)
    assert first.low < first.mean < first.high
    assert first.mean == pytest.approx(values.mean())
    wider = interval(values[:20])
    assert wider.high - wider.low > first.high - first.low
    assert interval(np.zeros(5)).low == interval(np.zeros(5)).high == 0


def test_reciprocal_ranks_by_hand() -> None:
    assert reciprocal_rank([[A, B, C], [B, D]]) == [B, A, D, C]
    assert reciprocal_rank([[B], [A]]) == [A, B], "ties go to the earlier"
    assert reciprocal_rank([]) == []
