"""Models with a LoRA adapter on top, by name or path."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.lab.tiny import TINY, tiny_adapter, tiny_model
from vaultbridge.catalog.folder import ModelFolder
from vaultbridge.catalog.found import Elsewhere
from vaultbridge.catalog.inventory import Inventory
from vaultbridge.catalog.local import role_of
from vaultbridge.catalog.supply import Supply
from vaultbridge.core.errors import ConfigError, ModelInvalid, ModelMissing


@pytest.fixture
def supply(tmp_path: Path) -> Supply:
    return Supply(folder=ModelFolder(tmp_path / "models"), elsewhere=Elsewhere(tmp_path / "home", {}))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return tiny_model(tmp_path)


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    return tiny_adapter(tmp_path / "diary.gguf")


def test_two_paths(supply: Supply, model: Path, adapter: Path) -> None:
    found = supply.resolve(f"{model}+{adapter}", "chat")
    assert (found.name, found.path, found.backend) == (f"{model.stem}+diary", model, "llama")
    assert found.options == {"adapter": adapter}


def install(supply: Supply, name: str, file: Path) -> None:
    home = supply.folder.path / name
    home.mkdir(parents=True)
    (home / file.name).write_bytes(file.read_bytes())
    supply.folder.sign(home, file.name, "a test", role_of(file), "")


def test_two_names(supply: Supply, model: Path, adapter: Path) -> None:
    install(supply, "tiny", model)
    install(supply, "diary-of-mine", adapter)
    found = supply.resolve("tiny+diary-of-mine", "completion")
    assert found.name == "tiny+diary-of-mine"
    assert found.options == {"adapter": supply.folder.path / "diary-of-mine" / "diary.gguf"}
    assert supply.resolve("tiny", "chat").options == {}


def test_a_model_is_there_once_more_with_each_adapter_that_belongs_to_it(
    supply: Supply, model: Path, adapter: Path, tmp_path: Path
) -> None:
    (tmp_path / "broken.gguf").write_bytes(adapter.read_bytes()[:-200])
    other = tiny_model(tmp_path, replace(TINY, architecture="gemma"))
    install(supply, "tiny", model)
    install(supply, "other", other)
    install(supply, "diary", adapter)
    home = supply.folder.path / "broken"
    home.mkdir()
    (home / "broken.gguf").write_bytes((tmp_path / "broken.gguf").read_bytes())
    supply.folder.sign(home, "broken.gguf", "a test", None, "")
    inventory = Inventory(lambda: supply)
    assert {found.name for found in inventory.look()} == {"tiny", "other", "tiny+diary"}
    assert {found.name for found in inventory.look()} == {"tiny", "other", "tiny+diary"}
    assert all(supply.resolve(found.name, "chat").path == found.path for found in inventory.models)


def test_an_adapter_alone_is_for_no_role(adapter: Path) -> None:
    assert role_of(adapter) is None


def test_an_adapter_of_another_model(supply: Supply, model: Path, tmp_path: Path) -> None:
    family = tiny_adapter(tmp_path / "family.gguf", replace(TINY, architecture="gemma"))
    with pytest.raises(ModelInvalid, match="family gemma, not llama"):
        supply.resolve(f"{model}+{family}", "chat")
    deep = tiny_adapter(tmp_path / "deep.gguf", replace(TINY, layers=TINY.layers + 1))
    with pytest.raises(ModelInvalid, match=f"has no blk.{TINY.layers}."):
        supply.resolve(f"{model}+{deep}", "chat")
    wide = tiny_adapter(tmp_path / "wide.gguf", replace(TINY, embedding=2 * TINY.embedding))
    with pytest.raises(ModelInvalid, match="another size"):
        supply.resolve(f"{model}+{wide}", "chat")


def test_what_is_no_adapter(supply: Supply, model: Path, adapter: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelInvalid, match="no LoRA adapter"):
        supply.resolve(f"{model}+{model}", "chat")
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(adapter.read_bytes()[:200])
    with pytest.raises(ModelInvalid, match="cannot be read"):
        supply.resolve(f"{model}+{broken}", "chat")
    with pytest.raises(ModelMissing, match="no adapter missing"):
        supply.resolve(f"{model}+missing", "chat")
    with pytest.raises(ConfigError, match="two adapters"):
        supply.resolve(f"{model}+{adapter}+{adapter}", "chat")
    with pytest.raises(ModelMissing):
        supply.resolve(f"missing+{adapter}", "chat")
