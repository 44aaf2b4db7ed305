from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from vaultbridge.core.errors import ConfigError
from vaultbridge.lab.training.recipe import Recipe
from vaultbridge.lab.training.run import Base, Run, RunSheet

RECIPE = Recipe(1e-5, 2, 16, 2, 32, 128, 10)
ASKED = RunSheet("embedder", "base", Base("m", Path("/m"), "flag", {}, "weights"), Path("/d"), "data", RECIPE)


def test_the_same_command_goes_on_with_the_recipe_that_it_began_with(tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    assert run.begin(ASKED, {"rounds": 2}) == ASKED
    # Less memory is free now, and the default would be another one.
    again = run.begin(replace(ASKED, recipe=replace(RECIPE, batch_size=8)), {"rounds": 2, "batch_size": None})
    assert again.recipe == RECIPE


@pytest.mark.parametrize(
    ("asked", "given", "named"),
    [
        (ASKED, {"rounds": 3}, "--rounds"),
        (ASKED, {"learning_rate": 1e-6, "seed": 42}, "--learning-rate"),
        (replace(ASKED, digest="other data"), {}, "--data"),
        (replace(ASKED, base=replace(ASKED.base, weights="other weights")), {}, "--base"),
        (replace(ASKED, role="reranker"), {}, "embedder"),
    ],
)
def test_another_run_in_the_same_folder_is_refused(
    tmp_path: Path, asked: RunSheet, given: dict[str, object], named: str
) -> None:
    run = Run(tmp_path / "run")
    run.begin(ASKED, {})
    with pytest.raises(ConfigError, match=named):
        run.begin(asked, given)
    assert run.read() == ASKED


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "Note.md").write_text("mine")
    with pytest.raises(ConfigError, match="not empty"):
        Run(tmp_path).begin(ASKED, {})
    with pytest.raises(ConfigError, match="no training run"):
        Run(tmp_path).read()
