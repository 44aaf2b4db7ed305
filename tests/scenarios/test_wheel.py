"""The wheel that users install, built from a copy of what goes into it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.scenarios.serving import COMMAND, environment

ROOT = Path(__file__).parents[2]
PLUGIN = ("main.js", "manifest.json", "styles.css")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout in which the plugin is built."""
    checkout = tmp_path / "checkout"
    shutil.copytree(ROOT / "vaultbridge", checkout / "vaultbridge", ignore=shutil.ignore_patterns("__pycache__"))
    for name in (
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "models/catalog.toml",
        *_in_plugin("manifest.json", "styles.css"),
    ):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, checkout / name)
    (checkout / "obsidian-plugin/main.js").write_text("the plugin")
    return checkout


def _in_plugin(*names: str) -> list[str]:
    return [f"obsidian-plugin/{name}" for name in names]


def installed(checkout: Path) -> Path:
    """The folder that the checkout's wheel is unpacked in."""
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel"], cwd=checkout, check=True, timeout=60)
    (wheel,) = (checkout / "dist").glob("*.whl")
    site = checkout / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    return site


def install(site: Path, home: Path) -> subprocess.CompletedProcess[str]:
    """``vaultbridge plugin install`` into a vault, with nothing of ours but what was installed."""
    vault = home / "My Vault"
    (vault / ".obsidian").mkdir(parents=True)
    return subprocess.run(
        [*COMMAND, "plugin", "install", "--vault", str(vault)],
        env=environment(home, PYTHONPATH=os.fspath(site)),
        cwd=home,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_plugin_and_the_catalogue_are_in_it(checkout: Path, tmp_path: Path) -> None:
    site = installed(checkout)
    assert (site / "vaultbridge/catalog/catalog.toml").is_file()
    assert (site / "vaultbridge/server/page/index.html").is_file()
    assert not (site / "obsidian-plugin").exists()
    done = install(site, tmp_path)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "My Vault/.obsidian/plugins/vaultbridge"
    assert sorted(path.name for path in folder.iterdir()) == sorted(PLUGIN)
    assert (folder / "main.js").read_text() == "the plugin"


def test_one_that_was_built_without_the_plugin_says_so(checkout: Path, tmp_path: Path) -> None:
    (checkout / "obsidian-plugin/main.js").unlink()
    refused = install(installed(checkout), tmp_path)
    assert refused.returncode == 2
    assert "built without its plugin" in refused.stderr
    assert list((tmp_path / "My Vault/.obsidian").iterdir()) == []
