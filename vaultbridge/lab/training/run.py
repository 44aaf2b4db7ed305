"""A run's folder: what was asked for, the checkpoints on the way, and the model that came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from vaultbridge.core.errors import ConfigError
from vaultbridge.lab.training.recipe import Recipe, Trainer

Taught = Literal["embedder", "reranker"]


@dataclass(frozen=True, slots=True)
class Base:
    """The model that is taught: how it is run, and the digest of its ``weights``."""

    name: str
    path: Path
    backend: str
    options: Mapping[str, Any]
    weights: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it: the ``mix``, a share of the tuned weights; ``seconds`` of training alone, ``examples`` shown."""

    mix: float
    seconds: float
    steps: int
    examples: int


@dataclass(frozen=True, slots=True)
class RunSheet:
    """``run.json``: ``digest`` is the dataset's; ``outcome`` comes last.

    ``validation`` has nDCG@10 of each query of that split by the share of tuned weights, ``0.0`` being the base.
    """

    role: Taught
    trainer: Trainer
    base: Base
    dataset: Path
    digest: str
    recipe: Recipe
    validation: Mapping[str, Sequence[float]] = field(default_factory=dict)
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """The folder ``--out``."""

    folder: Path

    @property
    def checkpoints(self) -> Path:
        """Where the trainer writes."""
        return self.folder / "checkpoints"

    @property
    def tuned(self) -> Path:
        """What the trainer made, once it is through."""
        return self.folder / "tuned"

    @property
    def model(self) -> Path:
        """The model that is served: the tuned weights mixed with the base's."""
        return self.folder / "model"

    @property
    def log(self) -> Path:
        """A line for each step; one that was taken again after a stop has several."""
        return self.folder / "log.jsonl"

    def read(self) -> RunSheet:
        """What ``run.json`` says. Raises ConfigError if the folder holds no run."""
        try:
            return TypeAdapter(RunSheet).validate_json(self._sheet.read_bytes())
        except (OSError, ValidationError) as error:
            raise ConfigError(
                f"{self.folder} holds no training run.", "Make one: vaultbridge train embedder"
            ) from error

    def write(self, sheet: RunSheet) -> None:
        """Say it, in one step."""
        part = self._sheet.with_suffix(".part")
        part.write_bytes(TypeAdapter(RunSheet).dump_json(sheet, indent=2))
        part.replace(self._sheet)

    def begin(self, asked: RunSheet, given: Mapping[str, Any]) -> RunSheet:
        """The run that is asked for, or the one that was begun here before, which keeps its recipe.

        ``given``: the recipe's parts that the user named. Raises ConfigError if the folder is another run's, or none's.
        """
        if not self._sheet.exists():
            if self.folder.exists() and any(self.folder.iterdir()):
                raise ConfigError(f"{self.folder} is not empty and holds no training run.", "Pass another --out.")
            self.folder.mkdir(parents=True, exist_ok=True)
            self.write(asked)
            return asked
        begun = self.read()
        other = [
            *(["--base"] if asked.base.weights != begun.base.weights else []),
            *(["--data"] if asked.digest != begun.digest else []),
            *_differences(begun.recipe, given),
        ]
        if other or asked.role != begun.role:
            raise ConfigError(
                f"{self.folder} holds a run with other settings: {', '.join(other) or begun.role}.",
                "Pass another --out, or what it was begun with: see its run.json.",
            )
        return replace(begun, base=asked.base, dataset=asked.dataset)

    @property
    def _sheet(self) -> Path:
        return self.folder / "run.json"


def _differences(recipe: Recipe, given: Mapping[str, Any]) -> list[str]:
    kept = asdict(recipe)
    names = [part.name for part in fields(Recipe)]
    return [f"--{name.replace('_', '-')}" for name in names if given.get(name) not in (None, kept[name])]
