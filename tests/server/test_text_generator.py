"""Text Generator's rules: what its two providers send, and what their parsers survive, over real HTTP.

The plugin's *Custom* provider reads each piece of the network by itself; *OpenAI Chat* (LangChain) reads proper events
and counts on the usage that it asks for. Both send one user message made from the plugin's context template.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Iterable
from itertools import pairwise

import httpx
import pytest

from tests.server.building import CHINESE, TOMATOES, TOMATOES_LINK, Building, ScriptedGenerator
from tests.server.reading import Json, RawStream, question, text_generator, text_generator_openai
from vaultbridge.core.dialogue import (
    Conversation,
    Event,
    Failed,
    Finished,
    GroundedPrompt,
    Piece,
    PromptNote,
    Sampling,
    Started,
    Usage,
)
from vaultbridge.core.errors import DecodeFailed
from vaultbridge.server import sse

Parser = Callable[[Iterable[bytes]], str]

CHAT = "/v1/chat/completions"
CUSTOM: Json = {
    "model": "gpt-3.5-turbo-16k",
    "temperature": 0.7,
    "top_p": 1,
    "frequency_penalty": 0.5,
    "presence_penalty": 0.5,
    "max_tokens": 5000,
    "n": 1,
}
OPENAI_CHAT: Json = {**CUSTOM, "presence_penalty": 0, "stream_options": {"include_usage": True}}
BARE = "Authorization: Bearer\r\n"
LANGCHAIN = "Authorization: Bearer anything\r\nx-stainless-lang: js\r\nx-title: Obsidian Text Generator\r\n"
CONTEXT = "Title: {title}\n\t\nStarred Blocks: {starred}\n\t  \n{text}"

PROVIDERS = pytest.mark.parametrize(
    ("body", "headers", "parser"),
    [(CUSTOM, BARE, text_generator), (OPENAI_CHAT, LANGCHAIN, text_generator_openai)],
    ids=["custom", "openai-chat"],
)


def context(text: str, title: str = "Plans", starred: str = "") -> str:
    return CONTEXT.format(title=title, starred=starred, text=text)


def reads_of(address: str, text: str, body: Json, headers: str = BARE) -> list[bytes]:
    with RawStream(address, question(text, **body), headers) as stream:
        return list(stream.http_chunks())


def chunks_of(reads: Iterable[bytes]) -> list[Json]:
    return [json.loads(read.decode().removeprefix("data: ")) for read in reads if read != b"data: [DONE]\n\n"]


class Listening:
    """A generator that says a line and keeps the prompts that it was asked."""

    def __init__(self, *pieces: str) -> None:
        self.pieces = pieces or ("Water them every second morning.",)
        self.prompts: list[GroundedPrompt] = []

    async def __call__(self, prompt: GroundedPrompt, sampling: Sampling) -> AsyncGenerator[Event, None]:
        self.prompts.append(prompt)
        yield Started(tuple(note.number for note in prompt.block.notes), (), 12)
        for text in self.pieces:
            yield Piece(text)
        yield Finished("stop", Usage(12, len(self.pieces)))

    @property
    def notes(self) -> tuple[PromptNote, ...]:
        """The notes beside the last question."""
        return self.prompts[-1].block.notes

    @property
    def message(self) -> str:
        """The last question as the model sees it."""
        asked = self.prompts[-1].prompt
        assert isinstance(asked, Conversation)
        return asked.messages[-1].text


@pytest.fixture
def listening() -> Listening:
    return Listening()


@pytest.fixture
def place(building: Building, listening: Listening) -> str:
    return building.serve(building.speaking(ScriptedGenerator(listening)))


# --- the parsers of ours break where the real ones do -----------------------------------------------------------------

ONE, TWO = (f'data: {{"choices":[{{"delta":{{"content":"{word}"}}}}]}}' for word in ("one", "two"))
USAGE = 'data: {"choices":[],"usage":{}}'


@pytest.mark.parametrize(
    ("reads", "custom", "openai"),
    [
        ([f"{ONE}\n\n{TWO}\n\n"], "onetwo", "onetwo"),
        ([f"{ONE}\r\n\r\n", f"{TWO}\r\n\r\n"], "onetwo", "onetwo"),
        ([f"{ONE}\n\n", ": ping\n\n", f"{TWO}\n\n"], "onetwo", "onetwo"),
        ([f"{ONE}\n\n: ping\n\n", f"{TWO}\n\n"], "two", "onetwo"),
        ([ONE[:20], f"{ONE[20:]}\n\n", f"{TWO}\n\n"], "two", "onetwo"),
        ([f"{ONE}\n\n".replace("data: ", "data:")], "", "one"),
        ([f"{ONE}\n\n", "data: [DONE]\n\n"], "one", "one"),
        ([f"{ONE}\n\n", f"{USAGE}\n\n"], None, "one"),
        ([f"{ONE}\n\n", 'data: {"sources":[]}\n\n'], None, "one"),
    ],
)
def test_our_parsers_break_where_the_real_ones_do(reads: list[str], custom: str | None, openai: str) -> None:
    raw = [read.encode() for read in reads]
    assert text_generator_openai(raw) == openai
    if custom is None:
        with pytest.raises((KeyError, IndexError)):
            text_generator(raw)
    else:
        assert text_generator(raw) == custom


# --- 1 to 3: chunks -----------------------------------------------------------------------------------------------


@PROVIDERS
@pytest.mark.parametrize("text", [TOMATOES, CHINESE, "Hello there"], ids=["english", "chinese", "ungrounded"])
def test_the_parser_loses_nothing(
    address: str, client: httpx.Client, body: Json, headers: str, parser: Parser, text: str
) -> None:
    asked = question(context(text), **{name: value for name, value in body.items() if name != "stream_options"})
    whole = client.post(CHAT, json=asked, headers={"Authorization": "Bearer"}).raise_for_status().json()
    said = whole["choices"][0]["message"]["content"]
    assert said
    assert isinstance(said, str), "anything else is inserted as [object Object]"
    assert parser(reads_of(address, context(text), body, headers)) == said


@PROVIDERS
def test_every_write_is_one_whole_event(address: str, body: Json, headers: str, parser: Parser) -> None:
    with RawStream(address, question(CHINESE, **body), headers) as stream:
        writes = list(stream.http_chunks())
        assert b"text/event-stream" in stream.head
    assert len(writes) > 5
    for write in writes:
        assert write.startswith(b"data: ")
        assert write.endswith(b"\n\n")
        assert write.count(b"\n") == 2
        assert b"\r" not in write
    assert writes[-1] == b"data: [DONE]\n\n"
    assert parser(writes)


def test_never_a_chunk_without_a_choice(address: str) -> None:
    for chunk in chunks_of(reads_of(address, context(TOMATOES), CUSTOM)):
        (choice,) = chunk["choices"]
        assert "delta" in choice
        assert "usage" not in chunk


def test_usage_only_if_it_is_asked_for(address: str) -> None:
    *_, last = chunks_of(reads_of(address, context(TOMATOES), OPENAI_CHAT, LANGCHAIN))
    assert last["choices"] == []
    assert last["usage"]["completion_tokens"] > 0


@PROVIDERS
def test_a_failure_in_the_middle_keeps_what_was_said(
    building: Building, body: Json, headers: str, parser: Parser
) -> None:
    async def speak(prompt: GroundedPrompt, sampling: Sampling) -> AsyncGenerator[Event, None]:
        yield Started((), ())
        yield Piece("So far")
        yield Failed(DecodeFailed("It broke."))

    place = building.serve(building.speaking(ScriptedGenerator(speak)))
    assert parser(reads_of(place, "x", body, headers)) == "So far"


@PROVIDERS
def test_a_quiet_line_is_kept_alive_by_empty_chunks(
    building: Building, monkeypatch: pytest.MonkeyPatch, body: Json, headers: str, parser: Parser
) -> None:
    monkeypatch.setattr(sse, "KEEP_ALIVE_SECONDS", 0.02)
    enough = asyncio.Event()

    async def speak(prompt: GroundedPrompt, sampling: Sampling) -> AsyncGenerator[Event, None]:
        yield Started((), ())
        yield Piece("wait… ")
        await enough.wait()
        yield Piece("done")
        yield Finished("stop", Usage(1, 2))

    async def go() -> None:
        enough.set()

    reads: list[bytes] = []
    with RawStream(
        building.serve(building.speaking(ScriptedGenerator(speak))), question("x", **body), headers
    ) as stream:
        for read in stream.http_chunks():
            reads.append(read)
            if len(reads) == 6:  # role, one word, and only keep-alives since
                building.await_(go())
    kept_alive = chunks_of(reads[2:6])
    assert all(chunk["choices"][0]["delta"].get("content", "") == "" for chunk in kept_alive)
    assert len({chunk["id"] for chunk in chunks_of(reads)}) == 1
    assert parser(reads) == "wait… done"


# --- 4 and 5: what is accepted ------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [True, False])
def test_unknown_models_fields_and_a_bare_bearer_are_accepted(client: httpx.Client, stream: bool) -> None:
    body = question(context(TOMATOES), **CUSTOM, stream=stream, handlebars={"x": 1}, requestTimeout=300000)
    assert client.post(CHAT, json=body, headers={"Authorization": "Bearer"}).status_code == 200


def test_5000_tokens_are_taken_as_they_are_asked_for(building: Building) -> None:
    generator = ScriptedGenerator(Listening())
    place = building.serve(building.speaking(generator))
    reads_of(place, "x", CUSTOM)
    (sampling,) = generator.sampling
    assert (sampling.max_tokens, sampling.frequency_penalty, sampling.presence_penalty) == (5000, 0.5, 0.5)


def test_the_browser_may_send_every_header_of_langchains(client: httpx.Client) -> None:
    names = "authorization,content-type,http-referer,x-title,x-stainless-arch,x-stainless-lang,x-stainless-os"
    asked = {
        "Origin": "app://obsidian.md",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": names,
    }
    granted = client.options(CHAT, headers=asked)
    assert granted.headers["access-control-allow-origin"] == "app://obsidian.md"
    assert granted.headers["access-control-allow-headers"] == names


# --- 7: what is asked ---------------------------------------------------------------------------------------------


@PROVIDERS
def test_the_tail_is_the_question(place: str, listening: Listening, body: Json, headers: str, parser: Parser) -> None:
    reads_of(place, context(TOMATOES), body, headers)
    alone = listening.notes
    above = "Bees and hives, and their shed. " * 60
    said = parser(reads_of(place, context(f"{above}\n\n{TOMATOES}"), body, headers))
    assert listening.notes == alone
    assert above in listening.message, "the model reads all of it"
    assert said.startswith("Water them every second morning.\n\nSources: [[Tomatoes#Watering]]")


def test_the_note_that_is_edited_does_not_answer_itself(place: str, listening: Listening) -> None:
    assert TOMATOES_LINK in text_generator(reads_of(place, context(TOMATOES, title="Plans"), CUSTOM))
    assert "Garden/Tomatoes.md" in {note.source for note in listening.notes}
    assert "[[Tomatoes" not in text_generator(reads_of(place, context(TOMATOES, title="Tomatoes"), CUSTOM))
    assert "Garden/Tomatoes.md" not in {note.source for note in listening.notes}


def test_starred_blocks_and_what_stands_above_the_limit_are_not_the_question(place: str, listening: Listening) -> None:
    reads_of(place, context(TOMATOES), CUSTOM)
    alone = listening.notes
    reads_of(place, context(TOMATOES, starred="# Hive *\nThe hive stands behind the shed.\n"), CUSTOM)
    assert listening.notes == alone
    reads_of(place, context(f"The hive stands behind the shed.\n***\n{TOMATOES}"), CUSTOM)
    assert listening.notes == alone


def test_an_earlier_answers_sources_are_not_read_again(place: str, listening: Listening) -> None:
    above = "Bees dance [[红烧肉#炖煮|1]].\n\nSources: [[红烧肉#炖煮]] · [[Bees]]"
    reads_of(place, context(f"Bees dance.\n\n{TOMATOES}"), CUSTOM)
    without = listening.notes
    reads_of(place, context(f"{above}\n\n{TOMATOES}"), CUSTOM)
    assert listening.notes == without
    assert listening.message.endswith(f"Bees dance.\n\n{TOMATOES}")
    said = text_generator(reads_of(place, context(TOMATOES), CUSTOM))
    assert "Sources: [[" in said
    reads_of(place, context(f"{TOMATOES}\n\n{said}\n\n{TOMATOES}"), CUSTOM)
    assert "[[" not in listening.message


# --- commands that want no vault ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        f'Generate a title for the current document (do not use * " \\ / < > : | ? .):\n{TOMATOES}',
        f"continue the follwing text:\n{TOMATOES}",
        context(f"Summarize the following text:\n\n{TOMATOES} Water the tomatoes every second morning in summer."),
        context(f"{TOMATOES}\n\n```python\nwater("),
    ],
    ids=["title", "suggestion", "summary", "code"],
)
def test_titles_suggestions_summaries_and_code_are_left_without_notes(
    place: str, listening: Listening, text: str
) -> None:
    said = text_generator(reads_of(place, text, CUSTOM))
    assert listening.notes == ()
    assert listening.message == text
    assert "Sources" not in said


def test_suggestions_come_in_several_choices(client: httpx.Client) -> None:
    body = question("continue the follwing text:\nWater the tomatoes", **{**CUSTOM, "n": 5}, stop=["."], stream=False)
    choices = client.post(CHAT, json=body).raise_for_status().json()["choices"]
    assert [choice["index"] for choice in choices] == list(range(5))


# --- what is put into the note ------------------------------------------------------------------------------------


def test_what_is_inserted_is_clean_and_streams(building: Building) -> None:
    said = "<think>Hm.</think>Based on your notes, water [[Nowhere|them]] [1][9].\n```\nx"
    listening = Listening(*[one + other for one, other in pairwise(said)][::2], said[-1] if len(said) % 2 else "")
    place = building.serve(building.speaking(ScriptedGenerator(listening)))
    reads = reads_of(place, context(TOMATOES), CUSTOM)
    assert text_generator(reads).startswith(f"Water them {TOMATOES_LINK[:-2]}|1]].\n```\nx\n```")
    assert len(reads) > 10


def test_a_loop_ends_by_itself(building: Building) -> None:
    listening = Listening(*["Water the tomatoes.\n"] * 50)
    place = building.serve(building.speaking(ScriptedGenerator(listening)))
    *_, last, _ = reads = reads_of(place, context(TOMATOES), CUSTOM)
    assert text_generator(reads).startswith("Water the tomatoes.\n" * 2 + "\nSources: ")
    assert json.loads(last.decode().removeprefix("data: "))["choices"][0]["finish_reason"] == "stop"
