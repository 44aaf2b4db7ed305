"""One server for all tests that leave it running, and commands that need no process of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scenarios.serving import Run, Served, environment
from tests.server.building import write_vault
from vaultbridge.cli import main


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("served")
    with Served(home, write_vault(home / "My Vault"), "--context", 200_000) as served:
        served.wait_until_indexed()
        yield served


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: object, **more: str) -> subprocess.CompletedProcess[str]:
        with monkeypatch.context() as patch, pytest.raises(SystemExit) as end:
            for name in [name for name in os.environ if name.startswith("VAULTBRIDGE_")]:
                patch.delenv(name)
            for name, value in environment(tmp_path, **more).items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["vaultbridge", *map(str, arguments)])
            main()
        said = capsys.readouterr()
        return subprocess.CompletedProcess([], int(end.value.code or 0), said.out, said.err)

    return run
