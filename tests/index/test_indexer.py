"""The store equals the vault, whatever happens in it."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.index.worlds import World
from vaultbridge.core.errors import ConfigError, DiskFull, NoteUnreadable
from vaultbridge.core.notes import FileState, NotePath, NoteUpdate
from vaultbridge.core.search import Freshness
from vaultbridge.index.indexer import RETRY_SECONDS
from vaultbridge.index.reading import FIRST_BATCH
from vaultbridge.index.report import IndexReport
from vaultbridge.index.settle import CEILING_SECONDS, STORM_PATHS
from vaultbridge.vault.files import Vault


@pytest.fixture
def world(tmp_path: Path) -> World:
    (tmp_path / "vault").mkdir()
    return World(tmp_path / "vault")


@contextmanager
def locked(folder: Path, listable: bool = False) -> Iterator[None]:
    """A folder that may not be entered, nor listed unless it is ``listable``; also for a user who may do anything."""
    lstat, scandir = os.lstat, os.scandir

    def refused(place: str | Path) -> bool:
        return Path(place).is_relative_to(folder)

    def no_lstat(place: str | Path) -> os.stat_result:
        if refused(place) and Path(place) != folder:
            raise PermissionError(errno.EACCES, "Permission denied", str(place))
        return lstat(place)

    @contextmanager
    def no_scandir(place: str | Path) -> Iterator[Iterator[os.DirEntry[str]]]:
        if refused(place) and not listable:
            raise PermissionError(errno.EACCES, "Permission denied", str(place))
        with scandir(place) as entries:
            if refused(place):
                raise PermissionError(errno.EACCES, "Permission denied", str(next(entries)))
            yield entries

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vaultbridge.vault.files.os.lstat", no_lstat)
        patch.setattr("vaultbridge.vault.files.os.scandir", no_scandir)
        yield


T = TypeVar("T")


def refuse(name: str, read: Callable[[Vault, NotePath], T]) -> Callable[[Vault, NotePath], T]:
    """The same for all files but one, which gives a permission error."""

    def reading(vault: Vault, path: NotePath) -> T:
        if path == name:
            raise NoteUnreadable("cannot be read: Permission denied")
        return read(vault, path)

    return reading


def exclude(world: World, *filters: str) -> str:
    return world.write(".obsidian/app.json", json.dumps({"userIgnoreFilters": filters}))


# --- a full comparison ------------------------------------------------------------------------------------------------


async def test_the_first_sync_finds_everything_and_gives_it_vectors(world: World) -> None:
    world.write("a.md", "# One\n\nApples.\n")
    world.write("folder/b.md", "---\ntags: [fruit]\naliases: [Bee]\n---\nPears, see [[a]].\n")
    world.write("picture.png", b"\x89PNG")
    await world.sync()
    assert await world.notes() == ["a.md", "folder/b.md"]
    note = await world.receipt("folder/b.md")
    assert (note.title, note.tags, note.aliases, note.links) == ("b", ("fruit",), ("Bee",), ("a",))
    counts = await world.store.counts()
    assert (counts.chunks, counts.vectors, counts.unreadable) == (2, 2, 0)
    assert world.indexer.freshness == Freshness(0, 0, 0)
    assert (world.indexer.progress.done, world.indexer.progress.total) == (2, 2)


async def test_a_second_sync_writes_and_embeds_nothing_even_after_a_restart(world: World) -> None:
    world.write("a.md", "Apples.")
    world.write("empty.md", "")
    world.write("broken.md", b"\xff\xfe\x00")
    await world.sync()
    world.store.commits.clear()
    world.embeddings.documents.clear()
    await world.sync()
    world.open()
    await world.sync()
    assert world.store.commits == []
    assert world.embeddings.documents == []


async def test_newest_notes_are_written_first_and_in_growing_batches(world: World) -> None:
    paths = [world.write(f"{n:03}.md", f"Note {n}.") for n in range(7 * FIRST_BATCH + 1)]
    await world.sync()
    assert world.store.written == paths[::-1]
    assert [len(updated) for updated, _ in world.store.commits] == [n * FIRST_BATCH for n in (1, 2, 4)] + [1]


async def test_what_happened_while_nobody_watched_is_found(world: World) -> None:
    for path in ["edited.md", "deleted.md", "renamed.md", "kept.md", "touched.md"]:
        world.write(path, f"Text of {path}.")
    await world.sync()
    world.write("edited.md", "Another text.")
    world.write("touched.md", "Text of touched.md.")
    world.delete("deleted.md")
    world.move("renamed.md", "sub/renamed.md")
    world.write("added.md", "New.")
    world.open()
    world.store.commits.clear()
    await world.sync()
    assert await world.notes() == ["added.md", "edited.md", "kept.md", "sub/renamed.md", "touched.md"]
    assert await world.text("edited.md") == "Another text."
    assert "kept.md" not in world.store.written


# --- following --------------------------------------------------------------------------------------------------------


async def test_a_save_is_one_commit_of_one_note_and_embeds_what_changed(world: World) -> None:
    world.write("a.md", "# One\n\nApples.\n\n# Two\n\nPears.\n")
    world.write("b.md", "Else.")
    async with world.watching():
        await world.indexer.settled()
        world.store.commits.clear()
        world.embeddings.documents.clear()
        await world.follow(world.write("a.md", "# One\n\nApples.\n\n# Two\n\nPlums.\n"))
    assert world.store.commits == [(["a.md"], [])]
    assert len(world.embeddings.documents) == 1
    assert "Plums." in world.embeddings.documents[0]
    assert "Plums." in await world.text("a.md")


async def test_notes_come_and_go(world: World) -> None:
    async with world.watching():
        await world.clock.asleep(0)  # the first look is done
        await world.follow(world.write("new.md", "Hello."))
        assert await world.text("new.md") == "Hello."
        await world.follow(world.delete("new.md"))
        assert await world.notes() == []
        assert world.indexer.freshness.wanted == world.indexer.freshness.visible == 3


async def test_a_renamed_note_is_embedded_again_and_no_other(world: World) -> None:
    world.write("old.md", "Apples.")
    world.write("other.md", "Pears.")
    async with world.watching():
        await world.indexer.settled()
        world.embeddings.documents.clear()
        await world.follow(*world.move("old.md", "new.md"))
    assert await world.notes() == ["new.md", "other.md"]
    assert world.embeddings.documents == ["new\nApples."]


async def test_a_moved_folder_embeds_nothing(world: World) -> None:
    for n in range(5):
        world.write(f"folder/deep/{n}.md", f"Note {n}.")
    async with world.watching():
        await world.indexer.settled()
        embedded = world.backfill.embedded
        await world.follow(*world.move("folder", "archive/2026"))  # the system reports the folder, not its notes
        assert world.backfill.embedded == embedded == 5
    assert await world.notes() == [f"archive/2026/deep/{n}.md" for n in range(5)]
    assert await world.text("archive/2026/deep/3.md") == "Note 3."


async def test_a_folder_moved_into_the_vault_brings_its_notes(world: World) -> None:
    outside = world.root.with_name("outside")
    outside.mkdir()
    (outside / "a.md").write_text("From outside.")
    async with world.watching():
        await world.indexer.settled()
        outside.rename(world.root / "inside")
        await world.follow("inside")
    assert await world.text("inside/a.md") == "From outside."


async def test_a_deleted_folder_takes_its_notes_along(world: World) -> None:
    world.write("folder/a.md", "A.")
    world.write("folder-b.md", "B.")
    async with world.watching():
        await world.indexer.settled()
        world.delete("folder/a.md")
        (world.root / "folder").rmdir()
        await world.follow("folder")
    assert await world.notes() == ["folder-b.md"]


async def test_a_hint_without_a_change_writes_nothing(world: World) -> None:
    world.write("a.md", "A.")
    async with world.watching():
        await world.indexer.settled()
        world.store.commits.clear()
        await world.follow("a.md", "never there.md", "..", "../outside.md", ".obsidian/workspace.json", "a.txt")
    assert world.store.commits == []


async def test_an_edit_of_the_same_length_within_one_tick_of_the_clock_is_seen(world: World) -> None:
    world.write("a.md", "before")
    async with world.watching():
        await world.indexer.settled()
        seen = (world.root / "a.md").stat()
        (world.root / "a.md").write_text("later!")
        os.utime(world.root / "a.md", ns=(seen.st_atime_ns, seen.st_mtime_ns))
        await world.follow("a.md")
    assert await world.text("a.md") == "later!"


async def test_a_storm_of_hints_is_one_look_at_everything(world: World) -> None:
    async with world.watching():
        await world.indexer.settled()
        paths = [world.write(f"{n}.md", f"Note {n}.") for n in range(STORM_PATHS + 10)]
        world.write("unreported.md", "Found all the same.")
        await world.follow(*paths)
    assert set(await world.notes()) == {*paths, "unreported.md"}


async def test_a_lost_hint_is_made_good_by_a_look_at_everything(world: World) -> None:
    async with world.watching():
        await world.indexer.settled()
        world.write("a.md", "A.")
        await world.follow(None)
    assert await world.notes() == ["a.md"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
async def test_a_name_that_is_not_unicode_stops_nothing(world: World) -> None:
    odd = os.fsdecode(b"caf\xe9.md")
    async with world.watching():
        world.write(odd, "Odd.")
        await world.follow(odd, world.write("b.md", "B."))
    assert await world.notes() == ["b.md"]


async def test_changes_between_two_batches_are_not_lost(world: World) -> None:
    async with world.watching():
        await world.indexer.settled()
        world.changes.report(str(world.root / world.write("a.md", "A.")))
        await world.clock.advance(0.2)
        world.changes.report(str(world.root / world.write("b.md", "B.")))
        await world.clock.advance(60)
        await world.indexer.settled()
    assert await world.notes() == ["a.md", "b.md"]


# --- notes that cannot be read ----------------------------------------------------------------------------------------


async def test_unreadable_notes_are_recorded_with_their_reason_and_the_others_go_on(world: World) -> None:
    world.write("latin.md", "Käse".encode("latin-1"))
    world.write("huge.md", b"x" * 5_000_000)
    world.write("empty.md", "")
    world.write("front.md", "---\na: [\n---\nStill readable.\n")
    world.write("good.md", "Good.")
    await world.sync()
    assert await world.notes() == ["empty.md", "front.md", "good.md", "huge.md", "latin.md"]
    assert "UTF-8" in await world.reason("latin.md")
    assert "too large" in await world.reason("huge.md")
    assert "front matter" in await world.reason("front.md")
    assert await world.reason("empty.md") == await world.reason("good.md") == ""
    assert await world.text("front.md") == "Still readable."
    assert [await world.text(path) for path in ("latin.md", "huge.md", "empty.md")] == ["", "", ""]
    assert (await world.store.counts()).unreadable == 3


async def test_the_last_good_chunks_stay_until_the_note_is_good_again(world: World) -> None:
    world.write("a.md", "Good.")
    async with world.watching():
        await world.indexer.settled()
        await world.follow(world.write("a.md", b"\xff\xff"))
        assert await world.text("a.md") == "Good."
        assert "UTF-8" in await world.reason("a.md")
        await world.follow(world.write("a.md", "Better."))
        assert await world.text("a.md") == "Better."
        assert await world.reason("a.md") == ""


async def test_a_note_deleted_while_it_is_read_is_gone_and_the_others_go_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.write("a.md", "A.")
    world.write("b.md", "B.")
    world.write("moved.md", "M.")
    await world.sync()
    world.write("a.md", "A, longer.")
    world.write("b.md", "B, longer.")
    world.move("moved.md", "sub/moved.md")
    read = Vault.read

    def vanish(vault: Vault, path: NotePath) -> tuple[bytes, FileState]:
        if path in ("a.md", "sub/moved.md"):
            world.delete(path)
        return read(vault, path)

    monkeypatch.setattr(Vault, "read", vanish)
    await world.sync()
    assert await world.notes() == ["b.md"]
    assert await world.text("b.md") == "B, longer."


async def test_an_unreadable_note_is_tried_again_later_and_later(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    file = world.root / world.write("a.md", "Secret.")
    world.write("b.md", "Open.")
    monkeypatch.setattr(Vault, "read", refuse(file.name, Vault.read))
    monkeypatch.setattr(Vault, "hash", refuse(file.name, Vault.hash))
    async with world.watching():
        await world.indexer.settled()
        assert "denied" in await world.reason("a.md")
        assert await world.text("b.md") == "Open."
        await world.clock.asleep(RETRY_SECONDS - CEILING_SECONDS)
        await world.clock.advance(RETRY_SECONDS)
        await world.indexer.settled()
        await world.clock.asleep(2 * RETRY_SECONDS - CEILING_SECONDS)  # the second wait is twice as long
        monkeypatch.undo()
        await world.clock.advance(2 * RETRY_SECONDS)
        await world.indexer.settled()
        assert await world.text("a.md") == "Secret."
        assert await world.reason("a.md") == ""


async def test_an_unreadable_note_is_given_up_after_some_attempts(world: World) -> None:
    world.write("a.md", b"\xff")
    async with world.watching():
        await world.indexer.settled()
        await world.clock.advance(0)
        for _ in range(20):
            await world.clock.advance(24 * 3600)
            await world.indexer.settled()
        written = len(world.store.written)
        assert 2 < written < 20
        await world.clock.advance(365 * 24 * 3600)
        await world.indexer.settled()
        assert len(world.store.written) == written


# --- rules ------------------------------------------------------------------------------------------------------------


async def test_excluded_notes_are_purged_and_come_back(world: World) -> None:
    world.write("diary/a.md", "Dear diary.")
    world.write("b.md", "B.")
    async with world.watching():
        await world.indexer.settled()
        await world.follow(world.write(".vaultbridgeignore", "diary/\n"))
        assert await world.notes() == ["b.md"]
        assert "diary/" in (await world.indexer.status(NotePath("diary/a.md"))).reason
        await world.follow(world.write("diary/a.md", "Dear diary, again."))
        assert await world.notes() == ["b.md"]
        await world.follow(world.delete(".vaultbridgeignore"))
        assert await world.notes() == ["b.md", "diary/a.md"]
        await world.follow(exclude(world, "diary/"))
        assert await world.notes() == ["b.md"]


async def test_rules_that_changed_unreported_hold_with_the_next_look_at_everything(world: World) -> None:
    world.write("diary/a.md", "Dear diary.")
    async with world.watching():
        await world.indexer.settled()
        world.write(".vaultbridgeignore", "diary/\n")
        await world.follow(None)
    assert await world.notes() == []


async def test_broken_settings_let_nothing_out(world: World) -> None:
    world.write("diary/a.md", "Dear diary.")
    world.write("work/b.md", "Work.")
    exclude(world, "diary/")
    async with world.watching():
        await world.indexer.settled()
        assert await world.notes() == ["work/b.md"]
        await world.follow(world.write(".obsidian/app.json", '{"userIgnoreFilters": ["dia'))
        assert await world.notes() == ["work/b.md"]
        assert world.indexer.rule_problems
        # What is excluded meanwhile holds as well.
        await world.follow(world.write(".vaultbridgeignore", "work/\n"))
        assert await world.notes() == []
        await world.follow(exclude(world), world.delete(".vaultbridgeignore"))
        assert await world.notes() == ["diary/a.md", "work/b.md"]
        assert world.indexer.rule_problems == ()


async def test_a_filter_that_we_never_understood_does_not_freeze_the_other_rules(world: World) -> None:
    world.write("diary/a.md", "Dear diary.")
    world.write("work/b.md", "Work.")
    exclude(world, "/(?<javascript>x)/", "diary/")
    world.open()
    async with world.watching():
        await world.indexer.settled()
        assert await world.notes() == ["work/b.md"]
        assert world.indexer.rule_problems
        await world.follow(exclude(world, "/(?<javascript>x)/", "work/"))
        assert await world.notes() == ["diary/a.md"]


async def test_an_ignore_file_that_cannot_be_read_keeps_the_old_rules_and_indexing_goes_on(world: World) -> None:
    world.write("diary/a.md", "Dear diary.")
    world.write(".vaultbridgeignore", "diary/\n")
    world.open()
    async with world.watching():
        await world.indexer.settled()
        await world.follow(world.write(".vaultbridgeignore", b"diary/\n\xff\n"), world.write("b.md", "B."))
        assert await world.notes() == ["b.md"]
        assert ".vaultbridgeignore" in IndexReport(world.indexer, world.backfill, {}).problems["rules"]
        await world.follow(world.write(".vaultbridgeignore", "b.md\n"))
        assert await world.notes() == ["diary/a.md"]
        assert world.indexer.rule_problems == ()


async def test_a_first_start_without_readable_rules_is_refused(world: World) -> None:
    world.write(".vaultbridgeignore", b"\xff\n")
    with pytest.raises(ConfigError):
        world.open()


# --- faults -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("listable", [False, True])
async def test_a_folder_that_cannot_be_listed_keeps_its_notes(world: World, listable: bool) -> None:
    world.write("locked/a.md", "A.")
    world.write("locked/deep/b.md", "B.")
    world.write("c.md", "C.")
    async with world.watching():
        await world.indexer.settled()
        world.delete("c.md")
        with locked(world.root / "locked", listable):
            await world.follow(None)
            await world.follow("locked/a.md")
            await world.follow("locked")
            assert await world.notes() == ["locked/a.md", "locked/deep/b.md"]
            await world.follow(world.write(".vaultbridgeignore", "locked/deep/\n"))
            assert await world.notes() == ["locked/a.md"]
        world.delete("locked/a.md")
        await world.follow(None)
        assert await world.notes() == []


async def test_a_full_disk_is_said_and_everything_is_made_good_when_there_is_room(world: World) -> None:
    report = IndexReport(world.indexer, world.backfill, {})
    async with world.watching():
        await world.indexer.settled()
        world.store.full = True
        await world.hint(world.write("a.md", "A."))
        await world.clock.asleep(RETRY_SECONDS - CEILING_SECONDS)
        assert "room" in report.problems["index"]
        assert report.freshness.visible < report.freshness.wanted
        with pytest.raises(DiskFull):
            await world.indexer.settled()
        world.store.full = False
        world.write("b.md", "B.")
        await world.clock.advance(2 * RETRY_SECONDS)
        await world.indexer.settled()
        assert await world.notes() == ["a.md", "b.md"]
    assert "index" not in report.problems


async def test_a_commit_that_was_half_written_is_made_whole(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.write("a.md", "A.")
    whole = world.store.replace

    async def half(updates: Sequence[NoteUpdate], removed: Sequence[NotePath] = ()) -> None:
        await whole(updates, removed)
        raise DiskFull("The receipt was written, but nobody knows.")

    async with world.watching():
        await world.indexer.settled()
        world.delete("a.md")
        world.write("b.md", "B.")
        monkeypatch.setattr(world.store, "replace", half)
        await world.hint("a.md", "b.md")
        await world.clock.asleep(RETRY_SECONDS - CEILING_SECONDS)
        monkeypatch.setattr(world.store, "replace", whole)
        world.write("a.md", "A.")
        await world.clock.advance(2 * RETRY_SECONDS)
        await world.indexer.settled()
    assert await world.notes() == ["a.md", "b.md"]
    assert await world.text("a.md") == "A."


async def test_a_full_disk_while_a_note_is_tried_again_ends_nothing(world: World) -> None:
    world.write("a.md", b"\xff")
    async with world.watching():
        await world.indexer.settled()
        world.store.full = True
        await world.clock.asleep(RETRY_SECONDS - CEILING_SECONDS)
        await world.clock.advance(RETRY_SECONDS)
        await world.clock.asleep(RETRY_SECONDS - CEILING_SECONDS)
        assert "room" in world.indexer.error
        world.store.full = False
        await world.clock.advance(2 * RETRY_SECONDS)
        await world.indexer.settled()
        assert world.indexer.error == ""
        await world.follow(world.write("b.md", "B."))
    assert await world.notes() == ["a.md", "b.md"]


async def test_a_vault_that_is_gone_for_a_while_is_not_an_empty_one(world: World) -> None:
    world.write("a.md", "A.")
    away = world.root.with_name("away")
    async with world.watching():
        await world.indexer.settled()
        world.root.rename(away)
        await world.hint(None)
        await world.clock.asleep(RETRY_SECONDS - CEILING_SECONDS)
        assert world.indexer.error
        assert await world.notes() == ["a.md"]
        away.rename(world.root)
        world.write("b.md", "B.")
        await world.clock.advance(2 * RETRY_SECONDS)
        await world.indexer.settled()
    assert await world.notes() == ["a.md", "b.md"]


async def test_the_observer_is_stopped_with_the_indexer(world: World) -> None:
    async with world.watching():
        await world.indexer.settled()
        assert world.changes.listened_to
    assert not world.changes.listened_to


# --- anything ---------------------------------------------------------------------------------------------------------

PATHS = ["a.md", "b.md", "x/a.md", "x/b.md", "x/y/c.md", "z/a.md"]
FOLDERS = ["x", "x/y", "z", "w"]
TEXTS = [
    "",
    "One.",
    "Two.",
    "# Head\n\nOne.\n\n## Sub\n\nTwo.",
    "---\naliases: [Eins]\n---\nOne.",
    "番茄和鸡蛋。",
    "\udcff",
]
steps = st.one_of(
    st.tuples(st.just("write"), st.sampled_from(PATHS), st.sampled_from(TEXTS)),
    st.tuples(st.just("move"), st.sampled_from(PATHS + FOLDERS), st.sampled_from(PATHS + FOLDERS)),
    st.tuples(st.just("delete"), st.sampled_from(PATHS), st.just("")),
)


def perform(world: World, step: tuple[str, str, str]) -> tuple[str, ...]:
    """Do what can be done; the paths that the system would report."""
    kind, path, other = step
    try:
        if kind == "write":
            return (world.write(path, other.encode(errors="surrogateescape")),)
        if kind == "move" and (world.root / path).is_dir() == (not other.endswith(".md")):
            return world.move(path, other)
        if kind == "delete":
            return (world.delete(path),)
    except OSError:  # not there, in itself, onto a full folder
        return ()
    return ()


async def replay(batches: list[list[tuple[str, str, str]]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder).resolve())
        good: dict[str, bool] = {}
        async with world.watching():
            await world.indexer.settled()
            for batch in batches:
                await world.follow(*(path for step in batch for path in perform(world, step)))
                fresh = World(world.root)
                await fresh.indexer.sync()
                expected, found = await fresh.store.everything(), await world.store.everything()
                assert found.keys() == expected.keys()
                for note in await fresh.store.notes():
                    path = note.state.path
                    good[path] = not (note.reason and not note.chunks)
                    if good[path]:  # of an unreadable one the last good chunks stay
                        assert found[path] == expected[path]
                        assert all(chunk.note == path for chunk in found[path])
                    assert await world.reason(path) == note.reason
                counts = await world.store.counts()
                assert counts.vectors == counts.chunks


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.lists(steps, min_size=1, max_size=4), max_size=5))
def test_after_any_history_the_index_is_that_of_a_fresh_start(batches: list[list[tuple[str, str, str]]]) -> None:
    asyncio.run(replay(batches))


# --- who is told that a text is gone ----------------------------------------------------------------------------------


async def test_the_listener_hears_of_every_text_that_left_and_of_nothing_else(world: World) -> None:
    for name in ("same.md", "edited.md", "deleted.md", "old/moved.md", "Private/secret.md", "broken.md"):
        world.write(name, f"The text of {name}.")
    told: list[set[str]] = []
    world.listener = lambda paths: told.append(set(paths))
    await world.sync()
    assert told == [], "what is new was nowhere before"
    world.write("new.md", "New.")
    world.write("same.md", "The text of same.md.")  # a newer time, and nothing else
    world.write("edited.md", "Another text.")
    world.write("broken.md", b"\xff\xfe\x00")  # its last good text stays
    world.delete("deleted.md")
    world.move("old/moved.md", "new/moved.md")
    exclude(world, "Private/")
    await world.sync()
    assert set().union(*told) == {"edited.md", "deleted.md", "old/moved.md", "Private/secret.md"}


async def test_the_listener_is_told_when_the_index_has_it(world: World) -> None:
    world.write("a.md", "Before.")
    heard: list[str] = []
    async with world.watching():
        await world.indexer.settled()
        world.listener = lambda paths: heard.extend(f"{path}: {world.store.commits[-1]}" for path in paths)
        await world.follow(world.write("a.md", "After."))
        await world.follow(world.delete("a.md"))
    assert heard == ["a.md: (['a.md'], [])", "a.md: ([], ['a.md'])"]


async def test_a_note_moved_over_another_one_takes_its_text_too(world: World) -> None:
    world.write("a.md", "One.")
    world.write("b.md", "Two.")
    await world.sync()
    told: set[str] = set()
    world.listener = told.update
    world.move("a.md", "b.md")
    await world.sync()
    assert await world.text("b.md") == "One."
    assert told == {"a.md", "b.md"}


async def test_the_listener_hears_of_it_even_if_the_write_fails(world: World) -> None:
    world.write("a.md", "Before.")
    await world.sync()
    told: set[str] = set()
    world.listener = told.update
    world.write("a.md", "After.")
    world.store.full = True
    with pytest.raises(DiskFull):
        await world.indexer.sync()
    assert told == {"a.md"}, "nobody knows how far it came"
