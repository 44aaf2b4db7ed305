"""Which texts go through a model together."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vaultbridge.backends.token_batches import ALONE, Budget, batches, through

LENGTHS = st.lists(st.integers(1, 600), max_size=60)
BUDGETS = st.builds(Budget, tokens=st.integers(0, 2000), padding=st.integers(0, 200))


@given(LENGTHS, BUDGETS)
def test_every_text_goes_through_once_and_none_is_more_than_the_budget_but_one_alone(
    lengths: list[int], budget: Budget
) -> None:
    made = list(batches(lengths, budget))
    assert sorted(row for batch in made for row in batch) == list(range(len(lengths)))
    for batch in made:
        sizes = [lengths[row] for row in batch]
        assert len(batch) == 1 or max(sizes) * len(batch) <= budget.tokens
        assert max(sizes) * len(batch) - sum(sizes) <= budget.padding


@given(LENGTHS, BUDGETS)
def test_results_stand_in_the_order_of_the_texts(lengths: list[int], budget: Budget) -> None:
    assert through(lengths, budget, lambda rows: [lengths[row] for row in rows]) == lengths


def test_what_is_of_one_length_fills_the_budget() -> None:
    assert [len(batch) for batch in batches([100] * 25, Budget(1000, 0))] == [10, 10, 5]


def test_short_texts_do_not_wait_beside_a_long_one() -> None:
    assert [len(batch) for batch in batches([500, 5, 5, 5], Budget(4000, 100))] == [1, 3]


def test_alone_is_alone() -> None:
    assert list(batches([3, 3, 3], ALONE)) == [[0], [1], [2]]
