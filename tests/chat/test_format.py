"""How notes are given to a model depends on what it is."""

from __future__ import annotations

import re

import pytest

from tests.chat.houses import FakeGenerator, grounding_of, make, talk, text_of
from vaultbridge.chat.format import Format, format_of
from vaultbridge.chat.language import CHINESE, ENGLISH, Phrases
from vaultbridge.chat.service import Request
from vaultbridge.core.dialogue import GeneratorInfo

BEES = "Where do bees sleep in the hive?"


def model(parameters: float, *, chat: bool = True) -> GeneratorInfo:
    return GeneratorInfo("m", 8192, chat, int(parameters))


def test_a_larger_model_is_given_more() -> None:
    sizes = [format_of(model(parameters)) for parameters in (135e6, 1e9, 4e9, 12e9)]
    assert [form.tokens for form in sizes] == sorted({form.tokens for form in sizes})
    assert [form.notes for form in sizes] == sorted({form.notes for form in sizes})


def test_a_model_without_a_template_is_given_an_example_whatever_its_size() -> None:
    for parameters in (135e6, 4e9):
        base, chat = format_of(model(parameters, chat=False)), format_of(model(parameters))
        assert base.frame == "example"
        assert (base.notes, base.tokens) == (chat.notes, chat.tokens)


def test_a_model_that_does_not_say_its_size_counts_as_a_small_one() -> None:
    assert format_of(model(0)) == format_of(model(1e9))


@pytest.mark.parametrize("best_last", [True, False])
async def test_the_best_note_stands_where_the_format_says(best_last: bool) -> None:
    generator = FakeGenerator("In the hive.")
    house = await make(generator)
    await house.answer(Request(talk(BEES), format=Format("marked", 2, 500, best_last)))
    (prompt,) = generator.prompts
    block = prompt.block.text(prompt.block.notes)
    assert prompt.block.notes[0].text.endswith("Bees sleep in the hive at night.")
    assert (block.index("Bees sleep in the hive at night.") > block.index("forty euros")) is best_last
    assert prompt.block.notes[0].number == 1, "the best one has the first number, wherever it stands"


async def test_more_notes_than_the_format_has_are_left_out_and_named() -> None:
    generator = FakeGenerator("In the hive.")
    house = await make(generator)
    await house.answer(Request(talk(BEES), format=Format("marked", 1, 500)))
    (prompt,) = generator.prompts
    assert (prompt.most, prompt.budget) == (1, 500)
    assert len(prompt.block.notes) > 1, "the generator leaves them out, and says so"


async def test_marks_are_not_asked_for_in_an_example_but_set_afterwards() -> None:
    generator = FakeGenerator("Bees sleep in the hive at night.")
    house = await make(generator)
    events = await house.answer(Request(talk(BEES), format=Format("example", 3, 500)))
    (prompt,) = generator.prompts
    assert "[1]" not in prompt.instructions + prompt.block.text(prompt.block.notes)
    assert re.search(r"\[\d\]$", text_of(events)), "the mark is set afterwards"
    assert grounding_of(events).citations


@pytest.mark.parametrize(("question", "words"), [(BEES, ENGLISH), ("红烧肉的五花肉怎么切块？", CHINESE)])
async def test_what_the_model_is_told_is_in_the_language_of_the_question(question: str, words: Phrases) -> None:
    for form in (Format("marked", 3, 500), Format("example", 3, 500)):
        generator = FakeGenerator("Yes.")
        house = await make(generator)
        await house.answer(Request(talk(question), grounding="always", format=form))
        (prompt,) = generator.prompts
        assert prompt.instructions == form.instructions(words)
        assert prompt.block.closing == form.closing(words)
