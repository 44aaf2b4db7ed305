"""Many notes are read as one is, in other processes, and whatever happens to these."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import aclosing
from pathlib import Path

import pytest

from vaultbridge.backends.clock import SystemClock
from vaultbridge.core.notes import Change, FileState, IndexedNote, NotePath, NoteUpdate
from vaultbridge.engine.pool import ProcessPool
from vaultbridge.index.reader import NoteReader
from vaultbridge.index.reading import FEW_NOTES, FIRST_BATCH, Reading
from vaultbridge.vault.content_rules import ContentRules
from vaultbridge.vault.files import Vault

MANY = 2 * FEW_NOTES + 1
RULES = ContentRules({"secret": "tag:secret"})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for number in range(MANY):
        tag = " #secret" if number == 5 else ""
        (tmp_path / f"{number:04}.md").write_text(
            f"# Note {number}\n\nApples and 梨 {number}.{tag}\n", encoding="utf-8"
        )
    (tmp_path / "0007.md").write_bytes(b"\xff\xfe no text")
    return tmp_path


@pytest.fixture
def changes(root: Path) -> list[Change]:
    states = [FileState(NotePath(file.name), 1, 1, "") for file in sorted(root.iterdir())]
    states.insert(9, FileState(NotePath("vanished.md"), 1, 1, ""))
    return [Change("added", state.path, state) for state in states]


def told(update: NoteUpdate) -> tuple[str, str, tuple[str, ...] | None]:
    """An update without its time."""
    chunks = None if update.chunks is None else tuple(chunk.embedded for chunk in update.chunks)
    return update.note.state.path, update.note.reason, chunks


async def read(
    root: Path, changes: list[Change], pool: Callable[[], Executor]
) -> tuple[list[int], list[tuple[str, str, tuple[str, ...] | None]], list[str]]:
    """How many changes each batch had, and all that they came to."""
    sizes: list[int] = []
    updates: list[NoteUpdate] = []
    vanished: list[str] = []
    async with aclosing(Reading(NoteReader(Vault(root), SystemClock()), pool).batches(changes, {}, RULES)) as batches:
        async for batch in batches:
            sizes.append(batch.changes)
            updates += batch.updates
            vanished += batch.vanished
    return sizes, list(map(told, updates)), vanished


def read_here(root: Path, changes: list[Change]) -> tuple[list[tuple[str, str, tuple[str, ...] | None]], list[str]]:
    """The same, by the reader itself."""
    updates, vanished = NoteReader(Vault(root), SystemClock()).read(changes, dict[NotePath, IndexedNote](), RULES)
    return list(map(told, updates)), list(vanished)


async def test_other_processes_read_what_this_one_would_in_the_same_order(root: Path, changes: list[Change]) -> None:
    sizes, updates, vanished = await read(root, changes, ProcessPool)
    assert (updates, vanished) == read_here(root, changes)
    assert vanished == ["vanished.md"]
    assert sizes[0] == FIRST_BATCH
    assert sum(sizes) == len(changes)


async def test_a_few_notes_ask_for_no_process(root: Path, changes: list[Change]) -> None:
    few = changes[:FEW_NOTES]
    sizes, updates, vanished = await read(root, few, lambda: pytest.fail("started"))
    assert sizes == [FEW_NOTES]
    assert (updates, vanished) == read_here(root, few)


async def test_what_a_process_that_is_killed_would_have_read_is_read_here(root: Path, changes: list[Change]) -> None:
    def doomed() -> Executor:
        pool = ProcessPool()
        for process in multiprocessing.active_children():
            process.kill()
        return pool

    sizes, updates, vanished = await read(root, changes, doomed)
    assert (updates, vanished) == read_here(root, changes)
    assert sum(sizes) == len(changes)


async def test_the_pool_ends_with_the_reading_also_if_that_is_left(root: Path, changes: list[Change]) -> None:
    pools: list[ThreadPoolExecutor] = []

    def pool() -> Executor:
        pools.append(ThreadPoolExecutor(1))
        return pools[-1]

    await read(root, changes, pool)
    async with aclosing(Reading(NoteReader(Vault(root), SystemClock()), pool).batches(changes, {}, RULES)) as batches:
        await anext(batches)
    assert len(pools) == 2
    for ended in pools:
        with pytest.raises(RuntimeError, match="shutdown"):
            ended.submit(int)
