"""How good a run's model is on the validation split, which decides how much of what it learned is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from vaultbridge.core.ports import Embedder, Reranker
from vaultbridge.lab.measures import NDCG
from vaultbridge.lab.training.dataset import Dataset
from vaultbridge.lab.training.proof import examine, examine_reranker
from vaultbridge.lab.training.run import Base, RunSheet

Progress = Callable[[int, int], None]


def validation(sheet: RunSheet, folder: Path, progress: Progress) -> tuple[float, ...]:
    """nDCG@10 of the model in a folder, run as the base is, for each query. Raises as ``examine``."""
    dataset = Dataset(sheet.dataset)
    if sheet.role == "reranker":
        scores = examine_reranker(dataset, "validation", reranker_of(sheet.base, folder), progress)
    else:
        scores = examine(dataset, "validation", embedder_of(sheet.base, folder), progress)
    return tuple(map(float, scores.overall(NDCG)))


def share_to_keep(found: Mapping[str, Sequence[float]]) -> str:
    """Of the shares of tuned weights, the smallest that is no more than a standard error behind the best.

    ``found``: each share's values of the same queries. Whatever chance explains is not worth what more of the tuned
    weights forgets. The one-standard-error rule (Breiman et al., Classification and Regression Trees, 1984), with the
    error of the difference, query by query.
    """
    values = {share: np.array(found[share]) for share in sorted(found, key=float)}
    best = max(values, key=lambda share: float(values[share].mean()))

    def is_near(share: str) -> bool:
        behind = values[best] - values[share]
        return bool(behind.mean() <= behind.std() / len(behind) ** 0.5)

    return next(share for share in values if share == best or is_near(share))


def embedder_of(base: Base, folder: Path) -> Embedder:
    """The base's embedder on another folder's weights. Raises ModelInvalid."""
    from vaultbridge.backends.flag_embedding import Flag, FlagM3

    kind = FlagM3 if base.backend == "flag-m3" else Flag
    return kind(folder, name=base.name, **base.options)


def reranker_of(base: Base, folder: Path) -> Reranker:
    """The base's reranker on another folder's weights. Raises ModelInvalid."""
    from vaultbridge.backends.flag_reranker import FlagCrossEncoder

    return FlagCrossEncoder(folder, name=base.name, **base.options)
