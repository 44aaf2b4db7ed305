"""All filters together: what is shown does not depend on how the stream is cut, and plain prose passes as it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.chat.cited import citation, marks
from tests.chat.hygiene.streams import cut, delays, pushed, through
from vaultbridge.chat.citations import LinkWriter
from vaultbridge.chat.hygiene.cleaning import cleaning
from vaultbridge.chat.known_links import KnownLinks
from vaultbridge.chat.stream import TextFilter
from vaultbridge.core.notes import NotePath
from vaultbridge.retrieve.draft import Draft

CITED = citation(1, "Bees sleep in the hive at night.")
KNOWN = KnownLinks(LinkWriter.among([NotePath("Bees.md")]))


def prose() -> TextFilter:
    return cleaning(Draft("Where do bees sleep?"), marks(CITED, own={1: "[[Bees|1]]"}), KNOWN, editor=True)


def code() -> TextFilter:
    return cleaning(Draft("So:\n\n```python\nx = 0"), marks(), KNOWN, editor=True)


snippets = st.sampled_from(
    [
        "<think>", "</think>", "<thi", "<", "---\n", "title: Bees\n", "- item\n", "Based on the provided notes, ",
        "Sure! ", "Here is the list:\n", "根据您的笔记，", "Where do bees sleep?\n", "**Where do bees ",
        "```markdown\n", "```md\n", "```", "```py\n", "````\n", "`", "~~~\n", "\n", "\n\n", " ", "  \n", "\r\n",
        "[[", "]]", "[[Bees]]", "[[Nowhere|x]]", "![[Bees#A]]", "[a](b.md)", "[", "](", ")", "!", "[1]", " [9]",
        "Bees sleep.\n", "Bees sleep.\n", "Bees", "x = 1\n", "蜜蜂。\n", "a", "#", "> ", "1. ", ".",
    ]
)  # fmt: skip
answers = st.lists(snippets, max_size=25).map("".join)
cuts = st.lists(st.integers(0, 300), max_size=30)


@given(answers, cuts)
def test_prose_is_the_same_however_it_is_cut(text: str, places: list[int]) -> None:
    assert pushed(prose, cut(text, places)) == pushed(prose, [text]) == pushed(prose, text)


@given(answers, cuts)
def test_code_is_the_same_however_it_is_cut(text: str, places: list[int]) -> None:
    assert pushed(code, cut(text, places)) == pushed(code, [text]) == pushed(code, text)


words = st.sampled_from("Bees sleep in the hive at night. They dance, too! 蜜蜂睡觉。 1 2".split())
lines = st.lists(words).map(" ".join)


@given(st.lists(lines, unique=True).map("\n".join))
def test_an_answer_that_needs_no_care_is_not_touched(text: str) -> None:
    assert pushed(prose, text) == text


def test_plain_prose_passes_at_once() -> None:
    assert delays(prose, "Bees sleep in the hive at night.\n\n- They dance, too.\n- And *sting*.") <= 2
    assert delays(prose, "蜜蜂睡在蜂巢里。\n它们也跳舞。") <= 2


def test_everything_at_once() -> None:
    said = (
        "<think>The user wants…</think>\n\nSure! Here is the note:\n\n```markdown\n---\ntags: [bees]\n---\n"
        "According to your notes, bees sleep [1][7] in [[Nowhere|hives]].\n\n```py\nx[1]\n```\n\n"
        "They dance.\nThey dance.\nThey dance.\nThey dance.\n```\n"
    )
    shown = "Bees sleep [[Bees|1]] in hives.\n\n```py\nx[1]\n```\n\nThey dance.\nThey dance.\n"
    assert through(prose, said) == shown


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (" + 1\ny[1] = '[[Nowhere]]'\n```\n\nThis adds one.", " + 1\ny[1] = '[[Nowhere]]'\n```"),
        ("Sure! Here is the code:\n\n```python\nx = 0\nprint(x)\n```", "x = 0\nprint(x)\n```"),
        ("\nprint(x)", "\nprint(x)\n```"),
        ("<think>Code.</think>x()\n", "x()\n```"),
    ],
)
def test_in_code_only_code_is_produced_to_its_closing_fence(said: str, shown: str) -> None:
    assert through(code, said) == shown


def test_code_is_for_editors() -> None:
    def chat() -> TextFilter:
        return cleaning(Draft("What is this?\n```py\nx = 0"), marks(), KNOWN, editor=False)

    assert through(chat, "It sets x.") == "It sets x."
