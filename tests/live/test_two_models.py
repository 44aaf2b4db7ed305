"""Two real models in a memory for one: each answers in its turn, and what the other took is given back."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from tests.live.starters import starter
from tests.server.building import TOMATOES, write_vault
from vaultbridge.chat.service import Request
from vaultbridge.core.dialogue import Conversation, Finished, Message, Piece, Sampling
from vaultbridge.settings import load_settings
from vaultbridge.wiring import open_house

MODELS = ("smollm2-135m-instruct", "gemma-3-270m")


def model_processes() -> set[psutil.Process]:
    return {child for child in psutil.Process().children() if "--multiprocessing-fork" in child.cmdline()}


@pytest.mark.live
async def test_two_models_answer_in_turn_where_one_fits(tmp_path: Path) -> None:
    for name in MODELS:
        starter(name)
    settings = load_settings(
        None,
        {
            "vault": write_vault(tmp_path / "Vault"),
            "data": tmp_path / "data",
            "models.generator": MODELS[0],
            "models.embedder": "none",
            "models.memory": 0.5,
            "engine.context": 1024,
        },
    )
    prompt = Conversation((Message("user", (TOMATOES,)),))
    others = model_processes()
    seen: list[int] = []
    async with open_house(settings) as house:
        assert set(MODELS) <= set(house.services.fleet.names)
        await house.synced()
        for name in (*MODELS, *MODELS):
            request = Request(prompt, Sampling(temperature=0.0, max_tokens=16), "always", model=name)
            events = [event async for event in house.services.chat.answer(request)]
            assert isinstance(events[-1], Finished), events[-1]
            assert "".join(event.text for event in events if isinstance(event, Piece)).strip()
            (process,) = model_processes() - others
            assert process.pid not in seen
            seen.append(process.pid)
            (loaded,) = house.services.fleet.loaded()
            assert loaded.name == name
            assert 0.5 < process.memory_info().rss / loaded.needed < 1.5
    assert not any(map(psutil.pid_exists, seen))
