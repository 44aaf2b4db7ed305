"""``/vault/events``: the status as it changes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.server.building import Building, write_vault
from vaultbridge.server.guard import GuardOptions


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Building]:
    """A building whose notes may be changed."""
    building = Building(write_vault(tmp_path / "Vault"), tmp_path / "data")
    yield building
    building.close()


def statuses(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    """The documents of the events, each after its name."""
    for line in lines:
        if line.startswith("data: {"):
            document = json.loads(line.removeprefix("data: "))
            assert document["type"] == "status"
            yield document["status"]
        else:
            assert line in ("event: status", "")


def test_the_status_comes_at_once_and_again_when_a_note_is_saved(own: Building) -> None:
    with (
        httpx.Client(base_url=own.serve(), trust_env=False, timeout=20) as client,
        client.stream("GET", "/vault/events") as response,
    ):
        assert response.headers["content-type"].startswith("text/event-stream")
        told = statuses(response.iter_lines())
        first = next(told)
        assert first == client.get("/vault/status").json()
        (own.house.place.vault / "New.md").write_text("# New\n\nThe xylotron hums.\n", encoding="utf-8")
        own.await_(own.house.synced())
        now = client.get("/vault/status").json()
        assert now["counts"]["notes"] == first["counts"]["notes"] + 1
        assert now in told


def test_it_is_guarded_as_everything_is(building: Building) -> None:
    address = building.serve(options=GuardOptions(token="secret"))
    with httpx.Client(base_url=address, trust_env=False, timeout=20) as client:
        assert client.get("/vault/events").status_code == 401
        right = {"Authorization": "Bearer secret"}
        assert client.get("/vault/events", headers={**right, "X-Vaultbridge-Vault": "another"}).status_code == 409
