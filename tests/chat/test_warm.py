"""Warming up: what is prefilled for a draft is what the question then begins with."""

from __future__ import annotations

import asyncio

import pytest

from tests.chat.houses import WARM_USAGE, FakeGenerator, House, grounding_of, make, talk
from vaultbridge.chat.format import Format
from vaultbridge.chat.service import Request, Warmed
from vaultbridge.core.dialogue import Continuation, Conversation, GroundedPrompt, Message
from vaultbridge.core.errors import ContextTooLong, InvalidRequest, StoreMismatch

BEES = "Where do bees sleep in the hive?"
DRAFT = "Where do bees sleep"
EUROS = "How many euros does a hive cost"
SAID = "In the hive [1]."
BEST_FIRST = Format("marked", 6, 500, best_last=False)


@pytest.fixture
def generator() -> FakeGenerator:
    return FakeGenerator(SAID)


@pytest.fixture
async def house(generator: FakeGenerator) -> House:
    return await make(generator)


def places(prompt: GroundedPrompt) -> list[tuple[int, str]]:
    return [(note.number, note.text) for note in prompt.block.notes]


async def test_the_prompt_is_the_one_that_the_question_would_have(house: House, generator: FakeGenerator) -> None:
    warmed = await house.chat.warm(Request(talk(BEES)))
    events = await house.answer(Request(talk(BEES)))
    assert generator.warmed == generator.prompts
    assert warmed == Warmed(grounding_of(events).citations, WARM_USAGE)


async def test_a_follow_up_is_warmed_with_the_notes_of_former_turns(house: House, generator: FakeGenerator) -> None:
    await house.answer(Request(talk(BEES)))
    warmed = await house.chat.warm(Request(talk(BEES, SAID, "红烧肉的五花肉")))
    (prompt,) = generator.warmed
    assert prompt.earlier == {0: generator.prompts[0].block}
    assert isinstance(prompt.prompt, Conversation)
    assert prompt.prompt.messages[1].tokens == generator.tokens
    assert [citation.number for citation in warmed.citations] == list(range(1, len(warmed.citations) + 1))
    await house.answer(Request(talk(BEES, SAID, "红烧肉的五花肉怎么切？")))
    assert generator.prompts[-1].block == prompt.block


async def test_the_question_keeps_the_order_of_the_draft_and_adds_what_is_new(
    house: House, generator: FakeGenerator
) -> None:
    fresh = FakeGenerator(SAID)
    await (await make(fresh)).answer(Request(talk(BEES), format=BEST_FIRST))
    await house.chat.warm(Request(talk(EUROS), k=1, format=BEST_FIRST))
    await house.answer(Request(talk(BEES), format=BEST_FIRST))
    (draft,), (asked,), (ranked,) = generator.warmed, generator.prompts, fresh.prompts
    assert places(asked)[:1] == places(draft)
    assert {note.source for note in asked.block.notes} == {note.source for note in ranked.block.notes}
    assert ranked.block.notes[0].source != "Hives.md"


async def test_with_the_best_note_last_the_question_still_begins_as_the_draft(
    house: House, generator: FakeGenerator
) -> None:
    form = Format("example", 3, 500, best_last=True)
    await house.chat.warm(Request(talk(EUROS), k=1, format=form))
    await house.answer(Request(talk(BEES), format=form))
    (draft,), (asked,) = generator.warmed, generator.prompts
    assert asked.block.text(asked.block.notes).startswith(draft.block.text(draft.block.notes))
    assert len(asked.block.notes) > len(draft.block.notes)


async def test_a_better_note_does_not_lose_its_room_to_a_warmed_one(generator: FakeGenerator) -> None:
    house = await make(generator, notes_tokens=12)  # room for one of these notes
    await house.chat.warm(Request(talk("What does a hive cost, forty euros?")))
    assert generator.warmed[0].block.notes[0].source == "Hives.md"
    await house.answer(Request(talk("Where do bees sleep at night, in the hive?")))
    assert generator.prompts[0].block.notes[0].source == "Bees.md"


