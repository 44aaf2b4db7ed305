"""Who else on this computer, or in its network, gets in: a token that is made once, and files for one pair of eyes."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import httpx
import pytest

from tests.scenarios.serving import Run, Served, command, eventually
from tests.server.building import write_vault


def settings(home: Path, text: str, mode: int = 0o600) -> Path:
    file = home / "vaultbridge.toml"
    file.write_text(text)
    file.chmod(mode)
    return file


def wait_until_announced(served: Served, starts: int = 1) -> None:
    """Wait for the line that says where it serves, of as many starts as have written into its log."""
    eventually(lambda: served.log.read_text().count("Ctrl-C stops it") == starts, served.log.read_text(), 30)


def test_a_token_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    vault = write_vault(tmp_path / "My Vault")
    config = settings(tmp_path, '[server]\ntoken = "auto"\nhost = "0.0.0.0"\n[log]\nformat = "json"\n')
    tokens = []
    for start in (1, 2):
        with Served(tmp_path, vault, "--config", config) as served:
            wait_until_announced(served, start)
            token = json.loads(served.server_file.read_text())["token"]
            tokens.append(token)
            kept = served.server_file.with_name("token")
            assert kept.read_text().strip() == token
            for file in (kept, served.server_file):
                assert stat.S_IMODE(file.stat().st_mode) == 0o600
            assert served.client.get("/vault/status").status_code == 401
            opened = {"Authorization": f"Bearer {token}"}
            assert served.client.get("/vault/status", headers=opened).status_code == 200
            assert served.client.get("/").status_code == 200
            status = command(tmp_path, "status", *served.place, "--json")
            assert json.loads(status.stdout)["counts"]["notes"] > 0, "our own commands find the token"
            log = served.log.read_text()
            assert token not in log
            assert str(kept) in log
        kept.chmod(0o644)
    assert tokens[0] == tokens[1]
    assert len(tokens[0]) >= 32
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    assert {("none", 401), ("/vault/status", 200)} <= {(line.get("route"), line.get("status")) for line in lines}


def test_the_network_gets_in_with_a_token_only(run: Run, tmp_path: Path) -> None:
    vault = write_vault(tmp_path / "My Vault")
    refused = run("serve", "--vault", vault, "--data", tmp_path / "data", "--backend", "fakes", "--host", "0.0.0.0")
    assert refused.returncode == 2
    assert "everybody in the network" in refused.stderr
    assert "auto" in refused.stderr


@pytest.mark.skipif(os.name != "posix", reason="files have no such modes")
@pytest.mark.parametrize(
    ("text", "mode", "warned"),
    [
        ('[server]\ntoken = "swordfish"\n', 0o644, True),
        ('[server]\ntoken = "swordfish"\n', 0o640, True),
        ('[server]\ntoken = "swordfish"\n', 0o600, False),
        ('[server]\ntoken = "auto"\n', 0o644, False),
        ("[server]\nport = 1\n", 0o644, False),
    ],
)
def test_a_token_that_others_can_read_is_warned_of(
    run: Run, tmp_path: Path, text: str, mode: int, warned: bool
) -> None:
    config = settings(tmp_path, text, mode)
    said = run("serve", "--vault", tmp_path / "nowhere", "--config", config).stderr
    assert ("chmod 600" in said) is warned
    assert "swordfish" not in said


def test_a_page_of_the_network_is_a_stranger_too(tmp_path: Path) -> None:
    vault = write_vault(tmp_path / "My Vault")
    config = settings(tmp_path, '[server]\ntoken = "swordfish"\nhost = "0.0.0.0"\n')
    with Served(tmp_path, vault, "--config", config) as served:
        wait_until_announced(served)
        opened = {"Authorization": "Bearer swordfish"}
        for headers in ({"Origin": "http://router.lan"}, {"Host": "evil.example"}):
            assert served.client.get("/vault/status", headers=opened | headers).status_code == 403
        with httpx.Client(trust_env=False) as client:
            other = client.get(f"http://127.0.0.2:{served.port}/vault/status", headers=opened)
        assert other.status_code == 200, "the address that was called is a name of ours"
