"""Whole runs, with FlagEmbedding's own trainers in their own process."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.contracts.tiny_m3 import make_tiny_m3, make_tiny_reranker
from tests.lab.training.runs import RECIPE, Watched, half_written, sheet_of, small_dataset, trainer_process, tuned
from vaultbridge.backends.flag_embedding import FlagM3
from vaultbridge.backends.flag_reranker import FlagCrossEncoder
from vaultbridge.backends.flag_weights import heads_of, weights_of
from vaultbridge.catalog.supply import Supply
from vaultbridge.core.errors import DiskFull, TrainingFailed
from vaultbridge.core.search import Embedding
from vaultbridge.lab.training.checkpoints import newest
from vaultbridge.lab.training.dataset import Dataset
from vaultbridge.lab.training.run import Run

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
    pytest.mark.skipif(os.name != "posix", reason="limits and signals are POSIX"),
]
TEXTS = ("water the garden", "a task with a due date")


@pytest.fixture(scope="module")
def m3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_m3(tmp_path_factory.mktemp("m3"))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return small_dataset(tmp_path_factory.mktemp("data"))


def embedded(folder: Path) -> Sequence[Embedding]:
    return FlagM3(folder, name="tiny", max_tokens=64, multi=True).embed(TEXTS, "document")


def killed(run: Run, m3: Path, dataset: Dataset, at: int) -> None:
    with pytest.raises(TrainingFailed, match="before its time"):
        tuned(run, sheet_of("m3", m3, dataset), Watched(at, lambda: trainer_process().kill()))


def test_a_killed_run_goes_on_and_ends_where_it_would_have_ended(m3: Path, dataset: Dataset, tmp_path: Path) -> None:
    straight, stopped = Run(tmp_path / "straight"), Run(tmp_path / "stopped")
    tuned(straight, sheet_of("m3", m3, dataset), Watched(), mix=1.0)

    killed(stopped, m3, dataset, at=5)
    assert not stopped.model.exists()
    half_written(stopped, 6, missing="trainer_state.json")
    watch = Watched()
    done = tuned(stopped, sheet_of("m3", m3, dataset), watch)

    assert watch.resumed == [4]
    assert [step.step for step in watch.steps] == [5, 6]
    first, second = weights_of(straight.tuned), weights_of(stopped.tuned)
    assert all(np.allclose(first[name], second[name], atol=1e-6) for name in first)
    for head, weights in heads_of(straight.tuned).items():
        assert all(np.allclose(weights[name], heads_of(stopped.tuned)[head][name], atol=1e-6) for name in weights)

    # All three heads were taught, and what came of it is served as the base is.
    model = Supply().resolve(str(stopped.model), "embedder")
    assert (model.backend, model.options) == ("flag-m3", {"max_tokens": 64})
    assert done.outcome is not None
    assert done.outcome.steps == 6
    for before, after in zip(embedded(m3), embedded(stopped.model), strict=True):
        assert before.multi is not None
        assert after.multi is not None
        assert np.abs(before.dense - after.dense).max() > 1e-4
        assert np.abs(before.multi - after.multi).max() > 1e-4
        assert before.sparse != after.sparse
    assert {place.name for place in stopped.folder.iterdir()} == {"run.json", "log.jsonl", "tuned", "model", ".lock"}


def test_a_full_disk_is_one_error_and_what_was_whole_stays(m3: Path, dataset: Dataset, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")

    def fill() -> None:
        import resource  # POSIX

        resource.prlimit(trainer_process().pid, resource.RLIMIT_FSIZE, (1000, 1000))

    with pytest.raises(DiskFull, match="No room is left") as caught:
        tuned(run, sheet_of("m3", m3, dataset), Watched(3, fill))
    assert "same command again" in caught.value.hint
    left = newest(run.checkpoints)
    assert left is not None
    assert left.step == 2
    assert not run.model.exists()


def test_a_reranker_learns_what_it_is_shown(dataset: Dataset, tmp_path: Path) -> None:
    base, run = make_tiny_reranker(tmp_path / "base"), Run(tmp_path / "run")
    done = tuned(run, sheet_of("reranker", base, dataset, RECIPE), Watched(), mix=1.0)
    assert set(done.validation) == {"0.0", "1.0"}
    model = Supply().resolve(str(run.model), "reranker")
    assert model.backend == "flag-reranker"
    before = FlagCrossEncoder(base, name="base").score("garden", TEXTS)
    after = FlagCrossEncoder(run.model, name="tuned").score("garden", TEXTS)
    assert np.abs(np.array(before) - np.array(after)).max() > 1e-4
