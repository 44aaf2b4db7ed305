"""From a conversation to an answer: the order of events, what is cited, and what is never shown."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from tests.chat.houses import FETCH, FRESH, FakeGenerator, grounding_of, links, make, talk, text_of
from tests.retrieve.rows import chunk, update
from vaultbridge.backends.fakes.clock import FakeClock
from vaultbridge.chat.language import CHINESE, ENGLISH
from vaultbridge.chat.service import AnswerEvent, Grounding, GroundingMode, Request, Sources, SourcesMode
from vaultbridge.core.dialogue import (
    Continuation,
    Conversation,
    Event,
    Failed,
    Finished,
    Grammar,
    GroundedPrompt,
    Message,
    Piece,
    Prompt,
    Sampling,
    Started,
    TokenLogprob,
    Tool,
)
from vaultbridge.core.errors import (
    ContextTooLong,
    DecodeFailed,
    InvalidRequest,
    ModelMissing,
    Overloaded,
    StoreMismatch,
)
from vaultbridge.core.notes import NotePath
from vaultbridge.core.ports import Generator
from vaultbridge.core.search import Scope, Scored
from vaultbridge.retrieve.meaning import BARE_QUESTIONS

BEES = talk("Where do bees sleep in the hive?")
NONSENSE = talk("quantum chromodynamics lattice")


SOURCES: tuple[SourcesMode, ...] = ("field", "markdown", "none")


def unsupported(events: Sequence[AnswerEvent], choice: int = 0) -> list[str]:
    """The sentences of a choice that no note holds, as they stand in its text."""
    (sources,) = [event for event in events if isinstance(event, Sources)]
    said = text_of(events, choice)
    return [said[place.start : place.end] for place in sources.unsupported if place.choice == choice]


def test_the_fake_is_a_generator() -> None:
    generator: Generator = FakeGenerator()
    assert generator.name


# --- the usual way ----------------------------------------------------------------------------------------------------


async def test_grounding_pieces_sources_finished_in_this_order() -> None:
    house = await make(FakeGenerator("Bees sleep ", "in the hive [1]."))
    events = await house.answer(Request(BEES))
    assert [type(event) for event in events] == [Grounding, Piece, Piece, Sources, Finished]
    grounding = grounding_of(events)
    assert grounding.citations[0].link == "[[Bees#Sleep]]"
    assert grounding.citations[0].quote == "Bees sleep in the hive at night."
    assert [citation.number for citation in grounding.citations] == list(range(1, len(grounding.citations) + 1))
    assert (grounding.omitted, grounding.freshness) == ((), FRESH)
    assert text_of(events) == "Bees sleep in the hive [1]."
    assert links(events)[0] == "[[Bees#Sleep]]"


async def test_every_citation_stands_in_the_prompt_under_its_number() -> None:
    generator = FakeGenerator("Yes.")
    events = await (await make(generator)).answer(Request(BEES))
    (prompt,) = generator.prompts
    assert prompt.prompt == BEES
    assert prompt.budget == 500
    assert len(prompt.block.notes) == len(grounding_of(events).citations) > 1
    for note, citation in zip(prompt.block.notes, grounding_of(events).citations, strict=True):
        assert note.number == citation.number
        assert note.source == citation.path
        assert citation.quote in note.text
        assert f"[{citation.number}]" in note.text


async def test_what_did_not_fit_is_named_and_neither_cited_nor_marked() -> None:
    house = await make(FakeGenerator("Bees sleep in the hive [1][2].", room=1))
    events = await house.answer(Request(BEES))
    grounding = grounding_of(events)
    assert [citation.number for citation in grounding.citations] == [1]
    assert "[[Hives]]" in grounding.omitted
    assert text_of(events) == "Bees sleep in the hive [1]."
    assert links(events) == ["[[Bees#Sleep]]"]


async def test_invented_marks_never_reach_the_reader() -> None:
    house = await make(FakeGenerator("Bees sleep [", "99", "] in the hive [1", "]."))
    assert text_of(await house.answer(Request(BEES))) == "Bees sleep in the hive [1]."


async def test_max_tokens_come_from_the_request_or_the_settings() -> None:
    generator = FakeGenerator("Yes.")
    house = await make(generator)
    await house.answer(Request(BEES, Sampling(max_tokens=5)))
    await house.answer(Request(BEES))
    assert [sampling.max_tokens for sampling in generator.samplings] == [5, 64]


async def test_a_completion_is_grounded_too() -> None:
    generator = FakeGenerator("the hive.")
    events = await (await make(generator)).answer(Request(Continuation("At night bees sleep in")))
    assert grounding_of(events).citations
    (prompt,) = generator.prompts
    assembled = prompt.assembled(prompt.block.notes)
    assert isinstance(assembled, Continuation)
    assert assembled.text.endswith("\n\nAt night bees sleep in")


# --- sources ----------------------------------------------------------------------------------------------------------


async def test_sources_as_a_last_line_with_links_for_marks() -> None:
    house = await make(FakeGenerator("Bees sleep in the hive at night [1]."))
    events = await house.answer(Request(BEES, sources="markdown"))
    said = text_of(events)
    assert "[[Bees#Sleep|1]]" in said
    assert said.splitlines()[-1].startswith("Sources: [[Bees#Sleep]]")
    assert [type(event) for event in events[-2:]] == [Sources, Finished]


async def test_the_source_line_is_in_the_language_of_the_question() -> None:
    house = await make(FakeGenerator("五花肉切块，小火炖一小时。"))
    events = await house.answer(Request(talk("红烧肉的五花肉怎么切？"), sources="markdown"))
    assert text_of(events).splitlines()[-1] == "来源：[[红烧肉]]"


async def test_a_missing_mark_is_set_where_it_has_a_meaning_and_the_line_names_its_note_elsewhere() -> None:
    house = await make(FakeGenerator("Bees sleep in the hive at night. ", "Really?"))
    said = {mode: text_of(await house.answer(Request(BEES, sources=mode))) for mode in SOURCES}
    assert said["field"] == "Bees sleep in the hive at night. [1] Really?"
    assert said["markdown"] == "Bees sleep in the hive at night. Really?\n\nSources: [[Bees#Sleep]]"
    assert said["none"] == "Bees sleep in the hive at night. Really?"
    untouched = await house.answer(Request(BEES, hygiene=False))
    assert text_of(untouched) == "Bees sleep in the hive at night. Really?"
    assert links(untouched) == ["[[Bees#Sleep]]"]


@pytest.mark.parametrize("mode", ["field", "markdown", "none"])
async def test_sentences_that_no_note_holds_are_named_and_stay(mode: SourcesMode) -> None:
    house = await make(FakeGenerator("Bees sleep in the hive at night [1]. ", "Quarks carry", " colour charge. Yes."))
    events = await house.answer(Request(BEES, Sampling(n=2), sources=mode))
    assert unsupported(events, 0) == unsupported(events, 1) == ["Quarks carry colour charge."]
    assert all(
        0.0 <= place.support < 0.5 for event in events if isinstance(event, Sources) for place in event.unsupported
    )


async def test_without_notes_no_sentence_is_called_unsupported() -> None:
    house = await make(FakeGenerator("Quarks carry colour charge."))
    assert unsupported(await house.answer(Request(NONSENSE))) == []
    assert unsupported(await house.answer(Request(NONSENSE, editor=True))) == []


async def test_no_sources_no_marks() -> None:
    house = await make(FakeGenerator("Bees sleep in the hive [1]."))
    events = await house.answer(Request(BEES, sources="none"))
    assert text_of(events) == "Bees sleep in the hive."
    assert links(events)[0] == "[[Bees#Sleep]]"


async def test_no_source_line_for_an_answer_that_rests_on_nothing() -> None:
    house = await make(FakeGenerator("Quarks carry colour charge."))
    events = await house.answer(Request(BEES, sources="markdown"))
    assert text_of(events) == "Quarks carry colour charge."
    assert links(events) == []


# --- when notes do not belong -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("prompt", [NONSENSE, Continuation("quantum chromodynamics lattice")])
async def test_with_nothing_relevant_the_prompt_is_left_as_it_came(prompt: Prompt) -> None:
    generator = FakeGenerator("arr[0] and [1] stay.")
    events = await (await make(generator)).answer(Request(prompt, sources="markdown"))
    assert generator.prompts == [GroundedPrompt(prompt)]
    assert generator.prompts[0].assembled(()) == prompt
    assert grounding_of(events).citations == ()
    assert text_of(events) == "arr[0] and [1] stay."
    assert links(events) == []


async def test_off_never_looks_into_the_vault(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = FakeGenerator("Yes.")
    house = await make(generator)
    searched: list[str] = []

    async def keyword(text: str, scope: Scope, limit: int) -> list[Scored]:
        searched.append(text)
        return []

    monkeypatch.setattr(house.store, "keyword", keyword)
    events = await house.answer(Request(BEES, grounding="off"))
    assert searched == house.embeddings.questions == []
    assert generator.prompts == [GroundedPrompt(BEES)]
    assert grounding_of(events).citations == ()


@pytest.mark.parametrize("grounding", ["auto", "always"])
async def test_the_note_that_is_edited_is_never_cited(grounding: GroundingMode) -> None:
    house = await make(FakeGenerator("Bees sleep in the hive at night [1]."))
    by_title = Request(talk("Title: Bees\n\nWhere do bees sleep in the hive?"), grounding=grounding)
    by_path = Request(BEES, grounding=grounding, note=NotePath("Bees.md"))
    for request in (by_title, by_path):
        events = await house.answer(request)
        cited = {citation.path for citation in grounding_of(events).citations}
        assert "Hives.md" in cited
        assert "Bees.md" not in cited
        assert "[[Bees" not in "".join(links(events))


@pytest.mark.parametrize("titled", ["Title: Diary\n\n", "Title: Bees\n\nContinue writing:\n\n"])
async def test_a_text_to_be_continued_asks_by_what_stands_above_the_cursor(titled: str) -> None:
    above = "For the pork belly I cut cubes and let them simmer in a pot with wine and sugar. " * 12
    house = await make(FakeGenerator("Yes."))
    events = await house.answer(
        Request(talk(f"{titled}{above}\n\nAt night the bees sleep in the hive, and"), editor=True)
    )
    (question,) = [text for text in house.embeddings.questions if text not in BARE_QUESTIONS["latin"]]
    assert question == "At night the bees sleep in the hive, and"
    expected = {"Hives.md"} if "Bees" in titled else {"Bees.md", "Hives.md"}
    assert {citation.path for citation in grounding_of(events).citations} == expected


async def test_a_question_about_yesterday_is_answered_from_its_daily_note_whatever_was_synced_since() -> None:
    house = await make(FakeGenerator("Rain."))
    clock = datetime.fromtimestamp(FakeClock().now())
    names = [f"{clock - timedelta(days=days):%Y-%m-%d}.md" for days in (0, 1, 2)]
    await house.write(*(update(chunk(name, f"Rain fell for {n} hours.")) for n, name in enumerate(names)))
    events = await house.answer(Request(talk("What did I do yesterday?")))
    cited = [citation.path for citation in grounding_of(events).citations]
    assert cited[0] == names[1]
    assert not {names[0], names[2]} & {*cited}


async def test_a_question_that_names_the_notes_gets_what_is_nearest() -> None:
    house = await make(FakeGenerator("Nothing."))
    assert grounding_of(await house.answer(Request(NONSENSE))).citations == ()
    named = talk("Do my notes have quantum chromodynamics lattice?")
    assert grounding_of(await house.answer(Request(named))).citations != ()


async def test_what_only_the_vault_may_answer_and_does_not_know_is_said_without_a_model() -> None:
    generator = FakeGenerator("Quarks.")
    house = await make(generator)
    events = await house.answer(Request(NONSENSE, grounding="always"))
    assert generator.prompts == []
    assert [type(event) for event in events] == [Grounding, Piece, Sources, Finished]
    assert grounding_of(events).citations == ()
    assert links(events) == []
    said = text_of(events)
    assert said.startswith(ENGLISH.nothing)
    assert set(re.findall(r"\[\[([^\]#]+)", said)) <= {"Bees", "Hives", "红烧肉"}
    assert "[[" in said
    await house.answer(Request(NONSENSE, grounding="auto"))
    assert generator.prompts == [GroundedPrompt(NONSENSE)]


async def test_it_is_said_in_the_language_of_the_question_and_how_much_is_indexed() -> None:
    house = await make(FakeGenerator("Yes."))
    await house.store.replace([update(chunk("New.md", "Wasps build nests of paper.", context="New"))])
    said = text_of(await house.answer(Request(talk("宇宙飞船怎么降落"), grounding="always")))
    assert said.startswith(CHINESE.nothing)
    assert said.endswith(CHINESE.indexed.format(done=4, all=5))


@pytest.mark.parametrize(
    "request_",
    [
        Request(Continuation("quantum chromodynamics lattice"), grounding="always"),
        Request(NONSENSE, Sampling(grammar=Grammar("json_schema", "{}")), grounding="always"),
        Request(replace(NONSENSE, tools=(Tool("look"),)), grounding="always"),
    ],
)
async def test_an_answer_with_a_form_is_always_the_models(request_: Request) -> None:
    generator = FakeGenerator("Yes.")
    await (await make(generator)).answer(request_)
    assert len(generator.prompts) == 1


async def test_a_follow_up_rests_on_the_notes_of_former_turns() -> None:
    generator = FakeGenerator("Bees sleep in the hive [1].")
    house = await make(generator)
    said = text_of(await house.answer(Request(BEES, grounding="always")))
    await house.answer(Request(talk(BEES.messages[0].text, said, NONSENSE.messages[0].text), grounding="always"))
    assert len(generator.prompts) == 2


async def test_scope_and_k_bound_what_is_cited() -> None:
    house = await make(FakeGenerator("Yes."))
    events = await house.answer(Request(BEES, scope=Scope(notes=(NotePath("Hives.md"),))))
    assert {citation.path for citation in grounding_of(events).citations} == {"Hives.md"}
    assert len(grounding_of(await house.answer(Request(BEES, k=1))).citations) == 1


async def test_a_note_that_goes_while_the_question_is_asked_is_not_cited(monkeypatch: pytest.MonkeyPatch) -> None:
    house = await make(FakeGenerator("Yes."))
    search = house.store.keyword

    async def keyword(text: str, scope: Scope, limit: int) -> list[Scored]:
        found = await search(text, scope, limit)
        await house.store.replace([], [NotePath("Bees.md")])
        return found

    monkeypatch.setattr(house.store, "keyword", keyword)
    events = await house.answer(Request(BEES))
    assert [citation.path for citation in grounding_of(events).citations] == ["Hives.md"]
    assert grounding_of(events).citations[0].number == 1


# --- without a model --------------------------------------------------------------------------------------------------


async def test_without_a_model_passages_answer() -> None:
    events = await (await make(None)).answer(Request(BEES))
    assert isinstance(events[0], Grounding)
    assert [type(event) for event in events[-2:]] == [Sources, Finished]
    said = text_of(events)
    assert "> Bees sleep in the hive at night." in said
    assert "[[Bees#Sleep]]" in said
    assert FETCH in said
    assert "[[Bees#Sleep]]" in links(events)
    assert all(link in said for link in links(events))


async def test_without_a_model_a_chinese_question_gets_a_chinese_frame() -> None:
    said = text_of(await (await make(None)).answer(Request(talk("红烧肉的五花肉怎么切？"))))
    assert "[[红烧肉]]" in said
    assert "五花肉切块" in said
    assert FETCH in said
    frame = [line for line in said.replace(FETCH, "").splitlines() if line and not line.startswith(">")]
    assert frame
    assert not any("a" <= character <= "z" for character in "".join(frame).casefold())


async def test_without_a_model_and_without_a_note_it_says_so() -> None:
    events = await (await make(None)).answer(Request(NONSENSE))
    assert grounding_of(events).citations == ()
    assert FETCH in text_of(events)
    assert "[[" not in text_of(events)
    assert links(events) == []


async def test_without_a_model_and_with_grounding_off_nothing_can_be_said() -> None:
    (event,) = await (await make(None)).answer(Request(BEES, grounding="off"))
    assert isinstance(event, Failed)
    assert isinstance(event.error, ModelMissing)
    assert FETCH in event.error.hint


# --- faults -----------------------------------------------------------------------------------------------------------


async def test_a_full_queue_is_said_before_any_work_is_done() -> None:
    generator = FakeGenerator("Yes.")
    generator.full = True
    house = await make(generator)
    with pytest.raises(Overloaded):
        await house.answer(Request(BEES))
    assert house.embeddings.questions == []
    assert generator.prompts == []


@pytest.mark.parametrize("messages", [(), (Message("system", ("Be kind.",)),), (Message("assistant", ("Hi.",)),)])
async def test_a_conversation_needs_a_user(messages: tuple[Message, ...]) -> None:
    with pytest.raises(InvalidRequest):
        await (await make(FakeGenerator())).answer(Request(Conversation(messages)))


async def test_a_prompt_that_is_too_long_fails_with_its_first_event() -> None:
    generator = FakeGenerator(failure=ContextTooLong("Too long."))
    (event,) = await (await make(generator)).answer(Request(BEES))
    assert isinstance(event, Failed)
    assert isinstance(event.error, ContextTooLong)
    assert generator.admitted == 0


async def test_a_failure_in_the_middle_is_the_last_event() -> None:
    generator = FakeGenerator("Bees ", failure=DecodeFailed("It broke."))
    events = await (await make(generator)).answer(Request(BEES, sources="markdown"))
    assert isinstance(events[-1], Failed)
    assert not any(isinstance(event, Sources | Finished) for event in events)


@pytest.mark.parametrize("model", [True, False])
async def test_an_index_that_cannot_be_searched_fails_with_the_first_event(
    model: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = await make(FakeGenerator("Yes.") if model else None)

    async def keyword(text: str, scope: Scope, limit: int) -> list[Scored]:
        raise StoreMismatch("The index cannot be used.")

    monkeypatch.setattr(house.store, "keyword", keyword)
    (event,) = await house.answer(Request(BEES))
    assert isinstance(event, Failed)
    assert isinstance(event.error, StoreMismatch)


async def test_closing_the_answer_closes_the_generator_and_frees_its_place() -> None:
    generator = FakeGenerator(*["word "] * 100)
    house = await make(generator)
    async with aclosing(house.chat.answer(Request(BEES))) as events:
        async for event in events:
            if isinstance(event, Piece):
                assert generator.admitted == 1
                break
    assert generator.closed == 1
    assert generator.admitted == 0


async def test_a_dead_embedder_still_leaves_an_answer() -> None:
    house = await make(FakeGenerator("Bees sleep in the hive [1]."))
    house.embeddings.failure = DecodeFailed("dead")
    assert grounding_of(await house.answer(Request(BEES))).citations


async def test_a_question_is_embedded_once() -> None:
    house = await make(FakeGenerator("Yes."))
    await house.answer(Request(BEES))
    asked = [text for text in house.embeddings.questions if text not in BARE_QUESTIONS["latin"]]
    assert len(asked) == 1


# --- several choices, and answers with a form of their own ------------------------------------------------------------


async def test_each_choice_has_its_text_and_its_end_and_all_together_their_sources() -> None:
    house = await make(FakeGenerator("Bees sleep ", "in the hive [", "1", "][99]."))
    events = await house.answer(Request(BEES, Sampling(n=3), sources="markdown"))
    assert {text_of(events, choice) for choice in range(3)} == {text_of(events)}
    assert text_of(events).splitlines()[-1].startswith("Sources: [[Bees#Sleep]]")
    assert "99" not in text_of(events)
    assert [event.choice for event in events if isinstance(event, Finished)] == [0, 1, 2]
    assert [type(event) for event in events[-2:]] == [Sources, Finished]
    assert links(events)[0] == "[[Bees#Sleep]]"
    assert len(set(links(events))) == len(links(events))


@pytest.mark.parametrize("sources", ["field", "markdown", "none"])
async def test_an_answer_with_a_form_of_its_own_is_left_as_it_is(sources: SourcesMode) -> None:
    said = '{"places": [1], "more": [99], "text": "Bees sleep in the hive at night."}'
    house = await make(FakeGenerator(*said))
    sampling = Sampling(grammar=Grammar("json_schema", "{}"))
    events = await house.answer(Request(BEES, sampling, sources=sources))
    assert json.loads(text_of(events)) == json.loads(said)
    assert links(events) == ["[[Bees#Sleep]]"]
    assert unsupported(events) == [], "nor is it judged"


async def test_reasoning_and_tool_calls_pass_as_they_are_and_are_no_part_of_the_answer() -> None:
    class Thinking(FakeGenerator):
        async def stream(self, prompt: GroundedPrompt, sampling: Sampling) -> AsyncGenerator[Event, None]:
            async for event in super().stream(prompt, sampling):
                yield event
                if isinstance(event, Started):
                    yield Piece("Look at [99].", kind="reasoning")
                    yield Piece('{"at": [99]}', kind="tool_call")

    house = await make(Thinking("Bees sleep in the hive [1]."))
    events = await house.answer(Request(BEES))
    assert [event.text for event in events if isinstance(event, Piece) and event.kind != "answer"] == [
        "Look at [99].",
        '{"at": [99]}',
    ]
    assert events[-3] == Piece("Bees sleep in the hive [1].")


async def test_log_probabilities_of_a_held_back_mark_are_not_lost() -> None:
    known = TokenLogprob("[99]", b"[99]", -1.0)

    class Sure(FakeGenerator):
        async def stream(self, prompt: GroundedPrompt, sampling: Sampling) -> AsyncGenerator[Event, None]:
            async for event in super().stream(prompt, sampling):
                yield replace(event, logprobs=(known,)) if isinstance(event, Piece) else event

    events = await (await make(Sure("Yes", "[99]", "."))).answer(Request(BEES, Sampling(logprobs=0)))
    assert text_of(events) == "Yes."
    assert [event.logprobs for event in events if isinstance(event, Piece)] == [(known,)] * 3


# --- how requests end -------------------------------------------------------------------------------------------------


async def test_every_request_says_once_how_it_ended() -> None:
    generator = FakeGenerator("Yes.")
    house = await make(generator)
    await house.answer(Request(BEES, Sampling(n=2)))
    generator.full = True
    with pytest.raises(Overloaded):
        await house.answer(Request(BEES))
    generator.full = False
    with pytest.raises(InvalidRequest):
        await house.answer(Request(Conversation(())))
    async with aclosing(house.chat.answer(Request(BEES))) as events:
        await anext(events)
        assert house.chat.admitted == 1
    generator.failure = DecodeFailed("It broke.")
    await house.answer(Request(BEES))
    generator.failure = ContextTooLong("Too long.")
    await house.answer(Request(BEES))
    expected = ["stop", "overloaded", "invalid_request", "cancelled", "decode_failed", "context_length_exceeded"]
    assert house.outcomes == expected
    assert house.chat.admitted == 0
