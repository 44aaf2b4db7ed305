"""What differs between the disk and the store, from two streams sorted by path."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from vaultbridge.core.errors import NoteUnreadable
from vaultbridge.core.notes import Change, FileStat, FileState, NotePath


def diff(
    disk: Iterable[FileStat],
    store: Iterable[FileState],
    read: Callable[[NotePath], FileState],
    *,
    trust_stat: bool = True,
) -> list[Change]:
    """The changes that make ``store`` equal to ``disk``; both sorted by path.

    mtime and size are the cheap filter, the content's hash from ``read`` is the truth; without ``trust_stat`` it is
    asked for every file. A stored state without a hash was never read and matches nothing. A file that is gone when it
    is read counts as absent; one that cannot be read has an empty hash. ``pair_moves`` finds the moves.
    """
    changes: list[Change] = []
    files, states = iter(disk), iter(store)
    file, state = next(files, None), next(states, None)
    while file is not None or state is not None:
        if state is None or (file is not None and file.path < state.path):
            assert file is not None
            if (now := _read(file, read)) is not None:
                changes.append(Change("added", file.path, now))
            file = next(files, None)
        elif file is None or state.path < file.path:
            changes.append(Change("removed", state.path))
            state = next(states, None)
        else:
            if not state.sha256 or state.stat != file or not trust_stat:
                now = _read(file, read)
                if now is None:
                    changes.append(Change("removed", state.path))
                elif not now.sha256 or now.sha256 != state.sha256:
                    changes.append(Change("modified", file.path, now))
                elif now != state:
                    changes.append(Change("touched", file.path, now))
            file, state = next(files, None), next(states, None)
    return changes


def pair_moves(changes: Iterable[Change], store: Callable[[NotePath], FileState]) -> list[Change]:
    """Join each removal with an addition of the same content into one move; the rest stays as it is."""
    changes = list(changes)
    gone: dict[str, list[NotePath]] = {}
    for change in changes:
        if change.kind == "removed" and (digest := store(change.path).sha256):
            gone.setdefault(digest, []).append(change.path)
    moved: set[NotePath] = set()
    paired: list[Change] = []
    for change in changes:
        if change.kind == "added" and change.state is not None and gone.get(change.state.sha256):
            origin = gone[change.state.sha256].pop(0)
            moved.add(origin)
            paired.append(replace(change, kind="moved", origin=origin))
        else:
            paired.append(change)
    return [change for change in paired if not (change.kind == "removed" and change.path in moved)]


def _read(file: FileStat, read: Callable[[NotePath], FileState]) -> FileState | None:
    try:
        return read(file.path)
    except FileNotFoundError:
        return None
    except NoteUnreadable:
        return FileState(file.path, file.mtime_ns, file.size, "")
