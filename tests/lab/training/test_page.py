"""The page of a proof: it holds the figures, and can be read by day and by night."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.lab.training.test_gain import proof
from vaultbridge.lab.training.gain import Proof
from vaultbridge.lab.training.page import FILE, verdict, write_page

BETTER = proof({"heading": [0.25, 0.5], "link": [0.5] * 4}, {"heading": [0.5, 0.75], "link": [0.625] * 4})


def page(shown: Proof, folder: Path) -> str:
    write_page(shown, [("base", "<base>")], folder / FILE)
    return (folder / FILE).read_text(encoding="utf-8")


def text(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", re.sub(r"<svg.*?</svg>", "", html, flags=re.DOTALL)).split())


def test_it_holds_the_figures_of_every_part_that_was_measured(tmp_path: Path) -> None:
    whole = replace(BETTER, test=BETTER.validation, general={"cranfield": BETTER.validation["heading"]})
    html = page(whole, tmp_path)
    assert "link 4 50.0 50.0 – 50.0 62.5 62.5 – 62.5 +12.5 (+12.5 – +12.5)" in text(html)
    assert "heading 2 37.5 25.0 – 50.0 62.5 50.0 – 75.0 +25.0 (+25.0 – +25.0)" in text(html)
    assert [title for title in ("Test", "Validation", "General", "Search") if f"<h2>{title}" in html] == [
        "Test", "Validation", "General",
    ]  # fmt: skip
    assert html.count("<svg") == 3
    assert "&lt;base&gt;" in html


def test_its_pictures_take_their_ink_from_the_page(tmp_path: Path) -> None:
    html = page(BETTER, tmp_path)
    assert "#000000" not in html
    assert "currentColor" in html
    assert not re.search(r"(src|href)=\"http", html), "it loads nothing from anywhere"


@pytest.mark.parametrize(
    ("after", "said"),
    [([0.6] * 3, "improved: +10.0"), ([0.4] * 3, "got worse: -10.0"), ([0.5] * 3, "no more than chance")],
)
def test_the_verdict_says_what_the_interval_allows(after: list[float], said: str) -> None:
    assert said in verdict(proof({"link": [0.5] * 3}, {"link": after}))


def test_the_verdict_is_that_of_the_test_queries(tmp_path: Path) -> None:
    worse = proof({"link": [0.5] * 3}, {"link": [0.4] * 3})
    assert verdict(replace(BETTER, test=worse.validation)).startswith("On test queries nDCG@10 got worse")
