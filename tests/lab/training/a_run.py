"""A run that is done, with a base and a tuned model of random weights."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from tests.contracts.tiny_bert import make_tiny_bert_folder
from tests.contracts.tiny_m3 import MAX_TOKENS, make_tiny_reranker
from vaultbridge.backends.vector_space import weights_digest
from vaultbridge.catalog.catalog import ModelRole
from vaultbridge.catalog.tuned import TunedSheet
from vaultbridge.core.notes import NotePath
from vaultbridge.lab.training.dataset import Dataset, Example, Passage
from vaultbridge.lab.training.recipe import Recipe
from vaultbridge.lab.training.run import Base, Outcome, Run, RunSheet

NOTES = {
    "Garden.md": "water the garden early and plant",
    "Tasks.md": "the due date of a task",
    "Meeting.md": "the index of the meeting notes",
    "Vault.md": "search the vault today",
}
RECIPE = Recipe(1e-5, rounds=1, batch_size=2, group_size=2, query_tokens=32, passage_tokens=64, save_steps=1)


def make_dataset(folder: Path, notes: Mapping[str, str] = NOTES) -> Dataset:
    """In each split every note is looked for by its first words, and by a word from another note."""
    passages = [Passage(NotePath(note), 0, note.removesuffix(".md"), text) for note, text in notes.items()]
    examples = [
        Example(query, (one.embedded,), (other.embedded,), kind, one.note, one.note)
        for one, other in zip(passages, [*passages[1:], passages[0]], strict=True)
        for kind, query in (("heading", " ".join(one.text.split()[:2])), ("word", one.text.split()[-1]))
    ]
    dataset = Dataset(folder)
    dataset.write({"train": examples, "validation": examples, "test": examples}, passages, {})
    return dataset


def make_run(
    folder: Path,
    *,
    noise: float = 0.3,
    name: str = "tiny-tuned",
    role: ModelRole = "embedder",
    dataset: Dataset | None = None,
) -> Run:
    """The tuned model is the base with so much ``noise``; beside the run are its base and its dataset."""
    base = folder.parent / f"{folder.name}-base"
    make = make_tiny_reranker if role == "reranker" else make_tiny_bert_folder
    make(base)
    run = Run(folder)
    shutil.copytree(base, run.model)
    weights = load_file(run.model / "model.safetensors")
    random = np.random.default_rng(1)
    noisy = {key: value + noise * random.normal(size=value.shape).astype(value.dtype) for key, value in weights.items()}
    save_file(noisy, run.model / "model.safetensors")
    backend = "flag-reranker" if role == "reranker" else "flag"
    options: dict[str, Any] = {"max_tokens": MAX_TOKENS} if role == "reranker" else {"pooling": "mean"}
    TunedSheet(name, role, backend, "tiny", options).write(run.model)
    dataset = dataset or make_dataset(folder.parent / f"{folder.name}-data")
    described = Base("tiny", base, backend, options, weights_digest(base))
    sheet = RunSheet(
        "reranker" if role == "reranker" else "embedder", "base", described, dataset.folder, "", RECIPE,
        {"0.0": [0.5, 0.5], "0.5": [0.5, 0.75]}, Outcome(0.5, 61.0, 4, 8),
    )  # fmt: skip
    run.write(sheet)
    return run


def names(folder: Path) -> Sequence[str]:
    return sorted(path.name for path in folder.iterdir())
