"""Who watches the status does not keep the server from ending."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import httpx

from tests.scenarios.serving import Served
from tests.server.building import write_vault


def test_a_client_that_watches_is_let_go_when_the_server_ends(tmp_path: Path) -> None:
    with Served(tmp_path, write_vault(tmp_path / "My Vault")) as served:
        served.wait_until_indexed()
        with served.client.stream("GET", "/vault/events") as response:
            lines = response.iter_lines()
            assert next(lines) == "event: status"
            served.interrupt()
            with suppress(httpx.TransportError):
                for _ in lines:
                    pass
        assert served.process.returncode == 0