async def test_what_is_no_hit_any_more_ends_the_common_beginning(house: House, generator: FakeGenerator) -> None:
    await house.chat.warm(Request(talk("红烧肉的五花肉怎么切？"), format=BEST_FIRST))
    await house.answer(Request(talk(BEES), format=BEST_FIRST))
    fresh = FakeGenerator(SAID)
    await (await make(fresh)).answer(Request(talk(BEES), format=BEST_FIRST))
    assert generator.prompts == fresh.prompts


async def test_an_answer_uses_up_what_was_warmed(house: House, generator: FakeGenerator) -> None:
    await house.chat.warm(Request(talk(EUROS), k=1, format=BEST_FIRST))
    await house.answer(Request(talk(BEES), format=BEST_FIRST))
    await house.answer(Request(talk("Where do the bees sleep in a hive at night?"), format=BEST_FIRST))
    await house.answer(Request(talk(BEES), format=BEST_FIRST))
    first, _, again = generator.prompts
    assert first.block.notes[0].source == "Hives.md"
    assert first.block == again.block, "the same question again has the same prompt"
    fresh = FakeGenerator(SAID)
    await (await make(fresh)).answer(Request(talk("Where do the bees sleep in a hive at night?"), format=BEST_FIRST))
    assert generator.prompts[1] == fresh.prompts[0]


async def test_a_real_request_goes_first(house: House, generator: FakeGenerator) -> None:
    generator.held = True
    answering = asyncio.create_task(house.answer(Request(talk(BEES))))
    while not generator.prompts:
        await asyncio.sleep(0)
    warmed = await house.chat.warm(Request(talk(BEES)))
    assert warmed.usage is None
    assert warmed.citations
    generator.go.set()
    await answering
    assert house.outcomes == ["stop"], "a warm call is no request for an answer"


async def test_it_takes_no_place_in_the_queue(house: House, generator: FakeGenerator) -> None:
    generator.held = True
    warming = asyncio.create_task(house.chat.warm(Request(talk(DRAFT))))
    while not generator.warmed:
        await asyncio.sleep(0)
    assert generator.admitted == house.chat.admitted == 0
    generator.go.set()
    assert (await warming).usage == WARM_USAGE


async def test_the_newest_call_counts_however_long_the_search_of_an_older_one_takes(
    house: House, generator: FakeGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, search = asyncio.Event(), house.embeddings.embed

    async def embed(texts: list[str], lane: str) -> object:
        if DRAFT in texts:
            await slow.wait()
        return await search(texts, lane)  # type: ignore[arg-type]

    monkeypatch.setattr(house.embeddings, "embed", embed)
    older = asyncio.create_task(house.chat.warm(Request(talk(DRAFT))))
    await asyncio.sleep(0)
    newer = await house.chat.warm(Request(talk(BEES)))
    slow.set()
    assert (await older).usage is None
    assert newer.usage == WARM_USAGE
    assert [prompt.prompt for prompt in generator.warmed] == [talk(BEES)]


async def test_a_text_to_continue_can_be_warmed(house: House, generator: FakeGenerator) -> None:
    prompt = Continuation("At night bees sleep in the hive")
    await house.chat.warm(Request(prompt))
    await house.answer(Request(prompt))
    assert generator.warmed == generator.prompts


async def test_without_a_model_nothing_is_warmed() -> None:
    assert await (await make(None)).chat.warm(Request(talk(BEES))) == Warmed((), None)


async def test_its_errors_are_those_of_an_answer(
    house: House, generator: FakeGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InvalidRequest):
        await house.chat.warm(Request(Conversation((Message("system", ("Be kind.",)),))))
    generator.failure = ContextTooLong("Too long.")
    with pytest.raises(ContextTooLong):
        await house.chat.warm(Request(talk(BEES)))

    async def keyword(*_: object) -> list[object]:
        raise StoreMismatch("The index cannot be used.")

    monkeypatch.setattr(house.store, "keyword", keyword)
    with pytest.raises(StoreMismatch):
        await house.chat.warm(Request(talk(BEES)))
