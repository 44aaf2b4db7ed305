"""Models that cannot be used, and adapters, beside one that can: one clear error each, and everything else goes on."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio

from tests.lab.tiny import tiny_adapter, tiny_model, with_figure, with_template
from tests.server.building import TOMATOES, write_vault
from vaultbridge.builds import BACKENDS
from vaultbridge.catalog.folder import ModelFolder
from vaultbridge.core.dialogue import Conversation, Failed, Finished, GroundedPrompt, Message, Sampling
from vaultbridge.core.errors import InvalidRequest, ModelInvalid, NotReady, VaultbridgeError
from vaultbridge.core.search import Query
from vaultbridge.engine.host import Host
from vaultbridge.engine.load import load_generator
from vaultbridge.settings import load_settings
from vaultbridge.wiring import House, open_house

pytestmark = [pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="module")]

ASKED = GroundedPrompt(Conversation((Message("user", ("Hi",)),)))
TURNS = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}[assistant]"
TEMPLATES = {
    "loops": "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "reaches-out": "{{ messages.__class__.__mro__ }}",
    "imports": "{% import 'os' as os %}",
    "grows": "{{ 'a' * 10 ** 12 }}",
    "no-template": "{{ messages",
}


def damaged(good: Path) -> dict[str, bytes]:
    data = good.read_bytes()
    key = struct.pack("<Q", 4) + b"key%d" + struct.pack("<II", 4, 1)
    return {
        "empty": b"",
        "cut": data[: len(data) // 2],
        "cut-early": data[:1000],
        "renamed": b"PK\3\4" + bytes(1000),
        "overflow": b"GGUF" + struct.pack("<IQQ", 3, 1 << 63, 1 << 63) + bytes(100),
        "long-text": b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1 << 62) + bytes(100),
        "many-keys": b"GGUF" + struct.pack("<IQQ", 3, 0, 50_000) + key * 50_000,
    }


ABSURD = {
    "no-layers": ("block_count", 0),
    "three-tokens": ("context_length", 3),
    "no-turn": ("rope.dimension_count", 0),
}
"""Figures at which llama.cpp aborts, or does not come to an end."""
BAD = (*TEMPLATES, *damaged(Path(__file__)), *ABSURD)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    root = tmp_path_factory.mktemp("bad")
    tiny = tiny_model(root)
    files = {"good": with_template(tiny, TURNS).read_bytes(), "diary": tiny_adapter(root / "diary.gguf").read_bytes()}
    files |= {name: with_template(tiny, source).read_bytes() for name, source in TEMPLATES.items()} | damaged(tiny)
    files |= {name: with_figure(tiny, key, figure) for name, (key, figure) in ABSURD.items()}
    folder = ModelFolder(root / "models")
    for name, data in files.items():
        (folder.path / name).mkdir(parents=True)
        (folder.path / name / f"{name}.gguf").write_bytes(data)
        folder.sign(folder.path / name, f"{name}.gguf", "a test", None if name == "diary" else "chat", "")
    settings = {
        "vault": write_vault(root / "vault"), "data": root / "data", "models.folder": folder.path,
        "models.generator": "good", "models.embedder": "none", "engine.context": 512, "engine.slots": 2,
    }  # fmt: skip
    async with open_house(load_settings(None, settings)) as house:
        await house.synced()
        yield house


async def ask(house: House, name: str) -> int:
    """The tokens of the answer of the model of that name."""
    await house.services.fleet.look()
    generator = house.services.fleet.of(name)
    assert generator is not None
    assert generator.name == name
    async for event in generator.stream(ASKED, Sampling(max_tokens=3, temperature=0, ignore_eos=True)):
        if isinstance(event, Failed):
            raise event.error
        if isinstance(event, Finished):
            return event.usage.completion_tokens
    raise AssertionError("the answer has no end")


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_model_is_one_clear_error_and_the_good_one_answers(house: House, name: str) -> None:
    with pytest.raises(VaultbridgeError) as caught:
        await ask(house, name)
    assert isinstance(caught.value, (ModelInvalid, InvalidRequest))
    assert caught.value.hint or "template" in caught.value.message
    assert "\n" not in str(caught.value)
    assert (await house.services.retriever.search(Query(TOMATOES))).hits
    assert await ask(house, "good") == 3


@pytest.mark.parametrize("name", ABSURD)
async def test_figures_that_no_model_has_are_refused_before_any_process_is_started(house: House, name: str) -> None:
    with pytest.raises(ModelInvalid, match="no model that runs"):
        await house.services.fleet.planned(name)


async def test_an_adapter_is_asked_by_its_name_beside_the_models(house: House) -> None:
    assert "good+diary" in house.services.fleet.names
    assert "diary" not in house.services.fleet.names
    assert await ask(house, "good+diary") == 3
    assert await ask(house, "good") == 3


async def test_a_model_that_ends_its_process_while_it_loads_does_so_alone(tmp_path: Path) -> None:
    """llama.cpp does not check all of a header, but aborts."""
    (tmp_path / "aborts.gguf").write_bytes(with_figure(tiny_model(tmp_path), "block_count", 0))
    host = Host("generator", partial(load_generator, BACKENDS["llama"], (tmp_path / "aborts.gguf", "x", 64), {}))
    try:
        with pytest.raises(NotReady, match="may be damaged"):
            await host.ready()
    finally:
        await host.close()
