"""Sources as text: where the line belongs, where it does not, and that it is not read again."""

from __future__ import annotations

import pytest

from tests.chat.houses import FakeGenerator, House, grounding_of, links, make, talk, text_of
from vaultbridge.chat.language import LANGUAGES, Phrases
from vaultbridge.chat.service import Request
from vaultbridge.chat.sources import as_written, sources_line, without_sources
from vaultbridge.core.dialogue import Continuation, Conversation, Message
from vaultbridge.core.notes import NotePath, Span
from vaultbridge.core.search import Citation

BEES = "Where do bees sleep in the hive?"
SAID = "Bees sleep in the hive at night [1]."


def citation(link: str) -> Citation:
    return Citation(1, NotePath("x.md"), "", Span(0, 1, 1, 1), "x", link)


def ask(text: str, **more: object) -> Request:
    return Request(talk(text), sources="markdown", **more)  # type: ignore[arg-type]


async def said_by(house: House, request: Request) -> str:
    events = await house.answer(request)
    assert grounding_of(events).citations, "it is not grounded at all"
    return text_of(events)


# --- where it stands --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("editor", [True, False])
async def test_an_empty_line_and_a_line_of_links(editor: bool) -> None:
    house = await make(FakeGenerator(SAID))
    said = await said_by(house, ask(BEES, editor=editor))
    assert said.startswith("Bees sleep in the hive at night [[Bees#Sleep|1]].\n\nSources: [[Bees#Sleep]]")
    assert await said_by(await make(FakeGenerator(SAID, "\n")), ask(BEES)) == said


async def test_none_where_a_sentence_is_continued() -> None:
    generator = FakeGenerator("the hive where bees sleep at night.")
    house = await make(generator)
    text = "Title: Diary\n\nAt night bees sleep in"
    assert "Sources" not in await said_by(house, ask(text))
    assert "Sources" in await said_by(house, ask(f"{text} the hive.\n\nWhere do bees sleep"))
    generator.pieces = ("Bees sleep in the hive at night.",)  # which is no continuation
    assert "Sources" in await said_by(house, ask(text))


@pytest.mark.parametrize(
    "text",
    [
        'Generate a title for the current document (do not use * " \\ / < > : | ? .):\nBees sleep in the hive.',
        "continue the follwing text:\nBees sleep in the hive",
        "Bees sleep in the hive:\n\n```py\nsleep(",
    ],
)
async def test_none_under_a_title_in_a_suggestion_and_in_code(text: str) -> None:
    house = await make(FakeGenerator(SAID))
    said = await said_by(house, ask(text, grounding="always"))
    assert "[[" not in said
    assert "Sources" not in said


async def test_none_where_the_answer_was_cut_in_a_sentence() -> None:
    generator = FakeGenerator("Bees sleep in the hive at")
    generator.reason = "length"
    house = await make(generator)
    assert "Sources" not in await said_by(house, ask(BEES))
    generator.pieces = ("Bees sleep in the hive.",)
    assert "Sources" in await said_by(house, ask(BEES))


async def test_the_sources_are_known_where_they_are_not_shown() -> None:
    house = await make(FakeGenerator("the hive where bees sleep at night."))
    assert links(await house.answer(ask("Title: Diary\n\nAt night bees sleep in")))[0] == "[[Bees#Sleep]]"


# --- and how it is taken out again ------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", LANGUAGES)
@pytest.mark.parametrize("link", ["[[Bees#Sleep]]", "[C# notes](Code/C%23%20notes.md#Delegates)"])
def test_what_we_write_is_what_we_take_out(words: Phrases, link: str) -> None:
    said = "Bees sleep.\n\nSo they say."
    line = sources_line(words, [citation(link), citation("[[蜜蜂]]")], said)
    assert without_sources(said + line) == said + "\n"
    above = f"{said}{line}\n\nWhere?"
    assert without_sources(above) == f"{said}\n\nWhere?"
    assert without_sources(above.replace("\n", "\r\n")).split() == f"{said} Where?".split()
    quoted = "\n".join(f"> {text}" for text in (said + line).splitlines())
    assert without_sources(quoted) == "> Bees sleep.\n> \n> So they say.\n"


def test_the_line_names_each_place_once_and_three_at_most() -> None:
    cited = [citation(f"[[{name}]]") for name in "aabcd"]
    assert sources_line(LANGUAGES[0], cited, "Yes.") == "\n\nSources: [[a]] · [[b]] · [[c]]"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Bees sleep [[Bees#Sleep|1]][[Hives|12]].", "Bees sleep."),
        ("蜜蜂睡觉[[蜜蜂|1]]。", "蜜蜂睡觉。"),
        ("A delegate [2](Code/C%23.md#Delegates).", "A delegate."),
        ("Clay holds water [[Soil.pdf#page=3|1]] [2](Soil%23.pdf#page%3D3).", "Clay holds water."),
        ("| Bees sleep [[Bees#Sleep\\|1]] | x |", "| Bees sleep | x |"),
    ],
)
def test_marks_that_became_links_are_taken_out(text: str, left: str) -> None:
    assert without_sources(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "Sources: of honey",
        "Sources: [[Bees]], [[Wasps]]",
        "The sources: [[Bees]]",
        "[[Bees|the bees]] [[Bees]] ![[picture.png|100]] [1](https://example.org) [1] [one](a.md)",
    ],
)
def test_what_people_write_is_left_alone(text: str) -> None:
    assert without_sources(text) == text


def test_prompts_are_read_as_they_were_written() -> None:
    line = "Yes.\n\nSources: [[Bees]]"
    system = Message("system", (line,))
    talked = Conversation((system, Message("user", (line, "No.")), Message("assistant", (line,))))
    left = as_written(talked)
    assert isinstance(left, Conversation)
    assert [message.parts for message in left.messages] == [(line,), ("Yes.\n", "No."), ("Yes.\n",)]
    assert as_written(Continuation(line)) == Continuation("Yes.\n")


async def test_neither_prompt_nor_query_holds_them() -> None:
    generator = FakeGenerator(SAID)
    house = await make(generator)
    above = f"Bees dance.\n\nSources: [[红烧肉]]\n\n{BEES}"
    await house.answer(ask(f"Title: Diary\n\n{above}"))
    (prompt,) = generator.prompts
    assert isinstance(prompt.prompt, Conversation)
    assert "Sources" not in prompt.prompt.messages[-1].text
    assert all("红烧肉" not in asked for asked in house.embeddings.questions)


async def test_a_conversation_goes_on_from_an_answer_with_sources_in_any_form_it_comes_back() -> None:
    generator = FakeGenerator(SAID)
    house = await make(generator)
    said = await said_by(house, ask(BEES))
    for sent_back in (said, f" {said}\n", said.replace("\n", "\r\n"), said.rsplit("\n", 1)[0]):
        await house.answer(Request(talk(BEES, sent_back, "What do bees dance for?"), sources="markdown"))
        prompt = generator.prompts[-1]
        assert isinstance(prompt.prompt, Conversation)
        assert prompt.prompt.messages[1].tokens == generator.tokens
        assert set(prompt.earlier) == {0}
