"""An evaluation as a picture."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from vaultbridge.lab.evaluate import FUSED, Evaluation

_LANE, _FUSED = "#8c959f", "#1f6feb"


def draw_evaluation(evaluation: Evaluation, title: str, file: Path) -> None:
    """Write the nDCG of each row with its interval."""
    names = list(evaluation.rows)
    figure = Figure(figsize=(8, 1 + 0.45 * len(names)), layout="constrained")
    axes = figure.add_subplot()
    for row, name in enumerate(names):
        found = evaluation.rows[name].interval()
        reach = [[100 * (found.mean - found.low)], [100 * (found.high - found.mean)]]
        axes.errorbar(100 * found.mean, row, xerr=reach, fmt="o", capsize=4, color=_FUSED if name == FUSED else _LANE)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlabel("nDCG@10, percent, with 95 % intervals")
    axes.set_title(title, fontsize=11)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, dpi=150)
