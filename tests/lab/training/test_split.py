"""Every note is on one side, with what says the same; and the sides do not depend on any order."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from vaultbridge.core.notes import NotePath
from vaultbridge.lab.training.split import SHARES, split_notes

NOTES = [NotePath(f"{number}.md") for number in range(30)]
EDGES = st.lists(st.tuples(st.sampled_from(NOTES), st.sampled_from(NOTES)), max_size=60)


@given(st.lists(st.integers(0, 9), min_size=30, max_size=30), EDGES, EDGES, st.integers(0, 5))
def test_what_is_alike_stays_together_and_no_order_matters(
    sizes: list[int], edges: list[tuple[NotePath, NotePath]], alike: list[tuple[NotePath, NotePath]], seed: int
) -> None:
    weighed = dict(zip(NOTES, sizes, strict=True))
    splits = split_notes(weighed, edges, alike, seed)
    assert set(splits) == set(NOTES)
    assert all(splits[one] == splits[other] for one, other in alike)
    chance = Random(seed)
    backwards = dict(reversed(weighed.items()))
    shuffled = split_notes(backwards, chance.sample(edges, len(edges)), chance.sample(alike, len(alike)), seed)
    assert shuffled == splits


def test_the_sides_have_their_shares_and_cut_few_links() -> None:
    """Six circles of notes, each linked within itself, with a few links between them."""
    chance = Random(3)
    notes = [NotePath(f"{number % 6}/{number}.md") for number in range(120)]
    circles = [notes[start::6] for start in range(6)]
    inside = [(chance.choice(circle), chance.choice(circle)) for circle in circles for _ in range(60)]
    across = [(chance.choice(notes), chance.choice(notes)) for _ in range(30)]
    edges = [(one, other) for one, other in inside + across if one != other]
    splits = split_notes(dict.fromkeys(notes, 5), edges, [], 0)
    cut = sum(splits[one] != splits[other] for one, other in edges)
    assert cut < len(edges) / 5
    for part, share in SHARES.items():
        taken = sum(split == part for split in splits.values()) / len(notes)
        assert share / 2 < taken < share * 1.5
