"""Follow-up turns: the prompt begins as the former one did, and holds nothing that it may not."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from itertools import pairwise

import pytest

from tests.chat.houses import FakeGenerator, House, grounding_of, make, talk, text_of
from tests.retrieve.rows import chunk, update
from vaultbridge.chat.format import Format
from vaultbridge.chat.language import CHINESE, ENGLISH
from vaultbridge.chat.memory import MOST_TURNS
from vaultbridge.chat.service import Request
from vaultbridge.core.dialogue import (
    Continuation,
    Conversation,
    Event,
    GroundedPrompt,
    Message,
    Piece,
    Prompt,
    Sampling,
    Started,
    ToolCall,
)
from vaultbridge.core.notes import NotePath
from vaultbridge.core.search import Scope

BEES = "Where do bees sleep in the hive?"
ANTS = "What do ants farm on roses?"
WASPS = "Why do wasps chew wood?"
NONSENSE = "quantum chromodynamics lattice"
SAID = "They sleep in the hive at night [1]."


@pytest.fixture
def generator() -> FakeGenerator:
    return FakeGenerator(SAID)


@pytest.fixture
async def house(generator: FakeGenerator) -> House:
    house = await make(generator)
    await house.write(
        update(chunk("Ants.md", "Ants farm aphids on roses.", context="Ants")),
        update(chunk("Wasps.md", "Wasps chew wood into paper.", context="Wasps")),
    )
    return house


def standing(prompt: GroundedPrompt) -> dict[int, list[tuple[int, str]]]:
    """Numbers and sources of the notes beside each message."""
    newest = len(prompt.prompt.messages) - 1 if isinstance(prompt.prompt, Conversation) else 0
    blocks = {**prompt.earlier, newest: prompt.block}
    return {at: [(note.number, note.source) for note in block.notes] for at, block in blocks.items()}


def sources(prompt: GroundedPrompt) -> set[str]:
    return {source for notes in standing(prompt).values() for _, source in notes}


def assembled(prompt: GroundedPrompt, kept: int = 100) -> tuple[Message, ...]:
    result: Prompt = prompt.assembled(prompt.block.notes[:kept])
    assert isinstance(result, Conversation)
    return result.messages


def tokens(prompt: GroundedPrompt) -> list[tuple[int, ...]]:
    """Those of each message."""
    assert isinstance(prompt.prompt, Conversation)
    return [message.tokens for message in prompt.prompt.messages]


# --- a second turn ----------------------------------------------------------------------------------------------------


async def test_a_second_prompt_begins_as_the_first_one_did(house: House, generator: FakeGenerator) -> None:
    said = text_of(await house.answer(Request(talk(BEES))))
    await house.answer(Request(talk(BEES, said, ANTS)))
    first, second = generator.prompts
    before, after = assembled(first), assembled(second)
    assert after[: len(before)] == before
    answer = after[len(before)]
    assert (answer.text, answer.tokens) == (SAID, generator.tokens)


async def test_only_the_notes_that_were_in_the_prompt_stay_in_it(house: House, generator: FakeGenerator) -> None:
    generator.room = 1
    said = text_of(await house.answer(Request(talk(BEES))))
    generator.room = 100
    await house.answer(Request(talk(BEES, said, ANTS)))
    first, second = generator.prompts
    assert len(first.block.notes) > 1
    assert second.earlier[0].notes == first.block.notes[:1]
    assert assembled(second)[:2] == assembled(first, kept=1)


async def test_new_notes_are_numbered_on_and_all_are_cited(house: House, generator: FakeGenerator) -> None:
    first = grounding_of(await house.answer(Request(talk(BEES)))).citations
    generator.pieces = ("Aphids [", f"{len(first) + 1}", "], hives [1], lies [77].")
    events = await house.answer(Request(talk(BEES, SAID, ANTS)))
    second = grounding_of(events).citations
    assert second[: len(first)] == first
    assert [citation.number for citation in second] == list(range(1, len(second) + 1))
    assert second[len(first)].path == "Ants.md"
    assert text_of(events) == f"Aphids [{len(first) + 1}], hives [1], lies."


async def test_a_hit_that_stands_already_is_not_repeated(house: House, generator: FakeGenerator) -> None:
    await house.answer(Request(talk(BEES)))
    events = await house.answer(Request(talk(BEES, SAID, "Once more: where do bees sleep in the hive?")))
    first, second = generator.prompts
    assert standing(second) == {0: standing(first)[0], 2: []}
    assert grounding_of(events).citations
    assert assembled(second)[-1] == Message("user", ("Once more: where do bees sleep in the hive?",))


async def test_a_third_turn_has_both_blocks(house: House, generator: FakeGenerator) -> None:
    await house.answer(Request(talk(BEES)))
    await house.answer(Request(talk(BEES, SAID, ANTS)))
    await house.answer(Request(talk(BEES, SAID, ANTS, SAID, WASPS)))
    *_, second, third = generator.prompts
    assert assembled(third)[: len(assembled(second))] == assembled(second)
    numbers = [number for notes in standing(third).values() for number, _ in notes]
    assert numbers == list(range(1, len(numbers) + 1))
    assert sources(third) == {"Bees.md", "Hives.md", "Ants.md", "Wasps.md"}


async def test_instructions_stay_in_the_language_of_the_first_turn(house: House, generator: FakeGenerator) -> None:
    await house.answer(Request(talk("红烧肉的五花肉怎么切？")))
    await house.answer(Request(talk("红烧肉的五花肉怎么切？", SAID, ANTS)))
    first, second = generator.prompts
    assert first.instructions == second.instructions == CHINESE.instructions
    assert second.block.opening == ENGLISH.opening


async def test_another_conversation_has_no_part_in_it(house: House, generator: FakeGenerator) -> None:
    await house.answer(Request(talk(BEES)))
    await house.answer(Request(talk("Hello!", SAID, ANTS)))
    assert generator.prompts[-1].earlier == {}
    assert tokens(generator.prompts[-1]) == [(), (), ()]
    assert "Bees.md" not in sources(generator.prompts[-1])


@pytest.mark.parametrize("best_last", [True, False])
async def test_the_same_question_asked_again_begins_as_its_prompt_did(
    house: House, generator: FakeGenerator, best_last: bool
) -> None:
    request = Request(talk(BEES), format=Format("example", 6, 500, best_last))
    await house.answer(request)
    await house.write(update(chunk("More.md", "Where bees sleep in the hive: bees sleep in the hive.", context="More")))
    await house.answer(request)
    first, again = (prompt.block.text(prompt.block.notes) for prompt in generator.prompts)
    assert again.startswith(first)
    assert "More" in again.removeprefix(first)


async def test_a_worse_note_that_is_new_does_not_pass_the_best_one(house: House, generator: FakeGenerator) -> None:
    request = Request(talk(BEES), format=Format("marked", 6, 500, best_last=True))
    await house.answer(request)
    await house.write(update(chunk("Weak.md", "In the hive bees sleep little, say many.", context="W")))
    await house.answer(request)
    before, after = ([note.source for note in prompt.block.notes] for prompt in generator.prompts)
    assert "Weak.md" in after
    assert after[0] == before[0]


async def test_a_number_means_one_note_whichever_answer_the_conversation_goes_on_from(
    house: House, generator: FakeGenerator
) -> None:
    generator.room = 1
    await house.answer(Request(talk(BEES)))
    await house.answer(Request(talk(BEES, SAID, ANTS)))
    generator.room, generator.pieces = 100, ("In hives.",)
    await house.answer(Request(talk(BEES)))  # once more, with more notes, but the client goes on from the first answer
    events = await house.answer(Request(talk(BEES, SAID, ANTS, SAID, WASPS)))
    numbers = [citation.number for citation in grounding_of(events).citations]
    assert len(numbers) == len(set(numbers)) > 3
    assert numbers == [number for notes in standing(generator.prompts[-1]).values() for number, _ in notes]


async def test_a_text_to_continue_has_no_past(house: House, generator: FakeGenerator) -> None:
    for _ in range(2):
        await house.answer(Request(Continuation("At night bees sleep in the hive")))
    first, second = generator.prompts
    assert first == second


# --- answers as they were generated -----------------------------------------------------------------------------------


@pytest.mark.parametrize("sent_back", [SAID, f"  {SAID}\n", SAID.replace(" sleep ", "\r\nsleep ")])
async def test_an_answer_is_known_by_its_text_whatever_clients_do_to_white_space(
    house: House, generator: FakeGenerator, sent_back: str
) -> None:
    await house.answer(Request(talk(BEES)))
    await house.answer(Request(talk(BEES, sent_back, ANTS)))
    assert tokens(generator.prompts[-1]) == [(), generator.tokens, ()]


async def test_an_answer_that_was_sent_with_links_and_sources_is_known(house: House, generator: FakeGenerator) -> None:
    said = text_of(await house.answer(Request(talk(BEES), sources="markdown")))
    assert said.count("[[") > 1
    await house.answer(Request(talk(BEES, said, ANTS), sources="markdown"))
    assert tokens(generator.prompts[-1])[1] == generator.tokens


async def test_an_answer_that_was_edited_is_not(house: House, generator: FakeGenerator) -> None:
    await house.answer(Request(talk(BEES)))
    await house.answer(Request(talk(BEES, SAID.replace("night", "noon"), ANTS)))
    assert tokens(generator.prompts[-1]) == [(), (), ()]
    assert generator.prompts[-1].earlier, "what it was given to read is the same"


async def test_tokens_belong_to_one_model(house: House, generator: FakeGenerator) -> None:
    await house.answer(Request(talk(BEES)))
    generator.name = "another"
    await house.answer(Request(talk(BEES, SAID, ANTS)))
    assert tokens(generator.prompts[-1]) == [(), (), ()]
    assert 0 in generator.prompts[-1].earlier


async def test_an_ungrounded_answer_is_known_too(house: House, generator: FakeGenerator) -> None:
    await house.answer(Request(talk(NONSENSE)))
    await house.answer(Request(talk(NONSENSE, SAID, ANTS)))
    second = generator.prompts[-1]
    assert tokens(second) == [(), generator.tokens, ()]
    assert second.earlier == {}
    assert second.block.notes[0].number == 1


async def test_of_several_choices_the_first_is_known(house: House, generator: FakeGenerator) -> None:
    await house.answer(Request(talk(BEES), Sampling(n=2)))
    await house.answer(Request(talk(BEES, SAID, ANTS)))
    assert tokens(generator.prompts[-1])[1] == generator.tokens


async def test_a_round_of_tools_keeps_the_notes_and_knows_the_answer_behind_it(
    house: House, generator: FakeGenerator
) -> None:
    await house.answer(Request(talk(BEES)))
    called = Message(
        "assistant", (SAID,), tool_calls=(ToolCall("1", "look", "{}"),)
    )  # more than its text: its tokens are not known
    round_ = (*talk(BEES).messages, called, Message("tool", ("Sunny.",), tool_call_id="1"))
    generator.pieces = ("They sleep well.",)
    await house.answer(Request(Conversation(round_)))
    further = (*round_, Message("assistant", ("They sleep well.",)), *talk(ANTS).messages)
    await house.answer(Request(Conversation(further)))
    first, second, third = generator.prompts
    assert second.block == first.block
    assert tokens(second) == [(), (), ()]
    assert third.earlier == {0: first.block}
    assert tokens(third) == [(), (), (), generator.tokens, ()]


async def test_an_answer_with_reasoning_is_more_than_its_text_too() -> None:
    class Thinking(FakeGenerator):
        async def stream(self, prompt: GroundedPrompt, sampling: Sampling) -> AsyncGenerator[Event, None]:
            async for event in super().stream(prompt, sampling):
                yield event
                if isinstance(event, Started):
                    yield Piece("Let me see.", kind="reasoning")

    generator = Thinking(SAID)
    house = await make(generator)
    await house.answer(Request(talk(BEES)))
    await house.answer(Request(talk(BEES, SAID, ANTS)))
    assert tokens(generator.prompts[-1]) == [(), (), ()]


async def test_an_answer_that_was_cut_off_leaves_its_notes(house: House, generator: FakeGenerator) -> None:
    async with aclosing(house.chat.answer(Request(talk(BEES)))) as events:
        await anext(events)
    await house.answer(Request(talk(BEES, "They sl", ANTS)))
    assert standing(generator.prompts[-1])[0] == standing(generator.prompts[0])[0]
    assert tokens(generator.prompts[-1]) == [(), (), ()]


# --- what a prompt may not hold ---------------------------------------------------------------------------------------


async def test_another_scope_is_another_conversation(house: House, generator: FakeGenerator) -> None:
    await house.answer(Request(talk(BEES)))
    await house.answer(Request(talk(BEES, SAID, ANTS), scope=Scope(notes=(NotePath("Ants.md"),))))
    assert sources(generator.prompts[-1]) == {"Ants.md"}
    assert tokens(generator.prompts[-1]) == [(), (), ()]


async def test_the_note_that_is_edited_leaves_former_turns_too(house: House, generator: FakeGenerator) -> None:
    for request in (
        Request(talk(BEES, SAID, ANTS), note=NotePath("Bees.md")),
        Request(talk(BEES, SAID, f"Title: Bees\n\n{ANTS}")),
    ):
        await house.answer(Request(talk(BEES)))
        events = await house.answer(request)
        assert sources(generator.prompts[-1]) == {"Hives.md", "Ants.md"}
        assert {citation.path for citation in grounding_of(events).citations} == {"Hives.md", "Ants.md"}


async def test_without_grounding_no_former_note_is_read(house: House, generator: FakeGenerator) -> None:
    await house.answer(Request(talk(BEES)))
    events = await house.answer(Request(talk(BEES, SAID, ANTS), grounding="off"))
    assert sources(generator.prompts[-1]) == set()
    assert grounding_of(events).citations == ()
    await house.answer(Request(talk(BEES, SAID, ANTS, SAID, WASPS)))
    assert standing(generator.prompts[-1])[0] == standing(generator.prompts[0])[0], "they are there again"


async def test_what_the_index_does_not_know_any_more_is_not_cited(house: House, generator: FakeGenerator) -> None:
    await house.answer(Request(talk(BEES)))
    # Nobody told the chat: the store alone knows that a heading went, and a note.
    await house.store.replace([update(chunk("Bees.md", "Bees dance.", 0, ["Bees", "Dance"]))], [NotePath("Hives.md")])
    events = await house.answer(Request(talk(BEES, SAID, ANTS)))
    cited = {(citation.path, citation.heading) for citation in grounding_of(events).citations}
    assert ("Bees.md", "Sleep") not in cited
    assert "Hives.md" not in sources(generator.prompts[-1])
    texts = [note.text for block in generator.prompts[-1].earlier.values() for note in block.notes]
    assert not any("at night" in text for text in texts)


async def test_links_of_former_notes_are_as_short_as_they_can_be_now(house: House) -> None:
    await house.write(update(chunk("Garden/Moths.md", "Moths fly to the moon.", context="Moths")))
    asked = "Where do moths fly to?"
    before = grounding_of(await house.answer(Request(talk(asked), k=1))).citations
    await house.write(update(chunk("Archive/Moths.md", "Old things.", context="Moths")))
    after = grounding_of(await house.answer(Request(talk(asked, SAID, NONSENSE), k=1))).citations
    assert [citation.link for citation in (*before, *after)] == ["[[Moths]]", "[[Garden/Moths]]"]


# --- room -------------------------------------------------------------------------------------------------------------


async def test_notes_that_the_engine_had_no_room_for_do_not_come_back(house: House, generator: FakeGenerator) -> None:
    await house.answer(Request(talk(BEES)))
    first = [number for number, _ in standing(generator.prompts[0])[0]]
    generator.outgrown = first
    events = await house.answer(Request(talk(BEES, SAID, ANTS)))
    assert [citation.path for citation in grounding_of(events).citations] == ["Ants.md"]
    assert set(grounding_of(events).omitted) == {"[[Bees#Sleep]]", "[[Bees#Dance]]", "[[Hives]]"}
    generator.outgrown = ()
    events = await house.answer(Request(talk(BEES, SAID, ANTS, SAID, "And where do bees sleep in the hive again?")))
    third = generator.prompts[-1]
    assert set(third.earlier) == {2}
    assert {note.source for note in third.block.notes} == {"Bees.md", "Hives.md"}, "found again, they are offered again"
    assert min(note.number for note in third.block.notes) > max(first), "a number is given once"
    assert grounding_of(events).omitted == ()


async def test_old_notes_go_several_at_a_time_and_are_named_once(generator: FakeGenerator) -> None:
    house = await make(generator, notes_tokens=100)
    subjects = ["apples", "bridges", "clouds", "dunes", "engines", "forests", "glaciers", "harbours"]
    words = "one two three four five six seven eight nine ten".split()
    for subject in subjects:
        text = " ".join(f"{subject} {word}" for word in words * 2)  # some sixty tokens
        await house.write(update(chunk(f"{subject}.md", text, context=subject)))
    texts: list[str] = []
    beginnings: list[tuple[int, ...]] = []
    omitted: list[str] = []
    for subject in subjects:
        events = await house.answer(Request(talk(*texts, f"What do the notes say of {subject}?"), k=1))
        prompt = generator.prompts[-1]
        beginnings.append(tuple(prompt.earlier))
        assert {note.source for note in prompt.block.notes} == {f"{subject}.md"}
        omitted += grounding_of(events).omitted
        texts += [f"What do the notes say of {subject}?", SAID]
    grown = sum(after[: len(before)] == before for before, after in pairwise(beginnings))
    assert 2 <= max(map(len, beginnings)) <= 4, "two budgets of former notes"
    assert grown >= len(subjects) // 2, "the beginning stays the same at least every other time"
    assert len(omitted) == len(set(omitted)) == len(subjects) - 1 - len(beginnings[-1])


async def test_memory_is_bounded_and_the_least_recently_used_goes_first(house: House, generator: FakeGenerator) -> None:
    await house.answer(Request(talk(BEES)))
    await house.answer(Request(talk(WASPS)))
    for n in range(MOST_TURNS - 2):
        await house.answer(Request(talk(f"{NONSENSE} {n}")))
    await house.answer(Request(talk(BEES, SAID, ANTS)))  # one more, and a use of the first one
    assert 0 in generator.prompts[-1].earlier
    await house.answer(Request(talk(BEES, SAID, ANTS, SAID, NONSENSE)))
    assert set(generator.prompts[-1].earlier) == {0, 2}
    await house.answer(Request(talk(WASPS, SAID, ANTS)))
    assert generator.prompts[-1].earlier == {}
