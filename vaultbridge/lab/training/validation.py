"""How good a run's model is on the validation split, which decides how much of what it learned is kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from vaultbridge.core.ports import Embedder, Reranker
from vaultbridge.lab.measures import NDCG
from vaultbridge.lab.training.dataset import Dataset
from vaultbridge.lab.training.proof import examine, examine_reranker
from vaultbridge.lab.training.run import Base, RunSheet

Progress = Callable[[int, int], None]


def validation(sheet: RunSheet, folder: Path, progress: Progress) -> float:
    """nDCG@10 of the model in a folder, run as the base is: the mean over all queries. Raises as ``examine``."""
    dataset = Dataset(sheet.dataset)
    if sheet.role == "reranker":
        scores = examine_reranker(dataset, "validation", reranker_of(sheet.base, folder), progress)
    else:
        scores = examine(dataset, "validation", embedder_of(sheet.base, folder), progress)
    return float(scores.overall(NDCG).mean())


def embedder_of(base: Base, folder: Path) -> Embedder:
    """The base's embedder on another folder's weights. Raises ModelInvalid."""
    from vaultbridge.backends.flag_embedding import Flag, FlagM3

    kind = FlagM3 if base.backend == "flag-m3" else Flag
    return kind(folder, name=base.name, **base.options)


def reranker_of(base: Base, folder: Path) -> Reranker:
    """The base's reranker on another folder's weights. Raises ModelInvalid."""
    from vaultbridge.backends.flag_reranker import FlagCrossEncoder

    return FlagCrossEncoder(folder, name=base.name, **base.options)
