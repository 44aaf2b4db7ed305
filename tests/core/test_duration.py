"""Durations as people write them."""

from __future__ import annotations

import pytest

from vaultbridge.core.duration import NEVER, seconds_of


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("5m", 300),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("90", 90),
        (" 2s ", 2),
        ("500ms", 0.5),
        (0, 0),
        ("0", 0),
        (3.5, 3.5),
        (-1, NEVER),
        ("-1", NEVER),
        ("-5m", NEVER),
    ],
)
def test_a_duration_is_seconds_and_a_negative_one_never_ends(written: float | str, seconds: float) -> None:
    assert seconds_of(written) == seconds


@pytest.mark.parametrize("wrong", ["", "soon", "5 minutes", "m", "1d", "--1"])
def test_what_is_no_duration_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="1h30m"):
        seconds_of(wrong)
