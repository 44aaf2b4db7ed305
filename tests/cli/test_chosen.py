"""Which models run: the chosen ones, as long as they are there, and never something else in silence."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import pytest

from tests.contracts.tiny_bert import make_tiny_bert_folder
from vaultbridge.catalog.catalog import ModelRole
from vaultbridge.catalog.folder import ModelFolder
from vaultbridge.catalog.roles import Roles
from vaultbridge.catalog.supply import Supply
from vaultbridge.chosen import as_chosen
from vaultbridge.settings import Settings, load_settings


@pytest.fixture
def supply(tmp_path: Path) -> Supply:
    folder = ModelFolder(tmp_path / "models")
    kinds: dict[str, ModelRole] = {"first": "embedder", "second": "embedder", "judge": "reranker"}
    for name, role in kinds.items():
        make_tiny_bert_folder(folder.path / name)
        folder.sign(folder.path / name, "", "a training run", role, "")
    return Supply(folder=folder)


@pytest.fixture
def roles(tmp_path: Path) -> Roles:
    return Roles(tmp_path / "roles.json")


def settings(tmp_path: Path, **named: str) -> Settings:
    return load_settings(None, {f"models.{key}": value for key, value in named.items()})


def test_what_is_chosen_is_run_where_no_setting_names_another(tmp_path: Path, supply: Supply, roles: Roles) -> None:
    roles.promote("embed", "first")
    roles.promote("rerank", "judge")
    models = as_chosen(settings(tmp_path), roles, supply).models
    assert (models.embedder, models.reranker) == ("first", "judge")
    models = as_chosen(settings(tmp_path, embedder="none"), roles, supply).models
    assert (models.embedder, models.reranker) == ("none", "judge")


def test_a_promoted_model_that_is_gone_is_told_of_and_the_former_one_serves(
    tmp_path: Path, supply: Supply, roles: Roles, caplog: pytest.LogCaptureFixture
) -> None:
    roles.promote("embed", "first")
    roles.promote("embed", "second")
    shutil.rmtree(supply.folder.path / "second")
    with caplog.at_level(logging.WARNING):
        assert as_chosen(settings(tmp_path), roles, supply).models.embedder == "first"
    assert len(caplog.messages) == 1
    assert "second" in caplog.messages[0]
    shutil.rmtree(supply.folder.path / "first")
    assert as_chosen(settings(tmp_path), roles, supply).models.embedder == "auto", "as if nothing had been chosen"
