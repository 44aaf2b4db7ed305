"""Killed at random moments of indexing, embedding and optimizing: the next start makes good what lacks, no more."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from random import Random

import pytest

from tests.index.test_replay import check, opened
from tests.index.victim import LoggedEmbeddings
from tests.index.worlds import Realm
from vaultbridge.index.backfill import LARGEST_COMMIT, Backfill
from vaultbridge.index.indexer import Indexer
from vaultbridge.lab.embedded import embedded_again
from vaultbridge.vault.files import Vault

KILLS = 20
NOTES = 100
ROOT = Path(__file__).parents[2]


class Writer:
    """Changes notes; no text is ever written a second time, so that no vector is ever needed again."""

    def __init__(self, root: Path, random: Random) -> None:
        self._root = root
        self._random = random
        self._written = 0
        for number in range(NOTES):
            self._write(root / f"folder{number % 5}" / f"{number}.md")

    def change(self) -> None:
        """Some notes are written anew, one comes, one goes, a folder moves."""
        notes = sorted(self._root.rglob("*.md"))
        for note in self._random.sample(notes, self._random.choice([1, 3, 40])):
            self._write(note)
        self._write(self._root / "new" / f"{self._written}.md")
        self._random.choice(notes).unlink()
        folders = sorted(place for place in self._root.iterdir() if place.is_dir())
        self._random.choice(folders).rename(self._root / f"moved{self._written}")

    def _write(self, note: Path) -> None:
        sections = []
        for _ in range(self._random.randrange(1, 4)):
            self._written += 1
            sections.append(f"## Part {self._written}\n\nThe text number {self._written}.\n")
        note.parent.mkdir(exist_ok=True)
        note.write_text("\n".join(sections))


class Victims:
    """Processes that wait for their turn: the next one loads while the last one works."""

    def __init__(self, *places: Path) -> None:
        self._command = [sys.executable, "-m", "tests.index.victim", *map(str, places)]
        self._next = self._begin()

    def go(self) -> subprocess.Popen[str]:
        """One that begins now."""
        process, self._next = self._next, self._begin()
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "ready\n"
        process.stdin.write("go\n")
        process.stdin.flush()
        return process

    def _begin(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self._command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def close(self) -> None:
        end(self._next)


def end(process: subprocess.Popen[str]) -> str:
    """Kill it; what it complained of."""
    process.kill()
    _, errors = process.communicate()
    return errors


@pytest.mark.timeout(400)
async def test_after_every_kill_the_index_is_exact_and_only_the_batch_in_flight_is_embedded_again(
    tmp_path: Path,
) -> None:
    vault, index, log = tmp_path / "vault", tmp_path / "index", tmp_path / "embedded"
    vault.mkdir()
    random = Random(8)
    writer = Writer(vault, random)
    with ExitStack() as stack:
        victims = Victims(vault, index, log)
        stack.callback(victims.close)
        for _ in range(KILLS):
            victim = victims.go()
            until = time.monotonic() + random.uniform(0.05, 0.8)
            while time.monotonic() < until:
                writer.change()
                time.sleep(random.uniform(0, 0.1))  # as people write: the moment of the kill stays random
            complaint = end(victim)
            assert "Traceback" not in complaint, complaint
            await restarted(vault, index, log)
        assert set(embedded_again(log, LARGEST_COMMIT)) <= {"in flight"}


async def restarted(vault: Path, index: Path, log: Path) -> None:
    """What the next start does, and whether it is enough."""
    async with opened(index) as store:
        assert store.damage == ""
        realm = Realm(vault, store)
        realm.backfill = Backfill(store, LoggedEmbeddings(log), realm.clock)
        realm.indexer = Indexer(Vault(vault), store, realm.changes, realm.clock, realm.backfill)
        await realm.sync()
        await check(realm)
