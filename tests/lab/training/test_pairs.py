"""What a note gives to learn from: each kind from a note that was written for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import pytest

from tests.lab.training.invented_notes import cut
from vaultbridge.lab.training.pairs import Cut, Pair, heading_pairs, link_pairs, title_pairs
from vaultbridge.lab.training.quoted import callout_pairs, card_pairs, question_pairs
from vaultbridge.lab.training.translations import translation_pairs

ANSWER = "They cling together in a dense ball and shiver until spring comes."
OTHER = "Water must never run out in the dry weeks of the late summer."


def given(kind: Callable[[Sequence[Cut]], Iterable[Pair]], *notes: tuple[str, str]) -> list[Pair]:
    return list(kind([cut(path, text) for path, text in notes]))


def test_a_heading_asks_for_its_section_which_does_not_show_it() -> None:
    (pair,) = given(heading_pairs, ("Bees.md", f"# Bees\n\n## Sleeping in winter\n\n{ANSWER}\n"))
    assert (pair.query, pair.kind, pair.bare) == ("Sleeping in winter", "heading", True)
    assert pair.pos == (ANSWER,)


def test_a_heading_that_says_little_is_asked_with_its_title() -> None:
    one, other, telling = given(
        heading_pairs,
        ("Bees.md", f"## Usage\n\n{ANSWER}\n"),
        ("Wasps.md", f"## Usage\n\n{OTHER}\n\n## Building a paper nest\n\n{ANSWER}\n"),
    )
    assert [one.query, other.query, telling.query] == ["Bees: Usage", "Wasps: Usage", "Building a paper nest"]


def test_a_heading_that_asks_is_a_question() -> None:
    (pair,) = given(heading_pairs, ("Bees.md", f"## How do bees survive winter?\n\n{ANSWER}\n"))
    assert (pair.kind, pair.pos, pair.quoted) == ("question", (ANSWER,), False)


def test_a_heading_over_nothing_asks_nothing() -> None:
    assert given(heading_pairs, ("Bees.md", "## Sleeping in winter\n\nSoon.\n")) == []


def test_a_title_and_its_aliases_ask_for_the_beginning() -> None:
    note = f"---\naliases: [Apis mellifera, Animals/Hive insects]\n---\n# Bees\n\n{ANSWER}\n"
    pairs = given(title_pairs, ("Bees.md", note))
    assert [(pair.query, pair.kind) for pair in pairs] == [
        ("Bees", "title"),
        ("Apis mellifera", "alias"),
        ("Hive insects", "alias"),
    ]
    assert {pair.pos for pair in pairs} == {(ANSWER,)}


def test_a_day_is_no_title() -> None:
    assert given(title_pairs, ("2026-03-04.md", f"{ANSWER}\n")) == []


TARGET = f"Bees live in hives and are kept for honey.\n\n## Winter\n\n{ANSWER}\n\n## Summer\n\n{OTHER}\n"


@pytest.mark.parametrize(
    ("sentence", "meant"),
    [
        ("Smoke and shiver and dense ball of [[Bees]] until spring.", ANSWER),
        ("In the dry weeks of late summer carry water to [[Bees]].", OTHER),
        ("Old Peter, my neighbour, always talks about [[Bees#Summer]].", OTHER),
        ("Old Peter, my neighbour, always talks about [[Bees]].", "Bees live in hives and are kept for honey."),
    ],
)
def test_a_link_asks_for_the_passage_that_its_sentence_means(sentence: str, meant: str) -> None:
    (pair,) = given(link_pairs, ("Diary.md", sentence), ("Bees.md", TARGET))
    assert (pair.kind, pair.source, pair.target, pair.bare) == ("link", "Diary.md", "Bees.md", False)
    assert "Bees" not in pair.query
    (text,) = pair.pos
    assert text.startswith("Bees"), "the passage as the index embeds it, with its title"
    assert text.endswith(meant)


def test_what_a_sentence_links_to_beside_the_target_answers_it_too() -> None:
    pairs = given(
        link_pairs,
        ("Diary.md", "In summer both [[Bees]] and [[Wasps]] drink sweet water near houses.\n"),
        ("Bees.md", ANSWER),
        ("Wasps.md", OTHER),
    )
    assert [pair.also for pair in pairs] == [{"Bees.md", "Wasps.md"}] * 2


@pytest.mark.parametrize(
    "text",
    [
        f"**How do bees survive the winter?**\n{ANSWER}\n",
        f"Q: How do bees survive the winter?\n\nA: {ANSWER}\n",
        f"问：How do bees survive the winter?\n{ANSWER}\n",
    ],
)
def test_a_line_that_asks_is_answered_by_what_follows(text: str) -> None:
    (pair,) = given(question_pairs, ("Bees.md", f"# Bees\n\n{text}"))
    assert (pair.query, pair.pos) == ("How do bees survive the winter?", (ANSWER,))
    assert (pair.kind, pair.quoted) == ("question", True)


def test_chinese_questions_are_questions() -> None:
    (pair,) = given(question_pairs, ("蜜蜂.md", "蜜蜂怎么过冬？\n\n它们抱成一团，靠发抖取暖，一直等到春天来临。\n"))
    assert (pair.query, pair.pos) == ("蜜蜂怎么过冬？", ("它们抱成一团，靠发抖取暖，一直等到春天来临。",))


def test_a_question_before_a_heading_has_no_answer() -> None:
    assert given(question_pairs, ("Bees.md", f"How do bees survive?\n\n## Wasps\n\n{ANSWER}\n")) == []


def test_a_callouts_title_asks_for_what_is_in_it() -> None:
    (pair,) = given(callout_pairs, ("Bees.md", f"> [!tip]+ Wintering *in* hives\n> {ANSWER}\n\n> [!note]\n> {OTHER}\n"))
    assert (pair.query, pair.pos, pair.kind, pair.bare) == ("Wintering in hives", (ANSWER,), "callout", True)


CARDS = f"""---
tags: [flashcards/biology]
---
Capital of the hive::the brood nest <!--SR:!2026-01-01,3,250-->

