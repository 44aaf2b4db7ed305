"""What stands in front of an answer: front matter, preambles, the question again."""

from __future__ import annotations

import pytest

from tests.chat.hygiene.streams import delays, through
from vaultbridge.chat.hygiene.opening import (
    LONGEST_FRONT_MATTER,
    OpeningFilter,
    echo_of,
    front_matter,
    repeated,
)
from vaultbridge.chat.hygiene.preamble import LONGEST_PREAMBLE, preamble
from vaultbridge.retrieve.fence import Fence

QUESTION = "Where do bees sleep?"


def opening() -> OpeningFilter:
    return OpeningFilter(front_matter, preamble, echo_of(QUESTION))


# --- front matter -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "block",
    [
        "---\ntitle: Bees\ntags:\n  - insects\n- more\n# a comment\n\naliases: [a, b]\n---\n",
        "---\r\ntitle: Bees\r\n---\r\n",
        "\n---  \ntitle: Bees\n...\n\n",
        "---\nmy key: a\n---\n---\nother: b\n---\n",
    ],
)
def test_a_block_of_yaml_is_dropped(block: str) -> None:
    assert through(opening, block + "bees sleep.") == "bees sleep."
    assert through(opening, block.rstrip()) == ""


@pytest.mark.parametrize(
    "text",
    [
        "---\n\nBees sleep.\n\n---\n",
        "---\nBees sleep in the hive.\n---\n",
        "---\n- one\n- two\n---\n",
        "---\n---\nBees: yes.",
        "----\na: b\n----\n",
        "---\ntitle: never closed\n",
        "---\ntitle: Bees\nThey fly.\n---\n",
        "---",
        "--",
        "Bees.\n---\na: b\n---\n",
        "---\n" + "a: b\n" * LONGEST_FRONT_MATTER + "---\n",
    ],
)
def test_a_rule_is_no_front_matter(text: str) -> None:
    assert through(opening, text) == text


# --- preambles --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Based on the provided notes, bees sleep.", "Bees sleep."),
        ("based on your notes, bees sleep.", "Bees sleep."),
        ("Based on the information provided in your notes [1][2], bees sleep.", "Bees sleep."),
        ("Based solely on the given context: bees sleep.", "bees sleep."),
        ("According to your notes, bees sleep.", "Bees sleep."),
        ("According to the notes:\n\n- Bees sleep.", "- Bees sleep."),
        ("Sure! Here is a summary of your notes:\n\nBees sleep.", "Bees sleep."),
        ("Sure, here's the answer: Bees sleep.", "Bees sleep."),
        ("Here is the summary:\nBees sleep.", "Bees sleep."),
        ("Certainly! Based on your notes, bees sleep.", "Bees sleep."),
        ("Of course! Here are the steps:\n1. Sleep.", "1. Sleep."),
        ("根据提供的笔记，蜜蜂睡在蜂巢里。", "蜜蜂睡在蜂巢里。"),
        ("根据您的笔记，蜜蜂睡在蜂巢里。", "蜜蜂睡在蜂巢里。"),
        ("基于以上笔记的内容[1]，蜜蜂睡在蜂巢里。", "蜜蜂睡在蜂巢里。"),
        ("好的，以下是总结：\n蜜蜂睡在蜂巢里。", "蜜蜂睡在蜂巢里。"),
        ("当然！根据你的笔记：\n\n蜜蜂睡在蜂巢里。", "蜜蜂睡在蜂巢里。"),
        ("提供されたノートによると、蜂は巣で眠る。", "蜂は巣で眠る。"),
        ("ノートの内容に基づいて、蜂は巣で眠る。", "蜂は巣で眠る。"),
        ("제공된 노트에 따르면, 벌은 벌집에서 잔다.", "벌은 벌집에서 잔다."),
        ("---\na: b\n---\nBased on your notes, bees sleep.", "Bees sleep."),
    ],
)
def test_preambles_go_and_the_answer_begins_with_a_capital(text: str, shown: str) -> None:
    assert through(opening, text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "Based on 12 measurements, bees sleep.",
        "Based on the smell of the hive, bees decide.",
        "According to Seeley, bees sleep.",
        "According to your notes bees sleep.",
        "Notes say that bees sleep.",
        "Here is the thing: bees sleep.",
        "Here is the hive.",
        "Sure! Bees sleep.",
        "Sure",
        "Surely bees sleep.",
        "OKRs are goals.",
        "Here is the summary:",
        "根据实验数据，蜜蜂睡觉。",
        "根据季节的不同，蜜蜂有不同的行为。",
        "这是一个蜂箱。",
        "ノートは机の上にある。",
        "노트는 책상 위에 있다.",
        "  the hive, at night",
        "b",
        "",
        "\n",
    ],
)
def test_what_only_begins_like_one_stays(text: str) -> None:
    assert through(opening, text) == text


@pytest.mark.parametrize(
    "text",
    [
        "Based on " + "the notes and " * 40 + "more",
        "Here is " + "a long sentence with no end " * 40,
        "Sure! Here is " + "a long sentence with no end " * 40,
        "根据" + "笔记" * 400,
    ],
)
def test_a_beginning_is_held_for_a_bounded_time(text: str) -> None:
    assert through(opening, text) == text
    assert delays(opening, text) <= LONGEST_PREAMBLE


def test_plain_prose_is_not_held() -> None:
    assert delays(opening, "Bees sleep in the hive at night, according to your notes, as the book says.") <= 2
    assert delays(opening, "蜜蜂睡在蜂巢里。") <= 1


# --- the question again -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "echo", ["Where do bees sleep?\n", "**Where do bees sleep?**\n\n", "## where do bees sleep?\n"]
)
def test_the_question_on_a_line_of_its_own_is_no_answer(echo: str) -> None:
    assert through(opening, echo + "In the hive.") == "In the hive."


@pytest.mark.parametrize(
    "text", ["Where do bees sleep? In the hive.", "Where do bees go?\nOut.", "Where do bees sleep?", "Where do be"]
)
def test_other_questions_and_a_lone_one_stay(text: str) -> None:
    assert through(opening, text) == text


def test_a_word_that_is_asked_may_be_a_heading_of_the_answer() -> None:
    assert through(lambda: OpeningFilter(echo_of("Bee")), "Bee\n\nAn insect.") == "Bee\n\nAn insect."


# --- a fence that is open already -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("empty", "text", "shown"),
    [
        (True, "```python\nx = 1\n```\n", "x = 1\n```\n"),
        (False, "```py\nx = 1\n", "x = 1\n"),
        (True, "```\nx = 1\n```\n", "x = 1\n```\n"),
        (False, "```\n", "```\n"),
        (True, "Here is the code:\n```python\nx = 1\n", "x = 1\n"),
        (True, "x = 1\n```python\n", "x = 1\n```python\n"),
        (True, "~~~\nx\n", "~~~\nx\n"),
    ],
)
def test_a_fence_is_not_opened_twice(empty: bool, text: str, shown: str) -> None:
    assert through(lambda: OpeningFilter(preamble, repeated(Fence("", "```"), empty)), text) == shown
