"""What retrieval weighs, and the file in which weights fitted to a vault are kept."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from vaultbridge.core.errors import ConfigError

FILE = "weights.json"
"""Its name, in the folder of the index."""


@dataclass(frozen=True, slots=True)
class FusionWeights:
    """How much each part of the ranking counts; 0 switches it off. ``docs/benchmarks.md`` has what each one brings.

    ``keyword``, ``dense``, ``sparse``: a lane that is sure of itself. ``doubt``: how much its own doubt weakens a lane.
    ``ground``: how much of what all questions have in common is taken off a question. ``feedback``: how far the first
    hits draw it towards them. ``smoothing``: how much of its score a chunk shares with those most like it. ``links``:
    what a note that is linked with one of the best gets of its score.
    """

    keyword: float = 1.0
    dense: float = 1.0
    sparse: float = 0.5
    doubt: float = 1.0
    ground: float = 0.3
    feedback: float = 0.5
    smoothing: float = 0.2
    links: float = 0.0

    def of(self, lane: str) -> float:
        """A lane's weight."""
        return {"keyword": self.keyword, "dense": self.dense, "sparse": self.sparse}[lane]


def read_weights(folder: Path) -> FusionWeights:
    """The weights that were fitted to the index in ``folder``; the default ones without any. Raises ConfigError."""
    file = folder / FILE
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return FusionWeights()
    except OSError as error:
        raise ConfigError(
            f"{file} cannot be read ({error.strerror}).", "Delete it to use the default weights."
        ) from None
    names = {field.name for field in fields(FusionWeights)}
    try:
        given = {name: float(value) for name, value in json.loads(text).items()}
    except (ValueError, TypeError, AttributeError):
        given = {"": 0.0}
    if not given.keys() <= names or not all(math.isfinite(value) and value >= 0 for value in given.values()):
        raise ConfigError(f"{file} does not hold weights.", "Delete it to use the default ones, or fit it again.")
    return FusionWeights(**given)


def write_weights(folder: Path, weights: FusionWeights) -> Path:
    """Keep weights for the index in ``folder``; the file."""
    file = folder / FILE
    file.write_text(json.dumps(asdict(weights), indent=2) + "\n", encoding="utf-8")
    return file
