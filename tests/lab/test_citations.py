"""What is counted of answers' citations, and how links are looked up in the files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from vaultbridge.lab.citations import Places, Tally, answer_words

NOTES = {
    "Bees.md": "# Day 1\n\n## Notes: a|b\n\nBees sleep. ^b1\n\n# Day 2\n\n## Notes\n\nThey dance.\n",
    "A/Plan.md": "A plan.\n",
    "B/Plan.md": "Another.\n",
    "C# notes.md": "# Delegates & co\n",
    "红烧肉.md": "# 做法\n\n小火炖。\n",
}


@pytest.fixture
def places(tmp_path: Path) -> Places:
    for name, text in NOTES.items():
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return Places(tmp_path)


@pytest.mark.parametrize(
    ("link", "stands"),
    [
        ("[[Bees]]", True),
        ("[[Bees#Day 2#Notes]]", True),
        ("[[Bees#Notes a b|1]]", True),
        ("[[Bees#^b1]]", True),
        ("[[红烧肉#做法]]", True),
        ("[[A/Plan]]", True),
        ("[C# notes](C%23%20notes.md#Delegates%20%26%20co)", True),
        ("[[Plan]]", False),  # two notes
        ("[[Wasps]]", False),
        ("[[Bees#Day 3]]", False),
        ("[[Bees#Notes#Day 1]]", False),
        ("[[Bees#^b2]]", False),
        ("[1]", False),
    ],
)
def test_a_link_stands_if_the_files_say_so(places: Places, link: str, stands: bool) -> None:
    assert places.stands(link) is stands


def reply(text: str, used: list[int], unsupported: int = 0) -> dict[str, Any]:
    paths = {1: ("Bees.md", "[[Bees#Day 1]]"), 2: ("A/Plan.md", "[[A/Plan]]"), 3: ("x.md", "[[Wasps]]")}
    return {
        "choices": [{"message": {"content": text}}],
        "vaultbridge": {
            "citations": [{"number": n, "path": path, "link": link} for n, (path, link) in paths.items()],
            "used": used,
            "unsupported": [{}] * unsupported,
        },
    }


def test_answers_are_counted(places: Places) -> None:
    tally = Tally()
    tally.add(reply("Bees sleep at night. [1] Plans fail [2].", [1, 2]), ["Bees.md"], ["at Night"], places)
    tally.add(reply("Quarks carry charge.", [], unsupported=1), ["Bees.md"], ["sleep"], places)
    tally.add(reply("Wasps fly [3].", [3]), ["B/Plan.md"], [], places)
    figures = tally.figures()
    assert figures["questions"] == 3
    assert (figures["links"], figures["dead_links"]) == (3, ["[[Wasps]]"])
    assert figures["gold_retrieved"] == pytest.approx(66.7)
    assert figures["gold_cited"] == figures["answers_without_source"] == pytest.approx(33.3)
    assert (figures["answers_with_the_gold_words"], figures["gold_cited_in_these"]) == (1, 100.0)
    assert (figures["marks"], figures["marks_on_gold"]) == (3, pytest.approx(33.3))
    assert (figures["answers_with_marks"], figures["gold_marked_in_these"]) == (2, 50.0)
    assert (figures["sentences"], figures["sentences_flagged"]) == (4, 25.0)


def test_an_answer_is_compared_with_other_notes_for_control(places: Places) -> None:
    view = {
        "number": 1,
        "path": "Bees.md",
        "heading": "Notes",
        "span": {"start": 0, "end": 45, "start_line": 1, "end_line": 5},
        "link": "[[Bees]]",
    }
    (cited,) = places.citations({"vaultbridge": {"citations": [view]}})
    assert "Bees sleep." in cited.quote
    tally = Tally()
    tally.control("Quarks carry colour charge. [1]", [cited])
    tally.control("Bees sleep. [1]", [cited])
    assert tally.figures()["control_with_a_source"] == 50.0


def test_the_words_that_answer_are_read_with_the_questions(tmp_path: Path) -> None:
    rows = '{"_id": "a", "text": "Who?", "metadata": {"answers": ["Bees"]}}\n{"_id": "b", "text": "What?"}\n'
    (tmp_path / "queries.jsonl").write_text(rows, encoding="utf-8")
    assert answer_words(tmp_path) == {"a": ["Bees"], "b": []}
