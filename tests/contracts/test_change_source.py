"""What every ChangeSource promises, asked of the fake, of the system's observer and of polling."""

from __future__ import annotations

import errno
import logging
import queue
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest
from watchdog.observers.polling import PollingObserver

from vaultbridge.backends import observer as module
from vaultbridge.backends.fakes.changes import FakeChanges
from vaultbridge.backends.observer import Observer
from vaultbridge.core.ports import ChangeSource

PATIENCE = 10.0


class Exhausted(PollingObserver):
    """A system without file watches."""

    def start(self) -> None:
        raise OSError(errno.ENOSPC, "inotify watch limit reached")


class Ears:
    """Remembers every reported path and waits for the ones that a test expects."""

    def __init__(self) -> None:
        self._queue: queue.Queue[str | None] = queue.Queue()
        self.heard: set[str | None] = set()

    def __call__(self, path: str | None) -> None:
        self._queue.put(path)

    def wait_for(self, *paths: Path | None) -> None:
        missing = {None if path is None else str(path) for path in paths} - self.heard
        deadline = time.monotonic() + PATIENCE
        while missing:
            path = self._queue.get(timeout=max(0.01, deadline - time.monotonic()))
            self.heard.add(path)
            missing.discard(path)

    def forget(self) -> None:
        self.heard.clear()

    def silent(self) -> bool:
        return self._queue.empty()


class Told(Protocol):
    """Carries a change on the disk to the source: the fake has to be told."""

    def __call__(self, *paths: Path) -> None: ...


@pytest.fixture(params=["fake", "system", "polling"])
def source(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ChangeSource]:
    made: ChangeSource
    if request.param == "fake":
        made = FakeChanges()
    else:
        if request.param == "polling":
            monkeypatch.setattr(module, "SystemObserver", Exhausted)
        made = Observer(tmp_path, poll_seconds=0.05)
    yield made
    made.stop()


@pytest.fixture
def tell(source: ChangeSource) -> Told:
    def told(*paths: Path) -> None:
        if isinstance(source, FakeChanges):
            for path in paths:
                source.report(str(path))

    return told


def test_all_are_change_sources() -> None:
    sources: list[type[ChangeSource]] = [FakeChanges, Observer]
    assert len(sources) == 2


def test_a_file_is_reported_when_it_comes_changes_moves_and_goes(
    source: ChangeSource, tell: Told, tmp_path: Path
) -> None:
    ears = Ears()
    source.start(ears)
    note, moved = tmp_path / "番茄 a.md", tmp_path / "b.md"
    note.write_text("one")
    tell(note)
    ears.wait_for(note)
    ears.forget()
    note.write_text("one and two")
    tell(note)
    ears.wait_for(note)
    ears.forget()
    note.rename(moved)
    tell(note, moved)
    ears.wait_for(note, moved)
    ears.forget()
    moved.unlink()
    tell(moved)
    ears.wait_for(moved)


def test_folders_are_reported_too(source: ChangeSource, tell: Told, tmp_path: Path) -> None:
    (tmp_path / "old" / "deep").mkdir(parents=True)
    (tmp_path / "old" / "deep" / "a.md").write_text("x")
    ears = Ears()
    source.start(ears)
    (tmp_path / "old").rename(tmp_path / "new")
    tell(tmp_path / "old", tmp_path / "new")
    ears.wait_for(tmp_path / "old", tmp_path / "new")
    # What happens inside a folder that was moved or is new is seen as well.
    (tmp_path / "new" / "deep" / "a.md").write_text("xyz")
    tell(tmp_path / "new" / "deep" / "a.md")
    ears.wait_for(tmp_path / "new" / "deep" / "a.md")
    (tmp_path / "fresh").mkdir()
    (tmp_path / "fresh" / "b.md").write_text("y")
    tell(tmp_path / "fresh" / "b.md")
    ears.wait_for(tmp_path / "fresh" / "b.md")
    shutil.rmtree(tmp_path / "new")
    tell(tmp_path / "new")
    ears.wait_for(tmp_path / "new")


