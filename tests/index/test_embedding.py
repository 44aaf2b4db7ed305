"""What has to be embedded again after a change, and what has not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from tests.index.history import WORDS
from tests.index.worlds import World
from vaultbridge.core.notes import NotePath

NOTE = "Garden/Tomatoes.md"


def section(number: int) -> str:
    random = Random(number)
    return f"## Part {number}\n\n" + "\n\n".join(" ".join(random.choices(WORDS, k=90)) + "." for _ in range(4))


SECTIONS = [section(number) for number in range(5)]
INTRODUCTION = "What is to be known of tomatoes stands below, in no order."


def joined(*sections: str) -> str:
    return "\n\n".join(["# Tomatoes", INTRODUCTION, *sections]) + "\n"


TEXT = joined(*SECTIONS)
FRONT = "---\ntags: [garden]\nstatus: done\n---\n"


def write(text: str) -> Callable[[World], tuple[str, ...]]:
    return lambda world: (world.write(NOTE, text),)


def edited(world: World) -> tuple[str, ...]:
    words = TEXT.split(" ")
    words[len(words) // 2] = "rewritten"
    return (world.write(NOTE, " ".join(words)),)


CHANGES: dict[str, tuple[Callable[[World], tuple[str, ...]], int]] = {
    "a folder is renamed": (lambda world: world.move("Garden", "Orchard"), 0),
    "a note goes into another folder": (lambda world: world.move(NOTE, "Orchard/Tomatoes.md"), 0),
    "front matter is written": (write(FRONT + TEXT), 0),
    "an alias, which its beginning is embedded with, is written": (
        write("---\naliases: [Love apple]\n---\n" + TEXT),
        1,
    ),
    "sections change places": (write(joined(*reversed(SECTIONS))), 0),
    "it is saved as it is": (write(TEXT), 0),
    "it is there twice": (lambda world: (world.write("Copies/Tomatoes.md", TEXT),), 0),
    "a section goes": (write(joined(*SECTIONS[1:])), 0),
    "a word of a paragraph changes": (edited, 2),
    "a section comes": (write(TEXT + "\n## New\n\nA short one.\n"), 1),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_no_more_is_embedded_than_what_changed(tmp_path: Path, change: str) -> None:
    world = World(tmp_path)
    world.write(NOTE, TEXT)
    world.write("Other.md", section(9))
    make, most = CHANGES[change]
    async with world.watching():
        await world.indexer.settled()
        before = len(world.embeddings.documents)
        assert before > 10
        await world.follow(*make(world))
        assert len(world.embeddings.documents) - before <= most
        counts = await world.store.counts()
        assert counts.vectors == counts.chunks


async def test_another_title_embeds_that_note_and_no_other(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.write(NOTE, TEXT)
    world.write("Other.md", section(9))
    async with world.watching():
        await world.indexer.settled()
        before = len(world.embeddings.documents)
        await world.follow(*world.move(NOTE, "Garden/Love apples.md"))
    again = world.embeddings.documents[before:]
    assert len(again) == len(await world.store.chunks(NotePath("Garden/Love apples.md")))
    assert all(text.startswith("Love apples") for text in again)
