"""A disk that is really full, where this system lets a test mount one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ALONE = ("unshare", "--user", "--map-root-user", "--mount")


def can_mount(place: Path) -> bool:
    try:
        return subprocess.run([*ALONE, "mount", "-t", "tmpfs", "tmpfs", place], capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


def test_a_full_disk_is_said_and_nothing_is_lost(tmp_path: Path) -> None:
    disk, vault = tmp_path / "disk", tmp_path / "vault"
    disk.mkdir()
    vault.mkdir()
    if not can_mount(disk):
        pytest.skip("no disk can be mounted here")
    command = [*ALONE, sys.executable, "-m", "tests.index.full_disk", str(disk), str(vault)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    said, end = done.stdout.splitlines()
    assert "No room is left" in said
    assert end == "equal"
