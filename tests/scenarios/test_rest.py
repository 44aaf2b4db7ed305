"""An embedder that leaves when nobody needs it, in a whole house, and comes back for the next question."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.server.building import TOMATOES, write_vault
from vaultbridge.backends.fakes.clock import FakeClock
from vaultbridge.core.search import Query
from vaultbridge.settings import load_settings
from vaultbridge.wiring import open_house

pytestmark = pytest.mark.timeout(300)


async def test_the_embedder_rests_and_the_next_question_still_finds_by_meaning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FakeClock()
    monkeypatch.setattr("vaultbridge.backends.clock.SystemClock", lambda: clock)
    settings = {
        "vault": write_vault(tmp_path / "vault"), "data": tmp_path / "data", "models.backend": "fakes",
        "models.search_keep_alive": "1m",
    }  # fmt: skip
    async with open_house(load_settings(None, settings)) as house:
        await house.synced()
        (embedder,) = house.services.search_models
        assert (embedder.state, embedder.expires) == ("ready", clock.now() + 60)
        await clock.advance(60)
        assert embedder.state == "stopped"
        found = await house.services.retriever.search(Query(TOMATOES))
        assert "dense" in found.hits[0].lanes
        assert not found.degraded
        assert embedder.state == "ready"
