"""A model that goes round in circles is stopped."""

from __future__ import annotations

import pytest

from tests.chat.hygiene.streams import delays, through
from vaultbridge.chat.hygiene.repeats import RepeatFilter


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Bees.\nBees.\nBees.\nBees.\n", "Bees.\nBees.\n"),
        ("Bees.\nBees.\nBees.", "Bees.\nBees.\n"),
        ("A\n\nBees.\n\n \nBees.  \n\nBees.\nMore", "A\n\nBees.\n\n \nBees.  \n"),
        ("蜜蜂。\r\n蜜蜂。\r\n蜜蜂。\r\n", "蜜蜂。\r\n蜜蜂。\r\n"),
        ("```\nfoo()\nfoo()\nfoo()\n```", "```\nfoo()\nfoo()\n"),
    ],
)
def test_a_third_equal_line_is_not_shown(text: str, shown: str) -> None:
    assert through(RepeatFilter, text) == shown


def test_the_answer_is_over_there_and_not_before() -> None:
    repeats = RepeatFilter()
    repeats.push("Bees.\nBees.\nBees.")
    assert not repeats.ended, "the line may go on"
    repeats.push("\n")
    assert repeats.ended
    assert repeats.push("More.") == repeats.finish() == ""


@pytest.mark.parametrize(
    "text",
    [
        "Bees.\nBees.\nBees sleep.\nBees.\nBees.\nAnts.",
        "Bees.\nBees.\nBees. They sleep.",
        "a\nb\na\nb\na\nb\n",
        "Bees.\nBees.\n\n   \n\nEnd",
        "Bees.\nBees.\n\n",
        "Bees.\nBees.\n Bees.\n",
        "---\n---\n---\n---\n",
        "| | |\n| | |\n| | |\n",
        "}\n}\n}\n",
        "- [ ]\n- [ ]\n- [ ]\n",
        "",
    ],
)
def test_other_lines_pass(text: str) -> None:
    assert through(RepeatFilter, text) == text


def test_only_a_line_that_may_be_the_third_is_held() -> None:
    assert delays(RepeatFilter, "Bees sleep in the hive.\n" * 2) == 0
    assert delays(RepeatFilter, "Bees sleep.\nBees sleep.\nBees fly.\n") == len("Bees ")
