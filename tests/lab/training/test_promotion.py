"""A tuned model becomes one of the user's own, whole or not at all."""

from __future__ import annotations

import resource
import shutil
from pathlib import Path

import pytest

from tests.lab.training.a_run import make_run, names
from vaultbridge.backends.vector_space import weights_digest
from vaultbridge.catalog.folder import ModelFolder
from vaultbridge.catalog.supply import Supply
from vaultbridge.core.errors import DiskFull
from vaultbridge.lab.training.promotion import install


@pytest.fixture
def supply(tmp_path: Path) -> Supply:
    return Supply(folder=ModelFolder(tmp_path / "models"))


def test_it_outlives_its_run(tmp_path: Path, supply: Supply) -> None:
    run = make_run(tmp_path / "run")
    digest = weights_digest(run.model)
    assert install(run.model, "tiny-run", "embedder", "MIT", supply) == "tiny-run"
    shutil.rmtree(run.folder)
    model = supply.resolve("tiny-run", "embedder")
    assert (model.name, model.backend, weights_digest(model.path)) == ("tiny-run", "flag", digest)
    assert model.options["pooling"] == "mean", "it is run as its base was"
    (local,) = supply.folder.own()
    assert (local.role, local.licence) == ("embedder", "MIT")
    assert supply.folder.leftovers() == []


def test_the_same_model_is_not_copied_twice_and_another_one_gets_another_name(tmp_path: Path, supply: Supply) -> None:
    first, second = make_run(tmp_path / "run"), make_run(tmp_path / "other", noise=0.1)
    wanted = [install(run.model, "a run/of mine", "embedder", "", supply) for run in (first, second, first, second)]
    assert wanted == ["a-run-of-mine", "a-run-of-mine-2"] * 2
    assert install(first.model, "bge-m3", "embedder", "", supply) == "bge-m3-2", "the catalogue's names are taken"


def test_a_full_disk_is_one_clear_error_and_leaves_nothing(tmp_path: Path, supply: Supply) -> None:
    run = make_run(tmp_path / "run")
    install(run.model, "first", "embedder", "", supply)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
    try:
        with pytest.raises(DiskFull, match="promote it again"):
            install(run.model, "second", "embedder", "", supply)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [name for name in names(supply.folder.path) if not name.startswith(".locks")] == ["first"]
