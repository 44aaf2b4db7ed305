"""A draft model as it is loaded: beside the large one, in its process and in its memory, or not at all."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from tests.engine.inline import launch_inline
from tests.lab.tiny import TINY
from vaultbridge.catalog.folder import ModelFolder
from vaultbridge.catalog.inventory import Inventory
from vaultbridge.catalog.supply import Model, Supply
from vaultbridge.core.dialogue import Continuation, Finished, GroundedPrompt, Sampling
from vaultbridge.core.machine import Memory
from vaultbridge.engine.berth import Load
from vaultbridge.engine.calls import Generate
from vaultbridge.engine.host import Host
from vaultbridge.lab.random_model import write_random_model
from vaultbridge.language_models import LanguageModels, Room
from vaultbridge.settings import EngineSettings, ModelSettings, Settings

ENGINE = EngineSettings(context=512, slots=2, cache=1024)
ROOM = Room(4_000_000_000, 0, Memory(8_000_000_000, 5_000_000_000))


def model(folder: Path, name: str, vocabulary: int = 512) -> Path:
    path = folder / f"{name}.gguf"
    write_random_model(path, replace(TINY, layers=4 if name == "large" else 1, vocabulary=vocabulary), "q8_0")
    return path


def loaded(folder: Path, draft: str, engine: EngineSettings = ENGINE) -> Load:
    """How ``large`` is run."""
    settings = Settings(engine=engine, models=ModelSettings(folder=folder / "models"))
    supply = Supply(folder=ModelFolder(settings.models.folder))
    large = Model("large", model(folder, "large"), "llama")
    models = LanguageModels(settings, large, ROOM, Inventory(lambda: supply), lambda: supply, lambda: draft)
    return models.load("large")


async def answered(load: Load) -> Finished:
    host = Host("large", load.build, launch_inline)
    request = Generate(GroundedPrompt(Continuation("abc")), Sampling(max_tokens=8, ignore_eos=True))
    events = [event async for event in host.call(request)]
    await host.close()
    assert isinstance(events[-1], Finished)
    return events[-1]


async def test_its_memory_is_counted_and_said_and_both_answer(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    small = model(tmp_path, "small")
    alone, together = loaded(tmp_path, "none"), loaded(tmp_path, str(small))
    assert together.needed > alone.needed + small.stat().st_size
    assert together.chosen.endswith("for small, which drafts")
    assert (await answered(together)).usage.completion_tokens == 8
    assert caplog.records == []


async def test_one_with_other_tokens_is_refused_in_words_and_the_large_one_answers(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = model(tmp_path, "other", vocabulary=1024)
    with caplog.at_level(logging.WARNING):
        load = loaded(tmp_path, str(other))
    assert load == replace(loaded(tmp_path, "none"), build=load.build)
    (record,) = caplog.records
    assert record.message.startswith("other cannot draft for large: their vocabularies have 512 and 1,024 tokens.")
    assert (await answered(load)).usage.completion_tokens == 8


async def test_one_that_its_library_cannot_load_is_done_without(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    small = model(tmp_path, "small")
    load = loaded(tmp_path, str(small))
    small.unlink()
    with caplog.at_level(logging.WARNING):
        assert (await answered(load)).usage.completion_tokens == 8
    assert [record.message for record in caplog.records if "draft" in record.message]


def test_without_drafts_there_is_no_draft_model(tmp_path: Path) -> None:
    off = ENGINE.model_copy(update={"drafts": False})
    small = str(model(tmp_path, "small"))
    assert loaded(tmp_path, small, off).needed == loaded(tmp_path, "none", off).needed
