from __future__ import annotations

import pytest

from vaultbridge.engine.costs import SIZES, BatchCosts


def learned(steps: dict[int, float], token: float = 0.0) -> BatchCosts:
    costs = BatchCosts()
    for outputs, seconds in steps.items():
        costs.observe(outputs, 0, seconds)
    if token:
        costs.observe(0, 100, 100 * token)
    return costs


def test_before_anything_was_computed_nothing_is_known() -> None:
    costs = BatchCosts()
    assert costs.step(4) == 0
    assert costs.chunk(0.15, 4) == 0


@pytest.mark.parametrize(
    ("outputs", "seconds"),
    [(1, 10), (8, 24), (3, 14), (2, 12), (6, 20), (16, 40), (4, 16)],
    ids=["seen", "seen too", "between", "nearer to one", "nearer to the other", "beyond", "in the middle"],
)
def test_unseen_sizes_lie_on_the_line_through_their_neighbours(outputs: int, seconds: float) -> None:
    assert learned({1: 10.0, 8: 24.0}).step(outputs) == pytest.approx(seconds)


def test_of_three_the_two_around_it_count() -> None:
    costs = learned({1: 10.0, 4: 40.0, 8: 44.0})
    assert costs.step(2) == pytest.approx(20.0)
    assert costs.step(6) == pytest.approx(42.0)
    assert costs.step(16) == pytest.approx(52.0)


def test_with_one_size_seen_more_cost_in_proportion_and_fewer_no_less() -> None:
    costs = learned({4: 8.0})
    assert costs.step(4) == costs.step(2) == 8.0
    assert costs.step(8) == pytest.approx(16.0)


def test_a_smaller_step_never_costs_less_than_the_smallest_seen() -> None:
    assert learned({4: 1.0, 8: 9.0}).step(1) == 1.0


def test_a_size_between_the_remembered_ones_is_remembered_in_proportion() -> None:
    assert 5 not in SIZES
    costs = learned({5: 10.0})
    assert costs.step(6) == pytest.approx(12.0)
    assert 10.0 <= costs.step(5) <= costs.step(6)


def test_what_is_seen_now_counts_more_than_what_was_seen_long_ago() -> None:
    costs = learned({1: 1.0})
    costs.observe(1, 0, 100.0)
    once = costs.step(1)
    assert 1.0 < once < 50.0, "one slow step is not the rule"
    for _ in range(30):
        costs.observe(1, 0, 3.0)
    assert costs.step(1) == pytest.approx(3.0, rel=0.05)


@pytest.mark.parametrize(
    ("outputs", "tokens"), [(0, 100), (1, 90), (4, 60), (10, 0), (50, 0)], ids=lambda value: str(value)
)
def test_a_chunk_takes_what_the_streams_leave_of_the_time(outputs: int, tokens: int) -> None:
    assert learned({1: 1.0, 2: 2.0, 4: 4.0}, token=0.1).chunk(10.01, outputs) == tokens


def test_a_prompts_token_costs_what_is_left_of_a_mixed_step() -> None:
    costs = learned({1: 2.0})
    costs.observe(1, 100, 2.0 + 100 * 0.5)
    assert costs.chunk(12.1, 1) == 20


def test_prompts_do_not_change_what_a_decoding_step_costs() -> None:
    costs = learned({1: 2.0})
    costs.observe(1, 500, 300.0)
    assert costs.step(1) == 2.0
