"""How much of what was learned is kept."""

from __future__ import annotations

from vaultbridge.lab.training.validation import share_to_keep


def test_the_smallest_share_is_kept_that_chance_does_not_tell_from_the_best() -> None:
    best = [0.9, 0.4, 0.8, 0.5]
    as_good = [0.8, 0.5, 0.9, 0.4]  # the same on average, query by query not
    a_little_worse = [0.7, 0.6, 0.7, 0.5]  # behind by 0.025, with an error of 0.074
    clearly_worse = [value - 0.1 for value in best]
    assert share_to_keep({"1.0": best, "0.5": as_good}) == "0.5"
    assert share_to_keep({"1.0": best, "0.25": a_little_worse, "0.5": as_good}) == "0.25"
    assert share_to_keep({"0.25": clearly_worse, "1.0": best}) == "1.0"
    assert share_to_keep({"0.25": best, "1.0": clearly_worse}) == "0.25"
