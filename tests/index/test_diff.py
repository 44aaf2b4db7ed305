"""Tables of disk and store to changes, and that the changes do what they say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaultbridge.core.errors import NoteUnreadable
from vaultbridge.core.notes import Change, FileState, NotePath
from vaultbridge.index.diff import diff, pair_moves


@dataclass(frozen=True)
class File:
    """A file in a world: what it holds, when it was written; ``None`` content cannot be read."""

    content: str | None
    mtime: int = 1

    def state(self, path: str) -> FileState:
        size = len(self.content or "")
        return FileState(NotePath(path), self.mtime, size, f"sha of {self.content}" if self.content is not None else "")


World = Mapping[str, File]


@dataclass
class Disk:
    """A world that is read, and counts what is read. ``vanishing`` paths are seen but gone when they are opened."""

    world: World
    vanishing: frozenset[str] = frozenset()
    asked: list[str] = field(default_factory=list)

    def read(self, path: NotePath) -> FileState:
        self.asked.append(path)
        if path in self.vanishing:
            raise FileNotFoundError(path)
        state = self.world[path].state(path)
        if not state.sha256:
            raise NoteUnreadable("cannot be read")
        return state


def states(world: World) -> list[FileState]:
    return [world[path].state(path) for path in sorted(world)]


def changes_of(disk: Disk, store: World, *, trust_stat: bool = True) -> list[Change]:
    known = {state.path: state for state in states(store)}
    found = diff([state.stat for state in states(disk.world)], list(known.values()), disk.read, trust_stat=trust_stat)
    return pair_moves(found, lambda path: known[path])


def told(changes: list[Change]) -> list[tuple[str, str, str | None]]:
    return [(change.kind, change.path, change.origin) for change in changes]


A, A2, LATER = File("alpha"), File("ALPHA"), File("alpha", mtime=2)
LONGER = File("alpha and more", mtime=2)
B, LOCKED = File("beta"), File(None)

TABLE: list[tuple[str, World, World, list[tuple[str, str, str | None]]]] = [
    ("nothing", {}, {}, []),
    ("equal", {"a": A, "b": B}, {"a": A, "b": B}, []),
    ("all new", {"a": A, "b": B}, {}, [("added", "a", None), ("added", "b", None)]),
    ("all gone", {}, {"a": A, "b": B}, [("removed", "a", None), ("removed", "b", None)]),
    ("edited", {"a": LONGER}, {"a": A}, [("modified", "a", None)]),
    ("saved without an edit", {"a": LATER}, {"a": A}, [("touched", "a", None)]),
    ("between others", {"a": A, "b": B, "c": LONGER}, {"a": A, "c": LONGER}, [("added", "b", None)]),
    ("moved", {"new": A}, {"old": A}, [("moved", "new", "old")]),
    ("moved backwards", {"a": A}, {"z": A}, [("moved", "a", "z")]),
    ("moved and edited is no move", {"new": LONGER}, {"old": A}, [("added", "new", None), ("removed", "old", None)]),
    ("copied is no move", {"a": A, "b": A}, {"a": A}, [("added", "b", None)]),
    (
        "one moved, one copied",
        {"x": A, "y": A},
        {"old": A},
        [("moved", "x", "old"), ("added", "y", None)],
    ),
    (
        "twins moved",
        {"n/a": A, "n/b": A},
        {"o/a": A, "o/b": A},
        [("moved", "n/a", "o/a"), ("moved", "n/b", "o/b")],
    ),
    (
        "two swapped",
        {"a": File("beta", 2), "b": File("alpha", 3)},
        {"a": A, "b": B},
        [("modified", "a", None), ("modified", "b", None)],
    ),
    ("new and unreadable", {"a": LOCKED}, {}, [("added", "a", None)]),
    ("unreadable is looked at again though nothing changed", {"a": LOCKED}, {"a": LOCKED}, [("modified", "a", None)]),
    ("readable again", {"a": A}, {"a": LOCKED}, [("modified", "a", None)]),
    (
        "unreadable ones are not each other's moves",
        {"new": LOCKED},
        {"old": LOCKED},
        [("added", "new", None), ("removed", "old", None)],
    ),
]


@pytest.mark.parametrize(("disk", "store", "expected"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_table(disk: World, store: World, expected: list[tuple[str, str, str | None]]) -> None:
    assert told(changes_of(Disk(disk), store)) == expected


def test_an_unreadable_file_comes_with_its_stat_and_without_a_hash() -> None:
    (change,) = changes_of(Disk({"a": File(None, mtime=7)}), {"a": A})
    assert change.state == FileState(NotePath("a"), 7, 0, "")


def test_what_is_gone_when_it_is_read_counts_as_absent() -> None:
    disk = Disk({"new": A, "known": LONGER}, vanishing=frozenset({"new", "known"}))
    assert told(changes_of(disk, {"known": A})) == [("removed", "known", None)]


def test_only_what_looks_different_is_read() -> None:
    disk = Disk({"same": A, "saved": LATER, "new": B})
    changes_of(disk, {"same": A, "saved": A, "gone": B})
    assert sorted(disk.asked) == ["new", "saved"]


def test_without_trust_an_edit_that_the_clock_hides_is_found() -> None:
    disk, store = {"a": A2, "b": B}, {"a": A, "b": B}
    assert told(changes_of(Disk(disk), store)) == []
    assert told(changes_of(Disk(disk), store, trust_stat=False)) == [("modified", "a", None)]


def applied(store: World, changes: list[Change]) -> dict[str, FileState]:
    """What the store holds after the changes."""
    result = {path: file.state(path) for path, file in store.items()}
    for change in changes:
        if change.kind in ("added", "moved"):
            assert change.path not in store
        if change.kind == "moved":
            assert change.origin is not None
            assert change.state is not None
            assert result.pop(change.origin).sha256 == change.state.sha256
        if change.kind == "removed":
            del result[change.path]
        else:
            assert change.state is not None
            result[change.path] = change.state
    assert len({change.path for change in changes}) == len(changes)
    return result


paths = st.sampled_from(["a", "b", "c", "a/b", "a-b", "a.b", "番茄", "Z"])
contents = st.one_of(st.none(), st.sampled_from(["", "one", "two", "six"]))
worlds = st.dictionaries(paths, st.builds(File, contents, st.integers(1, 3)))


@given(worlds, worlds)
def test_applying_the_changes_to_the_store_gives_the_disk(disk: World, store: World) -> None:
    # Same stat means same content here; where it does not, the cheap filter is wrong by design.
    disk = {
        path: store[path] if path in store and store[path].state(path).stat == file.state(path).stat else file
        for path, file in disk.items()
    }
    changes = changes_of(Disk(disk), store)
    result = applied(store, changes)
    assert result == {path: file.state(path) for path, file in disk.items()}


@given(worlds, worlds)
def test_without_trust_no_content_is_ever_missed(disk: World, store: World) -> None:
    changes = changes_of(Disk(disk), store, trust_stat=False)
    result = applied(store, changes)
    assert result == {path: file.state(path) for path, file in disk.items()}


@given(worlds, worlds)
def test_content_that_is_known_is_never_added_while_its_old_place_is_removed(disk: World, store: World) -> None:
    changes = changes_of(Disk(disk), store)
    added = {c.state.sha256 for c in changes if c.kind == "added" and c.state and c.state.sha256}
    removed = {store[c.path].state(c.path).sha256 for c in changes if c.kind == "removed"}
    assert not added & removed
