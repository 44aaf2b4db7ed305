"""The vault's files: what is there, and what is in them."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from stat import S_ISREG
from typing import BinaryIO

from vaultbridge.core.errors import NoteUnreadable, VaultNotFound
from vaultbridge.core.notes import FileStat, FileState, NotePath
from vaultbridge.vault.formats import is_note, most_bytes
from vaultbridge.vault.ignore import IgnoreRules, is_hidden

_BLOCK = 1 << 20

log = logging.getLogger(__name__)


class Vault:
    """A folder of notes. ``root`` is absolute, its own links resolved once.

    Links within the vault, to files or folders, are never followed: what they lead to inside has its own name, and
    what is outside is not the vault's. Raises VaultNotFound.
    """

    def __init__(self, root: Path) -> None:
        hint = "Name the folder that holds your notes, the one with .obsidian in it."
        try:
            self.root = root.expanduser().resolve(strict=True)
        except (OSError, RuntimeError) as error:
            raise VaultNotFound(f"There is no folder {root}.", hint) from error
        if not self.root.is_dir():
            raise VaultNotFound(f"{root} is not a folder.", hint)
        self._given = Path(os.path.normpath(Path.cwd() / root.expanduser()))

    def walk(
        self,
        rules: IgnoreRules,
        unlisted: Callable[[str], None] | None = None,
        excluded: Callable[[str], None] | None = None,
    ) -> Iterator[FileStat]:
        """List the notes that the rules let in, sorted by the code points of their paths.

        A folder that cannot be listed is skipped with a warning, and ``unlisted`` is called with its path, a slash at
        the end: nothing is known of its notes. Raises VaultNotFound at once if that is the root: a vault on a drive
        that is gone is not an empty one. ``excluded`` is called with the rule that keeps a note out.
        """
        found: list[FileStat] = []
        folders = [""]
        while folders:
            folder = folders.pop()
            try:
                with os.scandir(self.root / folder) as entries:
                    for entry in entries:
                        path = NotePath(folder + entry.name)
                        if is_hidden(entry.name) or not _is_unicode(entry.name):
                            continue
                        if entry.is_dir(follow_symlinks=False):
                            folders.append(f"{path}/")
                        elif is_note(path) and entry.is_file(follow_symlinks=False):
                            if rule := rules.reason(path):
                                if excluded is not None:
                                    excluded(rule)
                                continue
                            with suppress(FileNotFoundError):
                                seen = entry.stat(follow_symlinks=False)
                                found.append(FileStat(path, seen.st_mtime_ns, seen.st_size))
            except OSError as error:
                if not folder:
                    raise VaultNotFound(f"The vault {self.root} cannot be read: {error.strerror}.") from error
                if isinstance(error, (FileNotFoundError, NotADirectoryError)):
                    continue  # deleted since its parent was listed
                log.warning("Skipped the folder %s: %s", folder, error.strerror)
                if unlisted is not None:
                    unlisted(folder)
        return iter(sorted(found, key=lambda note: note.path))

    def stat(self, path: NotePath) -> FileStat | None:
        """Look at one note; None if it is missing, not a note, no regular file, or behind a link.

        Raises OSError if it cannot be told, as below a folder that may not be entered.
        """
        if not is_note(path) or not _is_unicode(path):
            return None
        try:
            seen = os.lstat(self._locate(path))
        except (FileNotFoundError, NotADirectoryError, NoteUnreadable):
            return None
        return FileStat(path, seen.st_mtime_ns, seen.st_size) if S_ISREG(seen.st_mode) else None

    def lists(self, path: NotePath) -> bool:
        """Whether a note that is there is listed under that very name.

        A file system to which case, or the way in which accents are written, means nothing finds it under others too.
        """
        place = self.root / path
        try:
            same = os.path.samestat(os.lstat(place), os.lstat(place.with_name(place.name.swapcase())))
        except OSError:
            return True
        return not same or any(place.name == other.name for other in place.parent.iterdir())

    def read(self, path: NotePath) -> tuple[bytes, FileState]:
        """Read a note's bytes, and their state.

        Raises FileNotFoundError if the note is gone, NoteUnreadable if it is longer than its kind may be, not permitted
        or behind a link.
        """
        limit = most_bytes(path)
        with self._open(path) as (file, found):
            if found.size > limit:
                raise NoteUnreadable(f"too large: {found.size} bytes, the limit is {limit}")
            content = file.read(limit + 1)
        if len(content) > limit:
            raise NoteUnreadable(f"too large: more than {limit} bytes")
        return content, FileState(path, found.mtime_ns, found.size, hashlib.sha256(content).hexdigest())

    def hash(self, path: NotePath) -> FileState:
        """Tell a file's state, whatever its size. Raises as ``read``, but for the size."""
        digest = hashlib.sha256()
        with self._open(path) as (file, found):
            while block := file.read(_BLOCK):
                digest.update(block)
        return FileState(path, found.mtime_ns, found.size, digest.hexdigest())

    def note_path(self, path: str | Path) -> NotePath | None:
        """Say what an absolute path is called in the vault; None if it is outside, or the vault itself.

        The path need not exist, and may begin with the root as it was given, links unresolved.
        """
        place = Path(os.path.normpath(path))
        for root in (self.root, self._given):
            if place != root and place.is_relative_to(root):
                return NotePath(place.relative_to(root).as_posix())
        return None

    def _locate(self, path: NotePath) -> Path:
        if "\0" in path:
            raise FileNotFoundError(f"no file has a zero in its name: {path!r}")
        place = self.root.joinpath(*PurePosixPath(path).parts)
        # A folder's true place is its own only if no link is on the way; ".." does not get past this either.
        if place.parent.resolve(strict=True) != place.parent or not place.is_relative_to(self.root):
            raise NoteUnreadable("cannot be read: it is behind a link")
        return place

    @contextmanager
    def _open(self, path: NotePath) -> Iterator[tuple[BinaryIO, FileStat]]:
        try:
            place = self._locate(path)
            if not S_ISREG(os.lstat(place).st_mode):
                raise NoteUnreadable("cannot be read: it is a link, or no regular file")
            with place.open("rb") as file:
                # Looked at before the reading: if it is being written meanwhile, the next look differs.
                seen = os.fstat(file.fileno())
                yield file, FileStat(path, seen.st_mtime_ns, seen.st_size)
        except NotADirectoryError as error:
            # A folder on the way is now a file, so there is no such note.
            raise FileNotFoundError(str(error)) from error
        except FileNotFoundError:
            raise
        except OSError as error:
            raise NoteUnreadable(f"cannot be read: {error.strerror or error}") from error


def _is_unicode(name: str) -> bool:
    """False for a name of other bytes, which POSIX file systems may hold: neither Obsidian nor JSON can spell it."""
    return not any("\ud800" <= char <= "\udfff" for char in name)
