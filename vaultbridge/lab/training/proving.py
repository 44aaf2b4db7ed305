"""The proof of a run: its base and its tuned model loaded, one after the other, and asked the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vaultbridge.backends.vector_space import weights_digest
from vaultbridge.catalog.tuned import TunedSheet
from vaultbridge.core.errors import ConfigError, ModelMissing
from vaultbridge.lab.collection import Collection
from vaultbridge.lab.training.dataset import Dataset, Split
from vaultbridge.lab.training.gain import Proof, compare
from vaultbridge.lab.training.proof import Remembered, Scores, examine, examine_collection, examine_reranker
from vaultbridge.lab.training.run import Run, RunSheet
from vaultbridge.lab.training.validation import embedder_of, reranker_of

Shown = Callable[[str], Callable[[int, int], None]]
"""Begins to show how far something of that name is: told what is done, of how much."""


@dataclass(frozen=True, slots=True)
class Questions:
    """What both models are asked: splits of the run's data, and collections, ``limit`` queries of each at most."""

    splits: Sequence[Split]
    collections: Mapping[str, Collection] = field(default_factory=dict)
    limit: int | None = None


def prove(run: Run, questions: Questions, shown: Shown) -> Proof:
    """Measure both models. Raises ConfigError for a run that is not done or whose base was changed, EmbedFailed."""
    sheet = run.read()
    tuned = tuned_sheet(run, sheet)
    before = _asked(sheet, _base(sheet), questions, lambda name: shown(f"{name}, before"))
    after = _asked(sheet, run.model, questions, lambda name: shown(f"{name}, after"))
    found = {name: compare(scores, after[name]) for name, scores in before.items()}
    return Proof(
        base=sheet.base.name,
        tuned=tuned.name,
        weights=weights_digest(run.model),
        validation=found["validation"],
        test=found.get("test", {}),
        general={name: found[name][name] for name in questions.collections},
    )


def tuned_sheet(run: Run, sheet: RunSheet) -> TunedSheet:
    """The sheet of a run's model. Raises ConfigError for a run that is not done."""
    tuned = TunedSheet.read(run.model)
    if sheet.outcome is None or tuned is None:
        raise ConfigError(f"The run in {run.folder} is not done.", "Go on with it: the command that began it, again.")
    return tuned


def _asked(sheet: RunSheet, folder: Path, questions: Questions, shown: Shown) -> dict[str, Scores]:
    dataset = Dataset(sheet.dataset)
    if sheet.role == "reranker":
        reranker = reranker_of(sheet.base, folder)
        return {split: examine_reranker(dataset, split, reranker, shown(split)) for split in questions.splits}
    embedder = embedder_of(sheet.base, folder)
    once = Remembered(embedder)
    return {split: examine(dataset, split, once, shown(split)) for split in questions.splits} | {
        name: examine_collection(name, collection, embedder, questions.limit, shown(name))
        for name, collection in questions.collections.items()
    }


def _base(sheet: RunSheet) -> Path:
    """The folder of the model as it was when the run began."""
    base = sheet.base
    if not (base.path / "config.json").is_file():
        raise ModelMissing(f"The model that the run began with is not at {base.path} any more.", "Put it back there.")
    if weights_digest(base.path) != base.weights:
        raise ConfigError(f"The model at {base.path} is not the one that the run began with.", "Put that one back.")
    return base.path
