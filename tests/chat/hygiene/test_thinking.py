"""Thinking text is no part of an answer."""

from __future__ import annotations

import pytest

from tests.chat.hygiene.streams import through
from vaultbridge.chat.hygiene.thinking import ThinkingFilter


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<think>Bees… hives…</think>\n\nIn the hive.", "In the hive."),
        ("<thinking>a</thinking>In the hive.", "In the hive."),
        ("<reasoning>a\n\nb `c` d</reasoning> In the hive.", "In the hive."),
        ("<THINK>a</think>Yes.", "Yes."),
        ("In <think>which?</think>the hive.", "In the hive."),
        ("<think>One.</think>\nYes.\n<think>Two.</think>No.", "Yes.\nNo."),
        ("Yes.\n\n<think>And then it never", "Yes.\n\n"),
        ("<think>It never ends", ""),
        ("<think>a </thinking> b</think>Yes.", "Yes."),
        ("Yes.</think> No.", "Yes. No."),
        ("<think>x<think>y</think>Yes.", "Yes."),
    ],
)
def test_thinking_is_dropped_wherever_it_stands(text: str, shown: str) -> None:
    assert through(ThinkingFilter, text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "Models write `<think>` and `</think>`.",
        "```xml\n<think>a</think>\n\n<think>b</think>\n```\nSo.",
        "1 < 2 and <b>bold</b>, a <thinker>, <think",
        "  an indented beginning stays",
    ],
)
def test_what_only_looks_like_it_stays(text: str) -> None:
    assert through(ThinkingFilter, text) == text
