"""Which notes are left out for what stands in them."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaultbridge.core.notes import FileState, NotePath
from vaultbridge.vault.content_rules import CHAT, PERHAPS_PRIVATE, PRIVATE, ContentRules
from vaultbridge.vault.markdown import parse

RULES = ContentRules({"private": "tag #private", "家/日记": "tag #家/日记"})


def reason(text: str, rules: ContentRules = RULES) -> str:
    return rules.reason(*parse(text, FileState(NotePath("a.md"), 1, len(text), "ab")))


@pytest.mark.parametrize(
    "frontmatter",
    [
        "vaultbridge: private",
        "Vaultbridge: Private  # for me alone",
        "title: X\nvaultbridge: 'private'\ntags: [a]",
        "vaultbridge: [draft, private]",
        "vaultbridge:\n  - private",
    ],
)
def test_front_matter_says_that_a_note_is_private(frontmatter: str) -> None:
    for end in ("\n", "\r\n"):
        assert reason(f"---\n{frontmatter}\n---\nMy text.".replace("\n", end)) == PRIVATE


@pytest.mark.parametrize(
    "text",
    [
        "My text about a private vaultbridge: private.",
        "---\nvaultbridge: summarize\n---\nSomething private.",
        "---\nvaultbridge:\n---\n",
        "---\nvaultbridge: false\nother: private\n---\n",
        "---\n\nA rule above, and vaultbridge: private in the text.",
        "---\nA rule above, a private vaultbridge.",
        "#privateer, `#private`",
    ],
)
def test_notes_that_say_nothing_of_the_kind_are_let_in(text: str) -> None:
    assert reason(text) == ""


@pytest.mark.parametrize(
    "text",
    [
        "---\nvaultbridge: private\ntitle: a: b: c\n---\nMy text.",
        "---\nvaultbridge: [private\n---\n",
        "---\nvaultbridge:\n- private\n  x: [\n---\n",
        "---\nvaultbridge: private\n\nThe front matter is not closed yet.",
        "---\nvaultbridge: private",
    ],
)
def test_front_matter_that_cannot_be_read_keeps_a_note_out_if_it_may_say_so(text: str) -> None:
    assert reason(text) == PERHAPS_PRIVATE


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("---\ntags: [private]\n---\n", "tag #private"),
        ("---\ntags: Private/health\n---\n", "tag #private"),
        ("Seen by the doctor #PRIVATE today.", "tag #private"),
        ("今天 #家/日记/五月 很热", "tag #家/日记"),
        ("---\ntags: [private\n---\n", "tag #private"),
        ("---\ntags: [work, private\nx: y\n\nNot closed.", "tag #private"),
        ("---\ntags: [privateer\n---\n", ""),
        ("A #家 of my own.", ""),
    ],
)
def test_excluded_tags(text: str, rule: str) -> None:
    assert reason(text) == rule


def test_chats_of_our_plugin_are_left_out_wherever_they_lie() -> None:
    chat = "---\ntype: vaultbridge-chat\ncreated: 2026-05-06T07:08:09.000Z\n---\n\n%% turn a - done last %%\n"
    assert reason(chat, ContentRules()) == CHAT


def test_every_reason_is_known_to_be_one() -> None:
    assert {PRIVATE, PERHAPS_PRIVATE, CHAT, "tag #private", "tag #家/日记"} == RULES.reasons


def test_rules_go_to_other_processes() -> None:
    assert pickle.loads(pickle.dumps(RULES)) == RULES


@given(st.text(), st.sampled_from(["\n", "\r\n", "\r"]), st.text())
def test_no_text_around_it_hides_the_word(before: str, end: str, after: str) -> None:
    before = " ".join(before.split())
    text = f"---{end}x: {before}{end}vaultbridge: private{end}---{end}{after}"
    assert reason(text) in (PRIVATE, PERHAPS_PRIVATE)
