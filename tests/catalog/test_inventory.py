"""What can be used now, and what its user chose for what."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from tests.catalog.test_found import in_ollama, weights
from vaultbridge.catalog.catalog import this_platform
from vaultbridge.catalog.folder import ModelFolder
from vaultbridge.catalog.found import Elsewhere
from vaultbridge.catalog.inventory import Inventory
from vaultbridge.catalog.roles import Roles
from vaultbridge.catalog.supply import Supply


def inventory(root: Path) -> Inventory:
    return Inventory(lambda: Supply(folder=ModelFolder(root / "models"), elsewhere=Elsewhere(root / "home", {})))


def names(inventory: Inventory) -> dict[str, str]:
    return {model.name: model.role for model in inventory.look()}


def fetch(root: Path, name: str) -> None:
    """A model of the catalogue, as a pull leaves it."""
    folder = ModelFolder(root / "models")
    entry = Supply(folder=folder).catalog.get(name)
    for file in entry.file_names(this_platform()):
        weights(folder.home_of(entry) / file)


def test_what_is_fetched_and_what_other_programs_have_can_be_used(tmp_path: Path) -> None:
    here = inventory(tmp_path)
    assert names(here) == {}
    fetch(tmp_path, "gemma-3-270m")
    in_ollama(tmp_path / "home/.ollama/models", "llama3.2", "1b")
    weights(tmp_path / "home/.lmstudio/models/someone/base/base-Q4_K_M.gguf", chats=False)
    assert names(here) == {"gemma-3-270m": "completion", "llama3.2:1b": "chat", "base-Q4_K_M": "completion"}
    assert [model.path.is_file() for model in here.models] == [True] * 3


def test_a_damaged_file_is_left_out_until_it_is_whole(tmp_path: Path) -> None:
    here = inventory(tmp_path)
    path = tmp_path / "home/.lmstudio/models/someone/some/some-Q4_K_M.gguf"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"GGUF and no more")
    assert names(here) == {}
    weights(path)
    assert names(here) == {"some-Q4_K_M": "chat"}
    path.unlink()
    assert names(here) == {}


def test_a_choice_is_kept_and_can_be_taken_back(tmp_path: Path) -> None:
    file = tmp_path / "roles.json"
    roles = Roles(file)
    assert roles.chosen("chat") == ""
    roles.choose("chat", "gemma-3-4b-it")
    roles.choose("embed", "bge-m3")
    roles.choose("embed", "")
    assert [Roles(file).chosen(role) for role in ("chat", "completion", "embed")] == ["gemma-3-4b-it", "", ""]
    assert [path.name for path in tmp_path.iterdir()] == ["roles.json"]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"chat": 5, "dance": "x"}', json.dumps({"rerank": None})])
def test_a_file_that_makes_no_sense_holds_no_choice(
    tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "roles.json"
    file.write_text(content)
    with caplog.at_level(logging.WARNING):
        roles = Roles(file)
    assert [roles.chosen(role) for role in ("chat", "rerank")] == ["", ""]
    roles.choose("chat", "x")
    assert Roles(file).chosen("chat") == "x"