def test_hidden_rules_are_reported(source: ChangeSource, tell: Told, tmp_path: Path) -> None:
    rules = tmp_path / ".obsidian" / "app.json"
    rules.parent.mkdir()
    ears = Ears()
    source.start(ears)
    rules.write_text("{}")
    tell(rules)
    ears.wait_for(rules)


def test_nothing_is_reported_after_stop_and_it_can_start_again(
    source: ChangeSource, tell: Told, tmp_path: Path
) -> None:
    first, second = Ears(), Ears()
    source.start(first)
    source.stop()
    source.stop()
    (tmp_path / "unheard.md").write_text("x")
    tell(tmp_path / "unheard.md")
    assert first.silent()
    source.start(second)
    (tmp_path / "heard.md").write_text("x")
    tell(tmp_path / "heard.md")
    second.wait_for(tmp_path / "heard.md")
    assert first.silent()


# --- the real one -----------------------------------------------------------------------------------------------------


def test_reading_and_the_folder_around_a_change_are_not_reported(tmp_path: Path) -> None:
    note = tmp_path / "a.md"
    note.write_text("x")
    ears, source = Ears(), Observer(tmp_path)
    source.start(ears)
    assert source.polling == ""
    note.read_text()
    list(tmp_path.iterdir())
    (tmp_path / "b.md").write_text("y")
    ears.wait_for(tmp_path / "b.md")
    (tmp_path / "c.md").write_text("z")
    ears.wait_for(tmp_path / "c.md")
    source.stop()
    assert ears.heard == {str(tmp_path / "b.md"), str(tmp_path / "c.md")}


def test_without_watches_it_polls_and_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SystemObserver", Exhausted)
    source = Observer(tmp_path, poll_seconds=0.05)
    assert source.polling == ""
    source.start(Ears())
    assert "no file watches left" in source.polling
    source.stop()


def test_watches_that_run_out_below_the_root_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # watchdog swallows the refusal for every folder but the root: one watch more than the vault needs tells.
    class Full(PollingObserver):
        def schedule(self, *args: object, **kwargs: object) -> None:  # type: ignore[override]
            if self.is_alive():
                raise OSError(errno.ENOSPC, "inotify watch limit reached")

    monkeypatch.setattr(module, "SystemObserver", Full)
    monkeypatch.setattr(module, "PollingObserver", type("Polling", (PollingObserver,), {}))
    source = Observer(tmp_path, poll_seconds=0.05)
    source.start(Ears())
    assert "no file watches left" in source.polling
    source.stop()


@pytest.mark.parametrize(("kind", "polls"), [("nfs4", True), ("9p", True), ("fuse.sshfs", True), ("ext4", False)])
def test_a_silent_file_system_is_polled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, polls: bool
) -> None:
    mounts = tmp_path / "mounts"
    vault = tmp_path / "my vault"
    vault.mkdir()
    mounts.write_text(f"dev / ext4 rw 0 0\nhost:/x {str(vault).replace(' ', chr(92) + '040')} {kind} rw 0 0\n")
    monkeypatch.setattr(module, "MOUNTS", mounts)
    source = Observer(vault, poll_seconds=0.05)
    source.start(Ears())
    assert (kind in source.polling) is polls
    source.stop()


def test_lost_reports_mean_that_anything_may_have_changed(tmp_path: Path) -> None:
    ears, source = Ears(), Observer(tmp_path)
    source.start(ears)
    logging.getLogger("watchdog.observers.inotify_c").warning("Inotify queue overflowed; filesystem events were lost")
    ears.wait_for(None)
    source.stop()
    logging.getLogger("watchdog.observers.inotify_c").warning("Inotify queue overflowed; filesystem events were lost")
    assert ears.silent()


def test_a_missing_root_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        Observer(tmp_path / "nowhere").start(Ears())
