"""What the index has on the disk is for its owner alone."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tests.scenarios.serving import Run, Served
from tests.server.building import write_vault

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows keeps a user's data folder from others by itself")


def modes(folder: Path) -> dict[int, list[Path]]:
    """Everything below a folder, and itself, by its mode."""
    found: dict[int, list[Path]] = {}
    for place in (folder, *folder.rglob("*")):
        found.setdefault(stat.S_IMODE(place.stat().st_mode), []).append(place)
    return found


def test_files_are_0600_and_folders_0700_whatever_the_mask_of_the_user(run: Run, tmp_path: Path) -> None:
    vault, data = write_vault(tmp_path / "My Vault"), tmp_path / "data"
    before = os.umask(0o022)
    try:
        for _ in range(2):
            assert run("index", "--vault", vault, "--data", data, "--backend", "fakes").returncode == 0
            assert os.umask(0o022) == 0o022, "the caller's own is as it was"
            found = modes(data / "vaults")
            assert set(found) == {0o600, 0o700}
            assert all(place.is_file() for place in found[0o600])
            assert all(place.is_dir() for place in found[0o700])
            assert any(place.suffix == ".lance" for place in found[0o600])
            for place in (data / "vaults").rglob("*"):  # as an earlier version left them
                place.chmod(0o755 if place.is_dir() else 0o644)
    finally:
        os.umask(before)


def test_a_running_server_keeps_to_it(served: Served) -> None:
    served.wait_until_indexed()
    (served.vault / "More.md").write_text("More text to be written into the index.", encoding="utf-8")
    served.wait_until_indexed()
    found = modes(served.data / "vaults")
    assert set(found) == {0o600, 0o700}
    assert any(place.name == "server.json" for place in found[0o600])
