"""Processes that end with the one that started them, however it ends."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from vaultbridge.engine.pool import ProcessPool

# Guarded, since each process of the pool runs it again.
PROGRAM = """
import time
from concurrent.futures import BrokenExecutor
from multiprocessing import active_children
from vaultbridge.engine.pool import ProcessPool

if __name__ == "__main__":
    pool = ProcessPool()
    assert pool.submit(pow, 2, 5).result() == 32
    print(*(process.pid for process in active_children()), flush=True)
    {then}
"""


@contextmanager
def started(then: str, folder: Path) -> Iterator[tuple[subprocess.Popen[str], list[psutil.Process]]]:
    """A program that has such a pool, and the processes of it."""
    script = folder / "program.py"
    script.write_text(PROGRAM.format(then=then), encoding="utf-8")
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process, [psutil.Process(int(pid)) for pid in process.stdout.readline().split()]
        process.kill()


def test_they_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    with started("time.sleep(60)", tmp_path) as (parent, children):
        assert children
        parent.kill()
        _, alive = psutil.wait_procs(children, timeout=20)
        assert alive == []


def test_they_do_not_keep_their_parent_from_ending(tmp_path: Path) -> None:
    with started("pool.shutdown(wait=False, cancel_futures=True)", tmp_path) as (parent, children):
        assert parent.wait(20) == 0
        _, alive = psutil.wait_procs(children, timeout=20)
        assert alive == []


def test_killed_ones_do_not_keep_their_parent_from_ending(tmp_path: Path) -> None:
    with started(
        """
    for process in active_children():
        process.kill()
    try:
        pool.submit(pow, 2, 5).result()
    except BrokenExecutor:
        raise SystemExit(7) from None
""".strip(),
        tmp_path,
    ) as (parent, _):
        assert parent.wait(20) == 7


def test_what_a_task_raises_is_raised_here() -> None:
    pool = ProcessPool()
    with pool, pytest.raises(ValueError, match="invalid literal"):
        pool.submit(int, "none").result()
