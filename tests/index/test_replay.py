"""After any history the index on the disk is that of a fresh start, chunk for chunk."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from tests.index.history import History
from tests.index.worlds import Realm, World
from vaultbridge.backends.lance import LanceStore
from vaultbridge.index.dump import dumped
from vaultbridge.index.sweep import CHECK_SECONDS, SWEEP_SECONDS

REVISIONS = 160  # of each seed


async def check(realm: Realm) -> None:
    """The rows on the disk are those of an index that begins now, each with its vector, and all of them are found."""
    rows, expected = await realm.store.rows(), await realm.rebuilt()
    assert [*dumped(rows)] == [*dumped(expected)]
    assert await realm.store.unfound(sorted({row.note for row in rows})) == []


async def follow(realm: Realm, history: History, random: Random) -> None:
    """Make the revisions, and compare after each few of them."""
    async with realm.watching():
        await realm.indexer.settled()
        done = 0
        while done < REVISIONS:
            batch = random.randrange(1, 9)
            paths = [path for _ in range(batch) for path in history.revise()]
            await realm.follow(*paths)
            await check(realm)
            done += batch


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [1, 2])
async def test_hundreds_of_revisions(tmp_path: Path, seed: int) -> None:
    root = tmp_path / "vault"
    root.mkdir()
    history, random = History(root, seed), Random(seed)
    async with opened(tmp_path / "index") as store:
        realm = Realm(root, store)
        await follow(realm, history, random)
        await store.maintain()
        await check(realm)
    # Another program over the same files has nothing to do, and one that begins anew comes to the same.
    async with opened(tmp_path / "index") as store, opened(tmp_path / "anew") as other:
        reopened, rebuilt = Realm(root, store), Realm(root, other)
        await reopened.sync()
        await rebuilt.sync()
        assert reopened.backfill.embedded == 0
        assert [*dumped(await store.rows())] == [*dumped(await other.rows())]


NAMES = ["a.md", "A.md", "b.md", "x/a.md", "x/b.md", "X/a.md", "x/y/c.md", "x/y/\u00e9.md", "x/y/e\u0301.md"]
PLACES = ["x", "X", "x/y", "z", "w/v"]
TEXTS = [
    "",
    "One.",
    "# Head\n\nOne.\n\n## Sub\n\nTwo.",
    "# Head\n\n## Sub\n\nTwo.\n\n## Other\n\nThree.",
    "---\ntags: [t]\n---\nOne.",
    "番茄和鸡蛋。",
    "\n\n".join(f"## Part {n}\n\n{'Words of some length. ' * 40}" for n in range(4)),
]
names, texts = st.sampled_from(NAMES), st.sampled_from(TEXTS)


class Life(RuleBasedStateMachine):
    """A vault with a real index on the disk; what happens is reported, or lost, or happens while nobody looks."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        root = Path(self.folder.name).resolve() / "vault"
        root.mkdir()
        self.vault = World(root)  # to write in; its own index stays empty
        self.reports: list[str] = []
        self.realm: Realm
        self.running = AsyncExitStack()
        self.await_(self.start())

    def await_(self, work: Coroutine[Any, Any, None]) -> None:
        self.loop.run_until_complete(work)

    async def start(self) -> None:
        store = await self.running.enter_async_context(opened(self.vault.root.with_name("index")))
        self.realm = Realm(self.vault.root, store)
        await self.running.enter_async_context(self.realm.watching())
        await self.realm.indexer.settled()

    @rule(name=names, text=texts)
    def write(self, name: str, text: str) -> None:
        with suppress(OSError):  # a folder has the name, or a file that of the folder
            self.reports.append(self.vault.write(name, text))

    @rule(name=names)
    def delete(self, name: str) -> None:
        if (self.vault.root / name).is_file():
            self.reports.append(self.vault.delete(name))

    @rule(name=names)
    def touch(self, name: str) -> None:
        if (self.vault.root / name).is_file():
            self.reports.append(self.vault.write(name, (self.vault.root / name).read_bytes()))

    @rule(old=st.sampled_from(NAMES + PLACES), new=st.sampled_from(NAMES + PLACES))
    def move(self, old: str, new: str) -> None:
        source, target = self.vault.root / old, self.vault.root / new
        if source.exists() and not target.exists() and source.is_dir() == (not new.endswith(".md")):
            with suppress(OSError):  # into itself
                self.reports += self.vault.move(old, new)

    @rule(place=st.sampled_from(PLACES))
    def delete_folder(self, place: str) -> None:
        if (self.vault.root / place).is_dir():
            shutil.rmtree(self.vault.root / place)
            self.reports.append(place)

    @rule(line=st.sampled_from(["", "x/", "a.md", "X/"]))
    def exclude(self, line: str) -> None:
        self.reports.append(self.vault.write(".vaultbridgeignore", line + "\n"))

    @rule(filters=st.lists(st.sampled_from(["x/", "/[ab]\\.md$/", "z"]), max_size=2))
    def exclude_in_obsidian(self, filters: list[str]) -> None:
        self.reports.append(self.vault.write(".obsidian/app.json", json.dumps({"userIgnoreFilters": filters})))

    @precondition(lambda self: self.reports)
    @rule(way=st.sampled_from(["reported", "reported", "lost", "unheard", "restart"]))
    def look(self, way: str) -> None:
        self.await_(self.catch_up(way))

    async def catch_up(self, way: str) -> None:
        if way == "restart":
            await self.running.aclose()
            await self.start()
        elif way == "unheard":
            await self.realm.clock.advance(SWEEP_SECONDS + CHECK_SECONDS)
            await self.realm.indexer.settled()
        else:
            await self.realm.follow(*self.reports if way == "reported" else [None])
        self.reports = []
        await check(self.realm)

    def teardown(self) -> None:
        self.await_(self.catch_up("reported"))
        self.await_(self.running.aclose())
        self.loop.close()
        self.folder.cleanup()


@asynccontextmanager
async def opened(place: Path) -> AsyncIterator[LanceStore]:
    store = await LanceStore.open(str(place))
    yield store
    await store.close()


TestLife = Life.TestCase
TestLife.settings = settings(
    max_examples=10, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
