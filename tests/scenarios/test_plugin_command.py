"""``vaultbridge plugin install`` as a user types it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scenarios.serving import Run
from vaultbridge.cli import plugin

NAMES = ["main.js", "manifest.json", "styles.css"]


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A plugin that is built, in a checkout of its own."""
    folder = tmp_path / "built"
    folder.mkdir()
    for name in NAMES:
        (folder / name).write_text(f"new {name}")
    monkeypatch.setattr(plugin, "_CHECKOUT", folder)
    return folder


def test_the_three_files_are_copied_and_settings_stay(run: Run, built: Path, tmp_path: Path) -> None:
    folder = tmp_path / "My Vault/.obsidian/plugins/vaultbridge"
    folder.mkdir(parents=True)
    (folder / "main.js").write_text("old")
    (folder / "data.json").write_text("{}")
    done = run("plugin", "install", "--vault", tmp_path / "My Vault")
    assert done.returncode == 0
    assert "Enable it in Obsidian" in done.stdout
    assert sorted(path.name for path in folder.iterdir()) == ["data.json", *NAMES]
    assert (folder / "main.js").read_text() == "new main.js"
    assert (folder / "data.json").read_text() == "{}"


def test_what_is_no_vault_is_left_alone(run: Run, built: Path, tmp_path: Path) -> None:
    (tmp_path / "Notes").mkdir()
    refused = run("plugin", "install", "--vault", tmp_path / "Notes")
    assert refused.returncode == 2
    assert "Open it in Obsidian once" in refused.stderr
    assert list((tmp_path / "Notes").iterdir()) == []


def test_a_plugin_that_is_not_built_says_how(run: Run, built: Path, tmp_path: Path) -> None:
    (built / "main.js").unlink()
    (tmp_path / "My Vault/.obsidian").mkdir(parents=True)
    refused = run("plugin", "install", "--vault", tmp_path / "My Vault")
    assert refused.returncode == 2
    assert "make plugin" in refused.stderr
