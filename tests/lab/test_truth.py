"""What is said of answers whose truth is known."""

from __future__ import annotations

import pytest

from tests.chat.houses import FakeGenerator, make
from vaultbridge.chat.format import Format
from vaultbridge.core.notes import NotePath, Span
from vaultbridge.core.search import Citation
from vaultbridge.lab.cases import Case
from vaultbridge.lab.truth import Answered, Task, Verdict, examine, figures, judge

NIGHT = Citation(1, NotePath("Bees.md"), "", Span(0, 5, 1, 1), "Bees sleep in the hive at night.", "[[Bees]]")
PRICE = Citation(2, NotePath("Hives.md"), "", Span(0, 5, 1, 1), "A hive costs 40 euros.", "[[Hives]]")
TASK = Task(Case("q", "Where do bees sleep?", {NotePath("Bees.md"): 1}), ("the hive",))


def verdict(text: str, task: Task = TASK, shown: tuple[Citation, ...] = (NIGHT, PRICE)) -> Verdict:
    return judge(task, Answered(text, shown, shown[:1], 10, 0.1))


@pytest.mark.parametrize(
    ("text", "contained"),
    [("In THE Hive! [1]", True), ("In a hive.", True), ("In hives.", False), ("In the beehive.", False), ("", False)],
)
def test_an_answer_is_contained_word_for_word(text: str, contained: bool) -> None:
    assert verdict(text).contained is contained


def test_chinese_answers_are_contained_without_word_borders() -> None:
    task = Task(Case("q", "五花肉炖多久？", {}), ("一小时",))
    assert verdict("要炖 一小时左右。", task).contained


@pytest.mark.parametrize(
    "text",
    [
        "The notes do not say.",
        "Your notes don't mention where bees sleep.",
        "There is no information about this in the notes.",
        "I'm sorry, I can't tell.",
        "Nothing in your notes speaks of this.\n\nThe closest are: [[Hives]]",
        "笔记中没有提到。",
        "根据笔记无法确定。",
    ],
)
def test_a_refusal_invents_nothing(text: str) -> None:
    assert (verdict(text).refused, verdict(text).invented) == (True, False)


@pytest.mark.parametrize(
    "text", ["Bees sleep in the hive.", "Bees do not sleep outside the hive at night.", "40 euros."]
)
def test_what_the_notes_hold_is_neither_refused_nor_invented(text: str) -> None:
    assert (verdict(text).refused, verdict(text).invented) == (False, False)


def test_one_sentence_that_no_note_holds_is_an_invention() -> None:
    found = verdict("Bees sleep in the hive. Wasps build paper nests under roofs.")
    assert (found.invented, found.claims, found.supported) == (True, 2, 1)


def test_without_notes_every_statement_is_one() -> None:
    assert verdict("Bees sleep in the hive.", shown=()).invented


def test_the_language_is_the_question_s() -> None:
    assert verdict("In the hive.").language is True
    assert verdict("在蜂巢里。").language is False
    assert verdict("1279.").language is None


async def test_every_question_is_asked_with_the_note_that_answers_it_and_without() -> None:
    generator = FakeGenerator("Bees sleep in the hive at night.")
    house = await make(generator)
    tasks = [Task(Case("q", "Where do bees sleep in the hive?", {NotePath("Bees.md"): 1}), ("hive",))]
    seen: list[bool] = []
    (outcome,) = await examine(house.chat, tasks, Format("marked", 3, 500), 8, 32, lambda: seen.append(True))
    assert seen == [True]
    given, without = generator.prompts
    assert {note.source for note in given.block.notes} == {"Bees.md", "Hives.md"}
    assert {note.source for note in without.block.notes} == {"Hives.md"}
    assert all(sampling.temperature == 0 and sampling.max_tokens == 32 for sampling in generator.samplings)
    assert outcome.given_verdict.gold_shown
    assert outcome.given_verdict.gold_cited
    assert not outcome.without_verdict.gold_shown
    found = figures([outcome])
    assert found["contained"]["mean"] == found["gold_cited"] == found["language"] == 1.0
    assert found["refused"] == found["refused_without"] == 0.0
