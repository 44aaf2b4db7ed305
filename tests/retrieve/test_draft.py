"""What the user's own text is, and where it ends."""

from __future__ import annotations

import pytest

from vaultbridge.core.dialogue import Conversation, Message
from vaultbridge.retrieve.draft import Draft, newest_draft, read_draft
from vaultbridge.retrieve.fence import Fence, open_fence


def test_title_and_front_matter_are_taken_off() -> None:
    assert read_draft("Title: Bees\n---\na: b\n---\nAt night ") == Draft("At night ", "Bees")
    assert read_draft("At night") == Draft("At night")
    assert newest_draft(Conversation((Message("assistant", ("Hi.",)),))) == Draft("")


@pytest.mark.parametrize(
    "text",
    [
        "At night bees sleep in the",
        "Bees, wasps,",
        "It is the bees'",
        "蜜蜂晚上睡在",
        "One.\n\nAnd then",
        "Why? Because ",
    ],
)
def test_a_sentence_may_be_unfinished(text: str) -> None:
    assert Draft(text).unfinished


@pytest.mark.parametrize(
    "text",
    [
        "Where do bees sleep",
        "Bees sleep.",
        "Bees:",
        "Bees sleep\n",
        "# Bees",
        "List the hives",
        "红烧肉要炖多久",
        "睡觉。",
        "",
    ],
)
def test_questions_headings_and_whole_sentences_are_not(text: str) -> None:
    assert not Draft(text).unfinished


@pytest.mark.parametrize(
    ("text", "fence"),
    [
        ("So:\n```python\nx = 1", Fence("", "```", "python")),
        ("> ~~~~\n> ~~~\n> x", Fence("> ", "~~~~")),
        ("1. ```\n   x", Fence("1. ", "```")),
        ("````md\n```\nx\n```\n", Fence("", "````", "md")),
        ("```\nx\n```\n", None),
        ("- ```\n  x\n  ```", None),
        ("``` in `a` line", None),
        ("A ``` tick", None),
        ("", None),
    ],
)
def test_code_may_be_open_at_the_end(text: str, fence: Fence | None) -> None:
    assert open_fence(text) == fence
