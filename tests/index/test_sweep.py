"""What nobody reported is seen all the same, and a computer that slept looks at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.index.worlds import World
from vaultbridge.index.reader import MOST_ATTEMPTS
from vaultbridge.index.sweep import CHECK_SECONDS, SWEEP_SECONDS


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def test_a_change_that_nobody_reported_is_found_by_the_next_sweep(world: World) -> None:
    async with world.watching():
        await world.indexer.settled()
        world.write("a.md", "A.")
        await world.clock.advance(SWEEP_SECONDS / 2)
        await world.indexer.settled()
        assert await world.notes() == []
        await world.clock.advance(SWEEP_SECONDS / 2 + CHECK_SECONDS)
        await world.indexer.settled()
        assert await world.notes() == ["a.md"]


async def test_a_look_at_everything_for_another_reason_is_a_sweep_too(world: World) -> None:
    async with world.watching():
        await world.indexer.settled()
        await world.clock.advance(SWEEP_SECONDS - CHECK_SECONDS)
        await world.follow(None)
        world.write("a.md", "A.")
        await world.clock.advance(2 * CHECK_SECONDS)
        await world.indexer.settled()
        assert await world.notes() == []


@pytest.mark.parametrize("seconds", [3600.0, -3600.0])
async def test_when_the_clock_has_jumped_everything_is_looked_at(world: World, seconds: float) -> None:
    async with world.watching():
        await world.indexer.settled()
        world.write("a.md", "A.")
        world.clock.jump(seconds)
        await world.clock.advance(CHECK_SECONDS)
        await world.indexer.settled()
        assert await world.notes() == ["a.md"]
        world.write("b.md", "B.")
        await world.clock.advance(CHECK_SECONDS)
        await world.indexer.settled()
        assert await world.notes() == ["a.md"], "one jump is one look"


async def test_sweeps_write_nothing_where_nothing_changed(world: World) -> None:
    world.write("a.md", "A.")
    world.write("broken.md", b"\xff")
    async with world.watching():
        await world.indexer.settled()
        for _ in range(20):
            await world.clock.advance(24 * 3600)
            await world.indexer.settled()
        assert (await world.receipt("broken.md")).attempts == MOST_ATTEMPTS
        written = len(world.store.commits)
        for _ in range(5):
            await world.clock.advance(SWEEP_SECONDS + CHECK_SECONDS)
            await world.indexer.settled()
        assert len(world.store.commits) == written


async def test_what_a_save_replaced_is_cleaned_up_by_the_next_sweep(world: World) -> None:
    world.write("a.md", "A.")
    async with world.watching():
        await world.indexer.settled()
        world.write("a.md", "B.")
        await world.follow("a.md")
        assert [*(await world.store.vector_tables()).values()] == [2], "of both texts"
        await world.clock.advance(SWEEP_SECONDS + CHECK_SECONDS)
        await world.indexer.settled()
        assert [*(await world.store.vector_tables()).values()] == [1]
