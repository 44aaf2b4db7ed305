"""Two hundred requests of the kinds that people send: ``auto`` grounds those that ask about the notes, and no others.

They were written, with the vault beside this file, before anybody looked at what the program makes of them. Every
second of a kind was used to develop with; the other half (``held``) shows what that is worth.
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.live.starters import starter
from vaultbridge.backends.clock import SystemClock
from vaultbridge.chat.evidence import Finder
from vaultbridge.core.dialogue import Conversation, Message
from vaultbridge.core.search import Scope
from vaultbridge.settings import load_settings
from vaultbridge.wiring import House, open_house

log = logging.getLogger(__name__)

HERE = Path(__file__).parent
REQUESTS: list[dict[str, Any]] = [
    json.loads(line) for line in (HERE / "requests.jsonl").read_text(encoding="utf-8").splitlines()
]
EMBEDDERS = {"all-minilm-l6-v2": ("en",), "multilingual-e5-small": ("en", "zh")}
"""The starters, and the languages that each of them is chosen for."""


@pytest_asyncio.fixture(loop_scope="module", scope="module", params=EMBEDDERS)
async def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    starter(request.param)
    settings = load_settings(
        None,
        {
            "vault": HERE / "vault",
            "data": tmp_path_factory.mktemp("data"),
            "models.generator": "none",
            "models.embedder": request.param,
        },
    )
    async with open_house(settings) as opened:
        await opened.synced()
        yield opened


def prompt(row: dict[str, Any]) -> Conversation:
    turns = [Message("assistant" if n % 2 else "user", (text,)) for n, text in enumerate(row["turns"])]
    system = [Message("system", (row["system"],))] if "system" in row else []
    return Conversation((*system, *turns))


@pytest.mark.live
@pytest.mark.timeout(600)
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("part", ["develop", "held"])
async def test_what_asks_about_the_notes_is_grounded_and_nothing_else(house: House, part: str) -> None:
    finder = Finder(house.services.retriever, house.store, SystemClock())
    languages = EMBEDDERS[house.services.names.embedder]
    wrong: dict[tuple[str, str], list[str]] = {}
    for row in (row for row in REQUESTS if row["part"] == part):
        found = await finder.find(prompt(row), "auto", Scope(), 8, None)
        missed = wrong.setdefault((row["asks"], row["language"]), [])
        if bool(found.hits) != (row["asks"] == "notes"):
            missed.append(row["turns"][-1])
    log.info("%s, %s: %s", house.services.names.embedder, part, wrong)
    rows = [row for row in REQUESTS if row["part"] == part and row["language"] in languages]
    for asks in ("notes", "nothing"):
        asked = sum(row["asks"] == asks for row in rows)
        failed = [text for language in languages for text in wrong[asks, language]]
        assert len(failed) <= 0.05 * asked, failed
    # An embedder that does not know the language leaves the words, which claim nothing that is not there.
    assert len(wrong["nothing", "zh"]) <= 1
    assert len(wrong["notes", "zh"]) <= 5


def test_the_mix_is_what_it_says() -> None:
    assert len(REQUESTS) == len({json.dumps(row["turns"]) for row in REQUESTS}) == 200
    for part in ("develop", "held"):
        assert sum(row["part"] == part and row["asks"] == "notes" for row in REQUESTS) == 50
        assert sum(row["part"] == part and row["language"] == "en" for row in REQUESTS) == 60
