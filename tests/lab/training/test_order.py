from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as some

from vaultbridge.core.notes import NotePath
from vaultbridge.lab.training.dataset import Example
from vaultbridge.lab.training.order import in_batches


def examples(targets: list[int]) -> list[Example]:
    notes = [NotePath(f"{target}.md") for target in targets]
    return [
        Example(
            f"query {at}", (f"right {at}", f"also right {at}"), ("wrong 1", "wrong 2", "wrong 3"), "link", note, note
        )
        for at, note in enumerate(notes)
    ]


@given(
    targets=some.lists(some.integers(0, 9), min_size=1, max_size=60),
    size=some.integers(1, 6),
    group=some.integers(2, 6),
    rounds=some.integers(1, 3),
)
def test_no_batch_looks_twice_for_a_note_and_no_example_is_shown_too_often(
    targets: list[int], size: int, group: int, rounds: int
) -> None:
    given_ = examples(targets)
    shown = in_batches(given_, size, group, rounds, seed=1)
    assert len(shown) % size == 0
    for start in range(0, len(shown), size):
        assert len({example.target for example in shown[start : start + size]}) == size
    assert all(count <= rounds for count in Counter(example.query for example in shown).values())
    of = {example.query: example for example in given_}
    for example in shown:
        assert len(example.pos) == 1
        assert set(example.pos) <= set(of[example.query].pos)
        assert len(example.neg) == group - 1
        assert set(example.neg) <= set(of[example.query].neg)


def test_everything_is_shown_in_each_round_where_every_note_is_looked_for_once() -> None:
    given_ = examples(list(range(24)))
    shown = in_batches(given_, 4, 2, 2, seed=1)
    assert Counter(example.query for example in shown) == {example.query: 2 for example in given_}
    assert {example.query for example in shown[:24]} == {example.query for example in given_}


def test_the_same_seed_shows_the_same() -> None:
    given_ = examples(list(range(24)))
    assert in_batches(given_, 4, 3, 2, seed=1) == in_batches(given_, 4, 3, 2, seed=1)
    assert in_batches(given_, 4, 3, 2, seed=1) != in_batches(given_, 4, 3, 2, seed=2)
