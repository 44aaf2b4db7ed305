"""Hints to batches, on a clock that stands still."""

from __future__ import annotations

import asyncio
import threading

import pytest

from vaultbridge.backends.fakes.clock import FakeClock
from vaultbridge.core.ports import Clock
from vaultbridge.index.settle import (
    CEILING_SECONDS,
    QUIET_SECONDS,
    STORM_CEILING_SECONDS,
    STORM_PATHS,
    Hints,
    Settler,
)

HALF = QUIET_SECONDS / 2


def test_the_fake_is_a_clock() -> None:
    clock: Clock = FakeClock(5.0)
    assert (clock.now(), clock.monotonic()) == (5.0, 0.0)


async def test_the_fake_clock_wakes_sleepers_in_their_order() -> None:
    clock, woken = FakeClock(), list[tuple[str, float]]()

    async def sleeper(name: str, *naps: float) -> None:
        for nap in naps:
            await clock.sleep(nap)
            woken.append((name, clock.monotonic()))

    tasks = [asyncio.create_task(sleeper("slow", 3)), asyncio.create_task(sleeper("fast", 1, 1, 5))]
    await clock.advance(2.5)
    assert woken == [("fast", 1), ("fast", 2)]
    await clock.advance(0.5)
    assert woken[2:] == [("slow", 3)]
    await clock.asleep(4)
    await clock.advance(10)
    assert woken[3:] == [("fast", 7)]
    await asyncio.gather(*tasks)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


async def batch(task: asyncio.Task[Hints | None]) -> frozenset[str]:
    hints = await task
    assert hints is not None
    assert not hints.everything
    return hints.paths


async def test_quiet_closes_a_batch(clock: FakeClock) -> None:
    settler = Settler(clock)
    task = asyncio.create_task(settler.next())
    settler.hint("a")
    await clock.advance(HALF)
    settler.hint("b")
    await clock.advance(HALF * 1.5)
    assert not task.done()
    await clock.advance(HALF)
    assert await batch(task) == {"a", "b"}


async def test_without_a_hint_there_is_no_batch(clock: FakeClock) -> None:
    task = asyncio.create_task(Settler(clock).next())
    await clock.advance(3600)
    assert not task.done()
    task.cancel()


async def test_changes_without_end_are_cut_at_the_ceiling_and_the_rest_is_the_next_batch(clock: FakeClock) -> None:
    settler = Settler(clock)
    task = asyncio.create_task(settler.next())
    sent = 0
    while not task.done():
        settler.hint(f"{sent}")
        sent += 1
        await clock.advance(HALF)
        assert clock.monotonic() <= CEILING_SECONDS + HALF
    first = await batch(task)
    settler.hint("last")
    task = asyncio.create_task(settler.next())
    await clock.advance(CEILING_SECONDS)
    assert first | await batch(task) == {*map(str, range(sent)), "last"}


async def test_a_storm_is_waited_for_longer_but_not_for_ever(clock: FakeClock) -> None:
    settler = Settler(clock)
    task = asyncio.create_task(settler.next())
    for path in range(STORM_PATHS + 1):
        settler.hint(f"{path}")
    while not task.done():
        settler.hint("one more")
        await clock.advance(HALF)
    assert STORM_CEILING_SECONDS <= clock.monotonic() <= STORM_CEILING_SECONDS + HALF
    assert len(await batch(task)) == STORM_PATHS + 2


async def test_what_comes_between_two_batches_is_not_waited_for_again(clock: FakeClock) -> None:
    settler = Settler(clock)
    settler.hint("a")
    await clock.advance(10)
    settler.hint("b")
    await clock.advance(10)
    task = asyncio.create_task(settler.next())
    await clock.advance(0)
    assert await batch(task) == {"a", "b"}


async def test_everything_is_remembered_beside_paths_and_once(clock: FakeClock) -> None:
    settler = Settler(clock)
    settler.hint("a")
    settler.hint(None)
    task = asyncio.create_task(settler.next())
    await clock.advance(1)
    assert await task == Hints(frozenset({"a"}), everything=True)
    settler.hint("b")
    task = asyncio.create_task(settler.next())
    await clock.advance(1)
    assert await task == Hints(frozenset({"b"}))


async def test_hints_from_many_threads_all_arrive(clock: FakeClock) -> None:
    settler = Settler(clock)

    def send(n: int) -> None:
        for i in range(200):
            settler.hint(f"{n}/{i}")

    threads = [threading.Thread(target=send, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        await asyncio.to_thread(thread.join)
    task = asyncio.create_task(settler.next())
    await clock.advance(CEILING_SECONDS)
    assert await batch(task) == {f"{n}/{i}" for n in range(4) for i in range(200)}


async def test_cancelling_the_wait_loses_nothing(clock: FakeClock) -> None:
    settler = Settler(clock)
    for moment in (0.0, HALF):  # before the first hint was taken in, and in the middle of the quiet
        task = asyncio.create_task(settler.next())
        settler.hint(f"at {moment}")
        await clock.advance(moment)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    task = asyncio.create_task(settler.next())
    await clock.advance(1)
    assert await batch(task) == {"at 0.0", f"at {HALF}"}


async def test_patience_ends_a_wait_without_hints_only(clock: FakeClock) -> None:
    settler = Settler(clock)
    task = asyncio.create_task(settler.next(patience=30))
    await clock.advance(29)
    assert not task.done()
    await clock.advance(1)
    assert await task is None
    task = asyncio.create_task(settler.next(patience=30))
    settler.hint("a")
    await clock.advance(1)
    assert await batch(task) == {"a"}


def test_a_hint_after_the_end_is_harmless() -> None:
    async def make() -> Settler:
        return Settler(FakeClock())

    settler = asyncio.run(make())
    settler.hint("late")
    assert settler is not None
