"""The read bandwidth: a figure for each number of threads that makes sense on a machine."""

from __future__ import annotations

import pytest

from vaultbridge.lab.bandwidth import read_bandwidth, thread_counts, usable_threads


@pytest.mark.parametrize(
    ("most", "counts"), [(1, [1]), (2, [1, 2]), (3, [1, 2, 3]), (4, [1, 2, 4]), (6, [1, 2, 4, 6]), (8, [1, 2, 4, 8])]
)
def test_thread_counts_double_up_to_all(most: int, counts: list[int]) -> None:
    assert thread_counts(most) == counts


def test_every_count_gets_a_plausible_figure() -> None:
    counts = thread_counts(usable_threads())
    rates = read_bandwidth(counts, size=1 << 24, seconds=0.02)
    assert list(rates) == counts
    # From the slowest memory bus still in use to what a cache of many cores may give.
    assert all(1e7 < rate < 1e14 for rate in rates.values())


def test_a_single_pass_is_enough_where_there_is_no_time() -> None:
    assert read_bandwidth([1], size=1 << 20, seconds=0)[1] > 0
