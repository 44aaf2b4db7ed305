"""Editor hygiene as a client sees it: when it is kept, when the model's text is left untouched, how an answer ends."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

import pytest

from tests.chat.houses import PROMPT_TOKENS, FakeGenerator, grounding_of, links, make, talk, text_of
from vaultbridge.chat.service import AnswerEvent, Request, Sources
from vaultbridge.core.dialogue import (
    CallHead,
    Conversation,
    Event,
    Finished,
    Grammar,
    GroundedPrompt,
    Message,
    Piece,
    Sampling,
    Started,
    TokenLogprob,
)

BEES = "Where do bees sleep in the hive?"
NONSENSE = "quantum chromodynamics lattice?"
UNCLEAN = "<think>Hm.</think>Based on your notes, bees sleep in [[Nowhere|the hive]].\n\n```\nx"
CLEAN = "Bees sleep in the hive.\n\n```\nx\n```"
LOOP = "Bees sleep in the hive.\n"


def finished(events: list[AnswerEvent]) -> list[Finished]:
    return [event for event in events if isinstance(event, Finished)]


# --- when it is kept --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "request_",
    [
        Request(talk(BEES)),
        Request(talk(NONSENSE), editor=True),
        Request(talk(f"Title: Diary\n\n{NONSENSE}")),
        Request(talk(NONSENSE), grounding="off", editor=True, sources="markdown"),
        Request(talk(BEES), Sampling(n=2)),
    ],
    ids=["grounded", "editor", "titled", "off", "choices"],
)
async def test_grounded_answers_and_those_for_an_editor_are_clean(request_: Request) -> None:
    house = await make(FakeGenerator(*UNCLEAN))
    said = text_of(await house.answer(request_))
    if request_.grounding == "off":  # nobody looked which notes there are
        said = said.replace("[[Nowhere|the hive]]", "the hive")
    assert said.replace(" [1]", "") == CLEAN


@pytest.mark.parametrize(
    "request_",
    [
        Request(talk(NONSENSE)),
        Request(talk(BEES), grounding="off"),
        Request(talk(BEES), hygiene=False),
        Request(talk(BEES), editor=True, hygiene=False),
        Request(talk(BEES), Sampling(grammar=Grammar("gbnf", "root ::= .*")), editor=True),
    ],
    ids=["ungrounded", "off", "untouched", "untouched-editor", "form"],
)
async def test_otherwise_the_models_text_is_left_untouched(request_: Request) -> None:
    house = await make(FakeGenerator(*UNCLEAN))
    assert text_of(await house.answer(request_)) == UNCLEAN


async def test_links_to_notes_are_real_in_ungrounded_answers_too() -> None:
    said = "[[hives]], [[Bees#Sleep]], [[厨房/红烧肉]], [[Nowhere]], [[Mine]], ![[Mine#Own]]"
    house = await make(FakeGenerator(said))
    events = await house.answer(Request(talk(f"[[Mine]] and ![[Mine#Own]]. {NONSENSE}"), editor=True))
    assert grounding_of(events).citations == ()
    assert text_of(events) == "[[hives]], [[Bees]], [[厨房/红烧肉]], Nowhere, [[Mine]], ![[Mine#Own]]"


async def test_headings_of_cited_notes_are_known() -> None:
    house = await make(FakeGenerator("[[Bees#Dance]] [[Bees#Invented]] [[Hives#Price|cost]] [1]"))
    said = text_of(await house.answer(Request(talk(BEES))))
    assert said == "[[Bees#Dance]] [[Bees]] [[Hives|cost]] [1]"


async def test_our_own_marks_stay_links() -> None:
    house = await make(FakeGenerator("Bees sleep in the hive [1][9]."))
    said = text_of(await house.answer(Request(talk(BEES), sources="markdown", editor=True)))
    assert said.startswith("Bees sleep in the hive [[Bees#Sleep|1]].\n\nSources: ")


# --- code -------------------------------------------------------------------------------------------------------------


async def test_with_an_open_fence_above_the_cursor_only_code_is_produced() -> None:
    generator = FakeGenerator(*"```python\nsleep(1)\n```\n\nThis sleeps.\n", *["more"] * 100)
    house = await make(generator)
    events = await house.answer(Request(talk(f"Title: Diary\n\n{BEES}\n\n```python\n"), sources="markdown"))
    assert text_of(events) == "sleep(1)\n```"
    assert grounding_of(events).citations == ()
    assert house.embeddings.questions == []
    assert [(end.reason, end.choice) for end in finished(events)] == [("stop", 0)]


# --- thinking and tools -----------------------------------------------------------------------------------------------


class Calling(FakeGenerator):
    """Thinks, speaks and calls a tool."""

    async def stream(self, prompt: GroundedPrompt, sampling: Sampling) -> AsyncGenerator[Event, None]:
        async for event in super().stream(prompt, sampling):
            yield event
            if isinstance(event, Started):
                yield Piece("Look at [9].", kind="reasoning")
                yield Piece('{"at": "[[Nowhere]] [9]"}', kind="tool_call", call=CallHead(0, "1", "look"))


@pytest.mark.parametrize(
    ("request_", "kinds"),
    [
        (Request(talk(BEES), editor=True), {"tool_call", "answer"}),
        (Request(talk(f"Title: Diary\n\n{BEES}")), {"tool_call", "answer"}),
        (Request(talk(BEES)), {"reasoning", "tool_call", "answer"}),
        (Request(talk(BEES), editor=True, hygiene=False), {"reasoning", "tool_call", "answer"}),
    ],
)
async def test_reasoning_is_not_for_editors(request_: Request, kinds: set[str]) -> None:
    house = await make(Calling("Bees sleep in the hive at night [1]."))
    pieces = [event for event in await house.answer(request_) if isinstance(event, Piece)]
    assert {piece.kind for piece in pieces} == kinds
    (call,) = [piece for piece in pieces if piece.kind == "tool_call"]
    assert call == Piece('{"at": "[[Nowhere]] [9]"}', kind="tool_call", call=CallHead(0, "1", "look"))


async def test_no_source_line_after_a_tool_call() -> None:
    house = await make(Calling("Bees sleep in the hive at night [1]."))
    events = await house.answer(Request(talk(BEES), sources="markdown"))
    text = "".join(event.text for event in events if isinstance(event, Piece) and event.kind == "answer")
    assert text == "Bees sleep in the hive at night [[Bees#Sleep|1]]."
    assert links(events)[0] == "[[Bees#Sleep]]"


# --- an answer that goes round in circles -----------------------------------------------------------------------------


async def test_a_third_equal_line_ends_the_answer_and_the_generator() -> None:
    generator = FakeGenerator(*[LOOP] * 100)
    house = await make(generator)
    events = await house.answer(Request(talk(BEES), sources="markdown"))
    assert text_of(events).startswith(f"{LOOP}{LOOP}\nSources: [[")
    assert [type(event) for event in events[-2:]] == [Sources, Finished]
    (end,) = finished(events)
    assert (end.reason, end.usage.prompt_tokens) == ("stop", PROMPT_TOKENS)
    assert 3 <= end.usage.completion_tokens <= 4
    assert generator.closed == 1
    assert generator.admitted == 0
    assert house.outcomes == ["stop"]


async def test_of_several_choices_only_the_one_that_repeats_itself_ends() -> None:
    class Uneven(FakeGenerator):
        async def stream(self, prompt: GroundedPrompt, sampling: Sampling) -> AsyncGenerator[Event, None]:
            async for event in super().stream(prompt, sampling):
                yield replace(event, text=LOOP) if isinstance(event, Piece) and event.choice == 1 else event

    house = await make(Uneven(*(f"{word}\n" for word in "one two three four five".split())))
    events = await house.answer(Request(talk(BEES), Sampling(n=2)))
    assert text_of(events, 0) == "one\ntwo\nthree\nfour\nfive\n"
    assert text_of(events, 1).replace(" [1]", "") == LOOP * 2
    assert [(end.choice, end.reason) for end in finished(events)] == [(1, "stop"), (0, "stop")]
    cut, whole = (end.usage.completion_tokens for end in finished(events))
    assert 3 <= cut < whole == 5
    assert [type(event) for event in events[-2:]] == [Sources, Finished]


async def test_a_conversation_goes_on_from_it_with_its_text() -> None:
    generator = FakeGenerator(*[LOOP] * 5)
    house = await make(generator)
    said = text_of(await house.answer(Request(talk(BEES))))
    await house.answer(Request(talk(BEES, said, "What do bees dance for?")))
    first, second = generator.prompts
    assert second.earlier == {0: first.block}
    assert isinstance(second.prompt, Conversation)
    assert second.prompt.messages[1] == Message("assistant", (said,)), "what was generated is more than what was said"


# --- what is held -----------------------------------------------------------------------------------------------------


async def test_prose_is_passed_on_piece_by_piece() -> None:
    generator = FakeGenerator("Bees", " sleep", " in", " the", " hive")
    events = await (await make(generator)).answer(Request(talk(BEES), editor=True))
    assert [event.text for event in events if isinstance(event, Piece)] == [*generator.pieces, " [1]"]


async def test_log_probabilities_of_held_text_are_not_lost() -> None:
    class Sure(FakeGenerator):
        async def stream(self, prompt: GroundedPrompt, sampling: Sampling) -> AsyncGenerator[Event, None]:
            async for event in super().stream(prompt, sampling):
                if isinstance(event, Piece):
                    event = replace(event, logprobs=(TokenLogprob(event.text, event.text.encode(), -1.0),))
                yield event

    said = ("Based", " on", " your", " notes", ",", " bees", " sleep", " [[No", "where]]", ".")
    events = await (await make(Sure(*said))).answer(Request(talk(BEES), Sampling(logprobs=0)))
    assert text_of(events) == "Bees sleep Nowhere."
    known = [logprob.text for event in events if isinstance(event, Piece) for logprob in event.logprobs]
    assert known == list(said)


# --- requests that want no vault --------------------------------------------------------------------------------------

SUMMARY = "Summarize the following text:\n\n" + "Bees sleep in the hive at night, and they dance. " * 5


async def test_a_request_that_brings_its_text_along_is_left_as_it_came() -> None:
    generator = FakeGenerator("They sleep.")
    house = await make(generator)
    events = await house.answer(Request(talk(SUMMARY), sources="markdown"))
    assert generator.prompts == [GroundedPrompt(talk(SUMMARY))]
    assert house.embeddings.questions == []
    assert text_of(events) == "They sleep."
    assert grounding_of(await house.answer(Request(talk(SUMMARY), grounding="always"))).citations


async def test_what_the_conversation_has_read_stays_in_its_prompt() -> None:
    generator = FakeGenerator("In the hive [1].")
    house = await make(generator)
    await house.answer(Request(talk(BEES)))
    events = await house.answer(Request(talk(BEES, "In the hive [1].", SUMMARY)))
    first, second = generator.prompts
    assert second.earlier == {0: first.block}
    assert second.block.notes == ()
    assert grounding_of(events).citations


async def test_leaving_early_frees_the_place() -> None:
    generator = FakeGenerator(*[LOOP] * 100)
    house = await make(generator)
    async with aclosing(house.chat.answer(Request(talk(BEES), editor=True))) as events:
        await anext(events)
    assert (generator.closed, generator.admitted, house.outcomes) == (1, 0, ["cancelled"])