Queen:::mother of all bees

How do they survive the winter
when it freezes
?
{ANSWER}

Larva
??
the young one

```
no::card
```
"""


def test_flashcards_ask_for_their_backs() -> None:
    assert [(pair.query, *pair.pos) for pair in given(card_pairs, ("Cards.md", CARDS))] == [
        ("Capital of the hive", "the brood nest"),
        ("Queen", "mother of all bees"),
        ("mother of all bees", "Queen"),
        ("How do they survive the winter when it freezes", ANSWER),
        ("Larva", "the young one"),
        ("the young one", "Larva"),
    ]


def test_what_looks_like_a_card_outside_a_deck_is_a_field() -> None:
    assert given(card_pairs, ("Note.md", "due:: tomorrow at noon\n")) == []


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        ('translation: "[[蜜蜂]]"', "x: 1"),
        ("translation: [[蜜蜂]]", "lang: zh"),
        ("permalink: bees\nlang: en", "permalink: bees\nlang: zh"),
    ],
)
def test_translations_ask_for_each_others_sections(mine: str, theirs: str) -> None:
    pairs = given(
        translation_pairs,
        ("Bees.md", f"---\n{mine}\n---\n{OTHER}\n\n## Sleeping in winter\n\n{ANSWER}\n"),
        (
            "蜜蜂.md",
            f"---\n{theirs}\n---\n夏末干旱的几周里绝不能断水。\n\n## 冬天怎么睡觉\n\n它们抱成一团，靠发抖取暖。\n",
        ),
    )
    asked = {pair.query: (pair.source, pair.target, pair.pos[0].split("\n")[-1]) for pair in pairs}
    assert asked == {
        "Bees": ("Bees.md", "蜜蜂.md", "夏末干旱的几周里绝不能断水。"),
        "Sleeping in winter": ("Bees.md", "蜜蜂.md", "它们抱成一团，靠发抖取暖。"),
        "蜜蜂": ("蜜蜂.md", "Bees.md", OTHER),
        "冬天怎么睡觉": ("蜜蜂.md", "Bees.md", ANSWER),
    }


def test_two_notes_of_one_language_are_no_translations() -> None:
    front = "---\npermalink: bees\nlang: en\n---\n"
    assert given(translation_pairs, ("One.md", front + ANSWER), ("Two.md", front + OTHER)) == []
