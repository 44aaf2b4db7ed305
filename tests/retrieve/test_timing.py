"""Questions about a time: notes of that time come first, by their names before their mtimes."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from tests.retrieve.rows import chunk, embed_all
from vaultbridge.backends.fakes.embeddings import FakeEmbeddings
from vaultbridge.backends.fakes.store import FakeStore
from vaultbridge.core.dialogue import Conversation, Message
from vaultbridge.core.notes import FileState, IndexedNote, NotePath, NoteUpdate
from vaultbridge.core.search import EmbedderInfo, Query, Scope
from vaultbridge.retrieve.query import read_question
from vaultbridge.retrieve.retriever import Retriever

NOW = datetime(2024, 3, 21, 15, 30).astimezone()
SYNCED = datetime(2024, 3, 21, 9)
NOTES = {
    "Daily/2024-03-14.md": ("Rain. Lunch with Jonas.", SYNCED),
    "Daily/2024-03-20.md": ("Sun. Cleaned the gutter.", SYNCED),
    "Kestrel/Meeting 2024-01-09.md": ("Kestrel meeting: the budget is settled.", SYNCED),
    "Kestrel/Meeting 2024-02-06.md": ("Kestrel meeting: the schema is frozen.", SYNCED),
    "Kestrel/Plan.md": ("Kestrel plan: meeting dates, budget and schema.", datetime(2024, 3, 13, 11)),
    "Kestrel/Archive.md": ("Kestrel: an old plan with a budget.", datetime(2022, 5, 1)),
    "日记/2024年3月14日.md": ("下雨，和约纳斯吃午饭。", SYNCED),
    "Cooking.md": ("Braised pork simmers for an hour.", datetime(2024, 3, 14, 8)),
}


class Strict(FakeEmbeddings):
    """Few words that are shared are not enough."""

    async def info(self) -> EmbedderInfo:
        return replace(await super().info(), floor=0.6)


@pytest.fixture
async def retriever() -> Retriever:
    store, embeddings = FakeStore(), Strict()
    await store.replace([note(path, text, written) for path, (text, written) in NOTES.items()])
    await embed_all(store, embeddings)
    return Retriever(store, embeddings)


def note(path: str, text: str, written: datetime) -> NoteUpdate:
    state = FileState(NotePath(path), int(written.timestamp() * 1e9), 1, path)
    return NoteUpdate(IndexedNote(state, path, chunks=1), (chunk(path, text),))


async def found(retriever: Retriever, text: str) -> list[str]:
    question = read_question(Conversation((Message("user", (text,)),)), Scope(), NOW)
    query = Query(question.text, question.scope, period=question.period, diary=question.diary)
    return [hit.chunk.note for hit in (await retriever.relevant(query)).hits]


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("What did I do last Thursday?", ["Daily/2024-03-14.md", "日记/2024年3月14日.md"]),
        ("2024-03-14", ["Daily/2024-03-14.md", "日记/2024年3月14日.md"]),
        ("What happened on 2024-03-20?", ["Daily/2024-03-20.md"]),
        ("yesterday's diary: what did we clean?", ["Daily/2024-03-20.md"]),
        ("上周四我做了什么？", ["Daily/2024-03-14.md", "日记/2024年3月14日.md"]),
    ],
)
async def test_a_daily_note_answers_for_its_day_whatever_its_mtime_says(
    retriever: Retriever, text: str, days: list[str]
) -> None:
    assert sorted(await found(retriever, text)) == days


@pytest.mark.parametrize("text", ["notes from last week", "Which notes did I write last week?", "上周写的笔记"])
async def test_notes_of_a_time_are_all_of_it_and_none_else(retriever: Retriever, text: str) -> None:
    hits = await found(retriever, text)
    assert {"Daily/2024-03-14.md", "Kestrel/Plan.md", "Cooking.md"} <= {*hits}
    assert not any(name in hits for name in ("Daily/2024-03-20.md", "Kestrel/Archive.md"))


async def test_notes_of_the_time_come_before_better_ones(retriever: Retriever) -> None:
    plain = await found(retriever, "Kestrel meeting budget")
    assert plain[0] == "Kestrel/Meeting 2024-01-09.md"
    assert (await found(retriever, "Kestrel meeting budget last week"))[0] == "Kestrel/Plan.md"
    timed = await found(retriever, "Kestrel meeting in February")
    assert timed[0] == "Kestrel/Meeting 2024-02-06.md"
    assert "Kestrel/Meeting 2024-01-09.md" in timed, "the others stay"


@pytest.mark.parametrize("text", ["latest Kestrel meeting", "What is the most recent Kestrel meeting?"])
async def test_the_newest_of_what_is_relevant_comes_first_where_it_is_asked_for(
    retriever: Retriever, text: str
) -> None:
    hits = await found(retriever, text)
    meetings = [hit for hit in hits if "Meeting" in hit]
    assert meetings == ["Kestrel/Meeting 2024-02-06.md", "Kestrel/Meeting 2024-01-09.md"]
    assert "Cooking.md" not in hits, "new, but of something else"


async def test_what_is_not_about_the_notes_of_a_day_is_not_answered_from_them(retriever: Retriever) -> None:
    assert await found(retriever, "Who won the election yesterday?") == []
