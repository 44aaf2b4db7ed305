"""A file that arrives in pieces, in any order, over any number of attempts."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

PIECE = 16 << 20
"""Bytes that are asked for at once: a connection that is done takes the next piece."""


@dataclass(slots=True)
class Gap:
    """Bytes from ``at`` to before ``end`` that are not there yet; ``at`` moves forward as they come."""

    at: int
    end: int


class PartialFile:
    """``path`` and, beside it, a journal of the gaps that are left in it; an open context.

    The journal never claims what is not on the disk: it is there before the file, and what is written is synced before
    it is recorded. So a file without a journal is whole. ``identity`` names the content: another one begins anew.
    """

    def __init__(self, path: Path, size: int, identity: str) -> None:
        self._path, self._size, self._identity = path, size, identity
        self._journal = path.with_name(f"{path.name}.gaps")
        known = self._recorded()
        self._begins_anew = known is None
        self.gaps = [Gap(at, min(at + PIECE, size)) for at in range(0, size, PIECE)] if known is None else known

    @staticmethod
    def is_whole(path: Path) -> bool:
        """Whether a file is there and all of it has arrived."""
        return path.is_file() and not path.with_name(f"{path.name}.gaps").exists()

    @staticmethod
    def arrived(path: Path) -> int:
        """How many bytes of a file are there."""
        if PartialFile.is_whole(path):
            return path.stat().st_size
        with suppress(OSError, ValueError, KeyError, TypeError):
            known = json.loads(path.with_name(f"{path.name}.gaps").read_text(encoding="utf-8"))
            return int(known["size"]) - sum(int(end) - int(at) for at, end in known["gaps"])
        return 0

    def __enter__(self) -> PartialFile:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._record()
        anew = os.O_TRUNC if self._begins_anew else 0
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | anew | getattr(os, "O_BINARY", 0), 0o644)
        self._file = os.fdopen(descriptor, "r+b", buffering=0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    @property
    def done(self) -> int:
        """How many bytes have arrived."""
        return self._size - sum(gap.end - gap.at for gap in self.gaps)

    def fill(self, gap: Gap, data: bytes) -> None:
        """Write what comes next in a gap. Raises OSError."""
        rest = memoryview(data)[: gap.end - gap.at]
        self._file.seek(gap.at)
        while rest:
            written = self._file.write(rest)
            gap.at += written
            rest = rest[written:]

    def restart(self) -> None:
        """Forget everything: it can only be had from its first byte on, in one piece."""
        self.gaps = [Gap(0, self._size)]

    def save(self) -> None:
        """Record what has arrived, once it is on the disk; without room for that the former record stays."""
        with suppress(OSError):
            os.fsync(self._file.fileno())
            self._record()

    def finish(self) -> None:
        """Record that the file is whole."""
        os.fsync(self._file.fileno())
        self._journal.unlink()

    def discard(self) -> None:
        """Delete what has arrived."""
        self._file.close()  # Windows deletes no open file
        self._path.unlink(missing_ok=True)
        self._journal.unlink(missing_ok=True)

    def _record(self) -> None:
        gaps = [(gap.at, gap.end) for gap in self.gaps if gap.at < gap.end]
        fresh = self._journal.with_name(f"{self._journal.name}.new")
        fresh.write_text(json.dumps({"identity": self._identity, "size": self._size, "gaps": gaps}), encoding="utf-8")
        fresh.replace(self._journal)

    def _recorded(self) -> list[Gap] | None:
        with suppress(OSError, ValueError, KeyError, TypeError):
            known = json.loads(self._journal.read_text(encoding="utf-8"))
            if self._path.is_file() and (known["identity"], known["size"]) == (self._identity, self._size):
                return [Gap(int(at), int(end)) for at, end in known["gaps"]]
        return None
