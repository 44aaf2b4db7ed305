"""``vaultbridge doctor`` and ``vaultbridge service`` from the outside: lines, JSON, exit codes, narrow terminals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from vaultbridge.cli.app import app
from vaultbridge.core.errors import VaultNotFound


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    folder = tmp_path / "My vault (100%)"
    folder.mkdir()
    (folder / "note.md").write_text("# A note\n\nWith some text.\n")
    return folder


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Settings that find no model, whatever this computer has, and any free port."""
    file = tmp_path / "vaultbridge.toml"
    file.write_text(f"data = '{tmp_path / 'data'}'\n[models]\nfolder = '{tmp_path / 'models'}'\ngenerator = 'none'\n")
    return file


def run(*arguments: str, columns: int = 80) -> Result:
    return CliRunner().invoke(app, list(arguments), env={"COLUMNS": str(columns)})


def test_every_check_has_a_line_and_missing_models_say_how_to_fetch_them(vault: Path, config: Path) -> None:
    result = run("doctor", "--vault", str(vault), "--config", str(config), "--json")
    document = json.loads(result.stdout)
    checks = {check["name"]: check for check in document["checks"]}
    assert list(checks) == [
        *"python llama.cpp threads bandwidth disk vault index port".split(),
        *("chat model", "embedder", "watching", "clock"),
    ]
    assert "models pull" in checks["chat model"]["remedy"]
    assert checks["vault"]["ok"]
    assert not document["ok"]
    assert result.exit_code == 1
    assert all(check["ok"] == (check["remedy"] == "") for check in checks.values())


def test_without_a_vault_it_says_how_to_name_one(config: Path) -> None:
    result = run("doctor", "--config", str(config), "--json")
    (check,) = (check for check in json.loads(result.stdout)["checks"] if check["name"] == "vault")
    assert "--vault" in check["remedy"]


@pytest.mark.parametrize("columns", [50, 80])
def test_it_fits_narrow_terminals(vault: Path, config: Path, columns: int) -> None:
    result = run("doctor", "--vault", str(vault), "--config", str(config), columns=columns)
    long = [line for line in result.stdout.splitlines() if len(line) > columns and " " in line.strip()]
    assert long == []
    assert any(line.startswith("ok  python") for line in result.stdout.splitlines())


def test_deep_without_models_says_so(vault: Path, config: Path) -> None:
    result = run("doctor", "--vault", str(vault), "--config", str(config), "--deep", "--json")
    assert "recommend" in json.loads(result.stdout)["checks"][-1]["remedy"]


def test_a_dry_run_shows_everything_and_writes_nothing(
    vault: Path, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    result = run("service", "install", "--vault", str(vault), "--config", str(config), "--dry-run")
    assert result.exit_code == 0
    assert "100%" in result.stdout
    assert str(config) in result.stdout
    assert not (tmp_path / "home").exists()


def test_nothing_installed_is_no_error_to_remove_and_one_for_status(
    vault: Path, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    removed = run("service", "remove", "--vault", str(vault), "--config", str(config))
    assert (removed.exit_code, "There is no service" in removed.stdout) == (0, True)
    status = run("service", "status", "--vault", str(vault), "--config", str(config), "--json")
    assert status.exit_code == 1
    assert json.loads(status.stdout) == {
        "installed": False,
        "running": False,
        "answers": False,
        "file": json.loads(status.stdout)["file"],
    }


def test_without_the_systems_supervisor_nothing_is_changed(
    vault: Path, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    monkeypatch.setenv("PATH", str(tmp_path))
    result = run("service", "install", "--vault", str(vault), "--config", str(config))
    assert "nothing was changed" in str(result.exception)
    assert not (tmp_path / "home").exists()


def test_what_the_supervisor_refuses_leaves_nothing(
    vault: Path, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    for name in ("systemctl", "launchctl", "schtasks"):
        refusing = tmp_path / name
        refusing.write_text("#!/bin/sh\necho no bus >&2\nexit 1\n")
        refusing.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    result = run("service", "install", "--vault", str(vault), "--config", str(config))
    assert "no bus" in str(result.exception)
    assert not [file for file in (tmp_path / "home").rglob("*") if file.is_file()]


def test_a_vault_that_is_not_there_gets_no_service(tmp_path: Path, config: Path) -> None:
    result = run("service", "install", "--vault", str(tmp_path / "none"), "--config", str(config))
    assert isinstance(result.exception, VaultNotFound)
