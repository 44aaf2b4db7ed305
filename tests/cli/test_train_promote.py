"""``vaultbridge train promote`` and ``rollback`` as a user types them."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.contracts.test_embedder import quiet
from tests.lab.training.a_run import make_run, names
from tests.lab.training.test_gain import proof
from vaultbridge.backends.vector_space import weights_digest
from vaultbridge.catalog.roles import Role, Roles
from vaultbridge.cli.app import app
from vaultbridge.core.errors import ConfigError
from vaultbridge.lab.training.gain import FILE
from vaultbridge.lab.training.run import Run

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")

SAME, BETTER = [0.5] * 4, [0.6] * 4


class Desk:
    """A vault, its index and the models folder, and the command line over them."""

    def __init__(self, root: Path) -> None:
        self.root, self.models = root, root / "models"
        (root / "vault").mkdir()
        self.config = root / "vaultbridge.toml"
        self.config.write_text(f'[models]\nfolder = "{self.models}"\n')

    def call(self, *arguments: str | Path) -> Result:
        places = ("--vault", self.root / "vault", "--data", self.root / "data", "--config", self.config)
        with quiet():
            return CliRunner().invoke(app, ["train", *map(str, (*arguments, *places))], env={"COLUMNS": "200"})

    def done(self, *arguments: str | Path) -> str:
        result = self.call(*arguments)
        assert result.exit_code == 0, result.output + repr(result.exception)
        return result.stdout

    def refused(self, *arguments: str | Path) -> ConfigError:
        error = self.call(*arguments).exception
        assert isinstance(error, ConfigError), error
        return error

    def chosen(self, role: Role = "embed") -> str:
        (place,) = (self.root / "data" / "vaults").iterdir()
        return Roles(place / "roles.json").chosen(role)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def measured(run: Run, after: list[float]) -> Run:
    found = proof({"link": SAME}, {"link": after})
    replace(found, weights=weights_digest(run.model)).write(run.folder)
    return run


def test_a_model_that_helps_is_promoted_and_taken_back(desk: Desk, tmp_path: Path) -> None:
    first = measured(make_run(tmp_path / "first", name="tiny-first"), BETTER)
    second = measured(make_run(tmp_path / "second", name="tiny-second", noise=0.2), BETTER)
    said = desk.done("promote", first.folder)
    assert "tiny-first is the embedder of vault now" in said
    assert "next start" in said
    assert "already" in desk.done("promote", first.folder)
    desk.done("promote", second.folder)
    assert desk.chosen() == "tiny-second"
    assert "is tiny-first again" in desk.done("rollback")
    assert desk.chosen() == "tiny-first"
    assert "what the settings say" in desk.done("rollback")
    assert desk.chosen() == ""
    assert "nothing to go back to" in desk.refused("rollback").message
    assert names(desk.models)[-2:] == ["tiny-first", "tiny-second"], "they stay, to be promoted again"


def test_the_files_of_a_place_are_its_owners(desk: Desk, tmp_path: Path) -> None:
    desk.done("promote", measured(make_run(tmp_path / "run"), BETTER).folder)
    (place,) = (tmp_path / "data" / "vaults").iterdir()
    assert (place / "roles.json").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("after", [SAME, [0.4] * 4, [1.0, 0.1, 0.9, 0.2]])
def test_one_that_does_not_help_is_refused_unless_forced(desk: Desk, tmp_path: Path, after: list[float]) -> None:
    run = measured(make_run(tmp_path / "run"), after)
    error = desk.refused("promote", run.folder)
    assert "did not improve" in error.message
    assert "--force" in error.hint
    assert not desk.models.exists(), "nothing was copied"
    desk.done("promote", run.folder, "--force")
    assert desk.chosen() == "tiny-tuned"


def test_without_a_proof_validation_is_measured_first(desk: Desk, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", noise=0.0001)
    assert "did not improve" in desk.refused("promote", run.folder).message, "the weights are nearly the same"
    assert (run.folder / FILE).is_file()


def test_a_proof_of_other_weights_does_not_count(desk: Desk, tmp_path: Path) -> None:
    run = measured(make_run(tmp_path / "run", noise=0.0001), BETTER)
    shutil.copyfile(tmp_path / "run-base" / "model.safetensors", run.model / "model.safetensors")
    assert "did not improve" in desk.refused("promote", run.folder).message


def test_a_reranker_gets_its_own_role(desk: Desk, tmp_path: Path) -> None:
    embedder = measured(make_run(tmp_path / "run"), BETTER)
    reranker = measured(make_run(tmp_path / "judge", name="tiny-judge", role="reranker"), BETTER)
    desk.done("promote", embedder.folder)
    assert "tiny-judge is the reranker of vault now" in desk.done("promote", reranker.folder)
    assert (desk.chosen("embed"), desk.chosen("rerank")) == ("tiny-tuned", "tiny-judge")
    assert "The reranker of vault" in desk.done("rollback"), "the last promotion is the first to go"
    assert (desk.chosen("embed"), desk.chosen("rerank")) == ("tiny-tuned", "")


def test_a_model_that_the_settings_name_goes_ahead(desk: Desk, tmp_path: Path) -> None:
    run = measured(make_run(tmp_path / "run"), BETTER)
    desk.config.write_text(desk.config.read_text() + 'embedder = "none"\n')
    assert "models.embedder" in desk.refused("promote", run.folder).message


def test_what_is_no_run_or_not_done_is_refused(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "holds no training run" in desk.refused("promote", tmp_path / "empty").message
    run = make_run(tmp_path / "run")
    run.write(replace(run.read(), outcome=None))
    assert "is not done" in desk.refused("promote", run.folder, "--force").message
