"""The operating system's word that files below the vault changed, by watchdog; by polling where it gives none."""

from __future__ import annotations

import errno
import logging
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer as SystemObserver
from watchdog.observers.api import BaseObserver
from watchdog.observers.polling import PollingObserver

POLL_SECONDS = 5.0
MOUNTS = Path("/proc/self/mounts")

# Opened and read files are left out where the kernel can do so: our own reading of a large vault would overflow its
# queue. A modified directory is left out because what changed in it is reported too.
CHANGES: list[type[FileSystemEvent]] = [
    FileCreatedEvent,
    FileModifiedEvent,
    FileClosedEvent,
    FileMovedEvent,
    FileDeletedEvent,
    DirCreatedEvent,
    DirMovedEvent,
    DirDeletedEvent,
]
SILENT = frozenset(
    "nfs nfs4 cifs smb3 smbfs 9p virtiofs vboxsf ceph afs davfs prl_fs "
    "fuse.sshfs fuse.rclone fuse.gvfsd-fuse fuse.vmhgfs-fuse fuse.davfs2".split()
)
"""File systems that do not report what others change in them."""


class Observer:
    """A ChangeSource for one vault: absolute paths below ``root``, files and folders, hidden ones too."""

    def __init__(self, root: Path, poll_seconds: float = POLL_SECONDS) -> None:
        self._root = root
        self._poll_seconds = poll_seconds
        self._polling = ""
        self._observer: BaseObserver | None = None
        self._losses: _Losses | None = None

    @property
    def polling(self) -> str:
        """Why changes are polled for; empty if the system reports them."""
        return self._polling

    def start(self, on_change: Callable[[str | None], None]) -> None:
        """Call ``on_change`` from a thread with each path that changed, None if reports were lost.

        Both ends of a move are reported. Changes made after this returns are seen. Raises OSError for a missing root.
        """
        handler = _Reporter(on_change)
        self._polling = _silence(self._root)
        if not self._polling:
            try:
                self._observer = _watched(SystemObserver, self._root, handler)
            except OSError as error:
                if error.errno not in (errno.ENOSPC, errno.EMFILE):
                    raise
                self._polling = f"the system has no file watches left ({error.strerror})"
        if self._polling:
            self._observer = _watched(lambda: PollingObserver(timeout=self._poll_seconds), self._root, handler)
        self._losses = _Losses(on_change)
        logging.getLogger("watchdog").addHandler(self._losses)

    def stop(self) -> None:
        """No call arrives after this returns; stopping twice is fine."""
        if self._losses is not None:
            logging.getLogger("watchdog").removeHandler(self._losses)
            self._losses = None
        if self._observer is not None:
            self._observer.stop()
            self._observer.join()
            self._observer = None


class _Reporter(FileSystemEventHandler):
    def __init__(self, on_change: Callable[[str | None], None]) -> None:
        self._on_change = on_change

    def on_any_event(self, event: FileSystemEvent) -> None:
        for path in (event.src_path, event.dest_path):
            if path:
                self._on_change(str(path))


class _Losses(logging.Handler):
    """watchdog only logs that the kernel's queue overflowed or a snapshot failed: then anything may have changed."""

    def __init__(self, on_change: Callable[[str | None], None]) -> None:
        super().__init__(logging.WARNING)
        self._on_change = on_change

    def emit(self, record: logging.LogRecord) -> None:
        self._on_change(None)


def _watched(make: Callable[[], BaseObserver], root: Path, handler: FileSystemEventHandler) -> BaseObserver:
    """A running observer. Raises OSError, with nothing left running, if it cannot watch all of ``root``."""
    observer = make()
    try:
        observer.schedule(handler, str(root), recursive=True, event_filter=CHANGES)
        observer.start()
        if sys.platform == "linux" and not isinstance(observer, PollingObserver):
            _probe(observer)
    except OSError:
        observer.stop()
        if observer.is_alive():
            observer.join()
        raise
    return observer


def _probe(observer: BaseObserver) -> None:
    """Ask for one watch more: watchdog reports a refused watch for the root only, for folders below it it is silent."""
    with tempfile.TemporaryDirectory() as folder:
        observer.unschedule(observer.schedule(FileSystemEventHandler(), folder))


def _silence(root: Path) -> str:
    """Why the file system under ``root`` cannot be trusted to report changes; empty if it can, or nothing is known."""
    if not MOUNTS.exists():
        return ""
    place, kind = "", ""
    for line in MOUNTS.read_text(errors="surrogateescape").splitlines():
        _, point, its_kind = line.split(" ")[:3]
        point = point.replace("\\040", " ")
        # Of two mounts at one place the later one is on top.
        if len(point) >= len(place) and root.resolve().is_relative_to(point):
            place, kind = point, its_kind
    return f"the file system ({kind}) does not report what others change" if kind in SILENT else ""
