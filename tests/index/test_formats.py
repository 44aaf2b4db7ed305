"""Notes that are not Markdown, from their files to what is found, linked and recorded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.index.worlds import World
from tests.vault.pdfs import encrypted, pdf
from vaultbridge.core.notes import NotePath
from vaultbridge.core.search import Scope

CANVAS = json.dumps(
    {
        "nodes": [
            {"id": "g", "type": "group", "label": "Hive", "x": 0, "y": 0, "width": 900, "height": 900},
            {"id": "a", "type": "text", "text": "Queens lay eggs. #bees", "x": 0, "y": 0, "width": 9, "height": 9},
            {"id": "b", "type": "file", "file": "Honey.md", "x": 0, "y": 50, "width": 9, "height": 9},
        ],
        "edges": [],
    }
)
REPORT = pdf(["Clay holds water.", "", "Sand drains."])


@pytest.fixture
def world(tmp_path: Path) -> World:
    (tmp_path / "vault").mkdir()
    return World(tmp_path / "vault")


async def found(world: World, text: str, scope: Scope | None = None) -> list[tuple[str, tuple[str, ...]]]:
    hits = await world.store.keyword(text, scope or Scope(), 9)
    return [(hit.chunk.note, hit.chunk.heading) for hit in hits]


async def test_every_kind_of_note_is_found_where_it_says_so(world: World) -> None:
    world.write("Board.canvas", CANVAS)
    world.write("Soil.pdf", REPORT)
    world.write("log.txt", "Watered on Monday.")
    world.write("Garden.md", "# June\n\n![[bed.png|Roses in bloom]]")
    world.write("bed.png", b"\x89PNG queens clay Monday")
    await world.sync()
    assert await found(world, "queens") == [("Board.canvas", ("Hive",))]
    assert await found(world, "drains") == [("Soil.pdf", ("page=3",))]
    assert await found(world, "Monday") == [("log.txt", ())]
    assert await found(world, "bloom") == [("Garden.md", ("June",))]
    assert await found(world, "queens", Scope(tags=("bees",))) == [("Board.canvas", ("Hive",))]
    assert await found(world, "clay", Scope(names=("soil.pdf",))) == [("Soil.pdf", ("page=1",))]


async def test_what_a_receipt_knows_of_them(world: World) -> None:
    world.write("Board.canvas", CANVAS)
    world.write("Soil.pdf", REPORT)
    await world.sync()
    board, soil = await world.store.notes()
    assert (board.title, board.headings, board.links, board.tags) == (
        "Board.canvas",
        ("Hive",),
        ("Honey.md",),
        ("bees",),
    )
    assert (soil.title, soil.headings, soil.chunks) == ("Soil.pdf", ("page=1", "page=2", "page=3"), 2)


async def test_links_lead_to_them_and_from_them(world: World) -> None:
    world.write("Honey.md", "See [[soil.PDF#page=3|sand]], ![[Board.canvas]] and [[Board]].")
    world.write("Board.canvas", CANVAS)
    world.write("Soil.pdf", REPORT)
    await world.sync()
    assert await world.store.linked([NotePath(path) for path in await world.notes()]) == {
        "Honey.md": ("Soil.pdf", "Board.canvas"),
        "Board.canvas": ("Honey.md",),
        "Soil.pdf": ("Honey.md",),
    }


@pytest.mark.parametrize("content", [encrypted(REPORT, "secret"), pdf(["", ""])], ids=["encrypted", "scanned"])
async def test_a_file_that_will_never_be_read_is_one_reason_and_not_tried_again(world: World, content: bytes) -> None:
    world.write("Soil.pdf", REPORT)
    await world.sync()
    async with world.watching():
        await world.follow(world.write("Soil.pdf", content))
        assert await world.reason("Soil.pdf")
        assert await world.text("Soil.pdf") == ""
        written = len(world.store.commits)
        await world.clock.advance(10 * 24 * 3600.0)
        await world.indexer.settled()
        assert len(world.store.commits) == written


@pytest.mark.parametrize(("path", "good"), [("Soil.pdf", REPORT), ("Board.canvas", CANVAS.encode())])
async def test_a_file_that_is_half_written_keeps_what_was_read_of_it(world: World, path: str, good: bytes) -> None:
    world.write(path, good)
    await world.sync()
    text = await world.text(path)
    async with world.watching():
        await world.follow(world.write(path, good[: len(good) // 2]))
        assert await world.reason(path)
        assert await world.text(path) == text
        await world.follow(world.write(path, good))
        assert await world.reason(path) == ""
