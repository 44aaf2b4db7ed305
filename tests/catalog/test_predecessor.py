"""Which embedder came before, as far as it is still there."""

from __future__ import annotations

from pathlib import Path

import pytest

from vaultbridge.catalog.folder import ModelFolder
from vaultbridge.catalog.predecessor import FILE, Predecessor
from vaultbridge.catalog.supply import Model, Supply


@pytest.fixture
def supply(tmp_path: Path) -> Supply:
    return Supply(folder=ModelFolder(tmp_path / "models"))


def folder_model(place: Path) -> Model:
    place.mkdir()
    (place / "config.json").write_text("{}", encoding="utf-8")
    return Model(place.name, place, "flag")


def test_the_last_embedder_that_was_complete_is_the_one_before(tmp_path: Path, supply: Supply) -> None:
    old, new = folder_model(tmp_path / "old"), folder_model(tmp_path / "new")
    assert Predecessor(tmp_path).of(new, supply) is None
    Predecessor(tmp_path).keep(old, supply)
    before = Predecessor(tmp_path).of(new, supply)
    assert before is not None
    assert (before.name, before.path) == ("old", tmp_path / "old")
    assert Predecessor(tmp_path).of(old, supply) is None, "no other"
    Predecessor(tmp_path).keep(new, supply)
    assert Predecessor(tmp_path).of(new, supply) is None


def test_one_that_is_gone_or_that_nobody_knows_is_none(tmp_path: Path, supply: Supply) -> None:
    old, new = folder_model(tmp_path / "old"), folder_model(tmp_path / "new")
    Predecessor(tmp_path).keep(old, supply)
    (tmp_path / "old" / "config.json").unlink()
    assert Predecessor(tmp_path).of(new, supply) is None
    (tmp_path / FILE).write_text("broken", encoding="utf-8")
    assert Predecessor(tmp_path).of(new, supply) is None
    Predecessor(tmp_path).keep(Model("remote", Path(), "remote-embedder", address="http://localhost:1/v1"), supply)
    assert Predecessor(tmp_path).of(new, supply) is None
