"""How fast it goes, and how long it will take."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaultbridge.index.pace import MEMORY_SECONDS, Pace


def test_before_anything_is_done_nobody_knows() -> None:
    pace = Pace()
    assert (pace.rate, pace.left(10), pace.left(0)) == (0.0, None, 0.0)


@given(st.floats(0.1, 1000), st.lists(st.floats(0.01, 20), min_size=1, max_size=20))
def test_a_steady_rate_is_that_rate_however_it_is_told(rate: float, pieces: list[float]) -> None:
    pace = Pace()
    for seconds in pieces:
        pace.tell(round(1e6 * rate * seconds), seconds)
    assert pace.rate == pytest.approx(1e6 * rate, rel=1e-3)
    assert pace.left(1000) == pytest.approx(1000 / pace.rate)


def test_what_is_long_ago_counts_little() -> None:
    pace = Pace()
    pace.tell(1000, 10)
    for _ in range(100):
        pace.tell(1, MEMORY_SECONDS / 10)
    assert pace.rate == pytest.approx(10 / MEMORY_SECONDS, rel=0.1)
