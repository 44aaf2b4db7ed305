"""Runs on models of random weights: FlagEmbedding's real trainers, a second a step or less."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import psutil

from vaultbridge.backends.vector_space import weights_digest
from vaultbridge.core.notes import NotePath
from vaultbridge.lab.training.checkpoints import Room
from vaultbridge.lab.training.dataset import Dataset, Example, Passage
from vaultbridge.lab.training.finetune import Step
from vaultbridge.lab.training.recipe import Recipe, Trainer
from vaultbridge.lab.training.run import Base, Run, RunSheet, Taught
from vaultbridge.lab.training.tuning import tune

WORDS = "the a note task garden water plant due date today meeting index vault search".split()
RECIPE = Recipe(
    learning_rate=1e-3, rounds=1, batch_size=2, group_size=2, query_tokens=16, passage_tokens=24, save_steps=2
)


class Watched:
    """Does something at a step, and remembers what it was told."""

    def __init__(self, at: int = 0, do: Callable[[], None] = lambda: None) -> None:
        self.steps: list[Step] = []
        self.resumed: list[int] = []
        self._at = at
        self._do = do

    def examining(self, share: float, done: int, total: int) -> None:
        assert done <= total

    def resuming(self, step: int) -> None:
        self.resumed.append(step)

    def step(self, step: Step) -> None:
        self.steps.append(step)
        if step.step == self._at:
            self._do()


def small_dataset(folder: Path) -> Dataset:
    """Twelve notes of a passage each; what is asked for is their words."""
    notes = [NotePath(f"{number}.md") for number in range(12)]
    texts = [f"{WORDS[number]} {WORDS[number + 1]} {WORDS[number + 2]}" for number in range(12)]

    def example(number: int) -> Example:
        wrong = texts[(number + 5) % 12], texts[(number + 6) % 12]
        return Example(WORDS[number], (texts[number],), wrong, "heading", notes[number], notes[number], bare=True)

    examples = [example(number) for number in range(12)]
    dataset = Dataset(folder)
    passages = [Passage(note, 0, "", text) for note, text in zip(notes, texts, strict=True)]
    dataset.write({"train": examples, "validation": examples[:4], "test": examples[4:8]}, passages, {"notes": 12})
    return dataset


def sheet_of(trainer: Trainer, base: Path, dataset: Dataset, recipe: Recipe = RECIPE) -> RunSheet:
    backend = {"m3": "flag-m3", "base": "flag", "reranker": "flag-reranker"}[trainer]
    taught = Base("tiny", base, backend, {"max_tokens": 64}, weights_digest(base))
    role: Taught = "reranker" if trainer == "reranker" else "embedder"
    return RunSheet(role, trainer, taught, dataset.folder, dataset.digest(), recipe)


def tuned(run: Run, sheet: RunSheet, watch: Watched, mix: float | None = None) -> RunSheet:
    return tune(run, run.begin(sheet, {}), "cpu", Room(2, 0), watch, mix)


def trainer_process() -> psutil.Process:
    """The child that trains."""
    return next(child for child in psutil.Process().children() if "flag_training" in " ".join(child.cmdline()))


def half_written(run: Run, step: int, *, missing: str) -> Path:
    """A checkpoint as a kill leaves it: the newest, with a file cut short and ``missing`` not there yet."""
    whole = max(run.checkpoints.glob("checkpoint-*"), key=lambda place: int(place.name.partition("-")[2]))
    place = run.checkpoints / f"checkpoint-{step}"
    shutil.copytree(whole, place)
    (place / missing).unlink()
    optimizer = place / "optimizer.pt"
    optimizer.write_bytes(optimizer.read_bytes()[:1000])
    return place
