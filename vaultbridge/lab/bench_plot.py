"""A benchmark's points as a picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vaultbridge.core.errors import ConfigError
from vaultbridge.lab.report import Report

_REACHED, _READING, _COMPUTING = "#1f6feb", "#cf222e", "#9a6700"
_AXES: Mapping[str, str] = {
    "quant": "bits per weight",
    "batch": "sequences decoded together",
    "depth": "tokens before the one that is decoded",
    "threads": "threads",
}


class PlotFile:
    """A file that a picture can be written to. Raises ConfigError at once if it cannot, before anything is measured."""

    def __init__(self, path: Path) -> None:
        if path.suffix.lower().removeprefix(".") not in Figure().canvas.get_supported_filetypes():
            raise ConfigError(f"{path} does not say what kind of picture it shall be.", "End it in .png, .svg or .pdf.")
        if not path.absolute().parent.is_dir():
            raise ConfigError(f"There is no folder {path.parent}.", "Make it, or write the picture somewhere else.")
        self._path = path

    def draw(self, report: Report) -> None:
        """Write the picture: the speeds that were reached, under the limits that they are held against."""
        figure = Figure(figsize=(8, 5), layout="constrained")
        axes = figure.add_subplot()
        if report.sweep in _AXES:
            _draw_lines(axes, report)
        else:
            _draw_bars(axes, report)
        axes.set_title(_title(report), fontsize=11)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        figure.legend(loc="outside lower center", ncols=3, frameon=False)
        figure.savefig(self._path, dpi=150)


def _title(report: Report) -> str:
    parts = [f"{(report.given or report.machine.best) / 1e9:.0f} GB/s"]
    if report.sweep != "quant":
        parts.append(f"{report.model.bits:.1f} bits per weight")
    if report.sweep != "depth":
        parts.append(f"{report.points[0].depth} tokens deep")
    return f"{report.name}: {', '.join(parts)}"


def _draw_lines(axes: Axes, report: Report) -> None:
    points = report.points
    x = [point.depth if report.sweep == "depth" else place for place, point in enumerate(points)]
    if all(point.limit for point in points):
        axes.plot(x, [point.limit or 0 for point in points], color=_READING, label="limit: reading")
    axes.plot(x, [point.compute for point in points], "--", color=_COMPUTING, label="limit: computing")
    axes.plot(x, [point.reached for point in points], "o-", color=_REACHED, label="reached")
    axes.set_xlabel(_AXES[report.sweep])
    if report.sweep == "batch":
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.set_ylabel("tokens per second, all sequences together")
    else:
        axes.set_ylim(bottom=0)
        axes.set_ylabel("tokens per second")
    if report.sweep == "quant":  # types lie too close together for a true scale
        axes.set_xticks(x, [f"{point.label}\n{point.bits:.1f}" for point in points], fontsize=8)
    elif report.sweep != "depth":
        axes.set_xticks(x, [point.label for point in points])


def _draw_bars(axes: Axes, report: Report) -> None:
    names = [point.label or point.way for point in report.points]
    rows = range(len(names))
    axes.barh(rows, [point.reached for point in report.points], 0.5, color=_REACHED, label="reached")
    limits = [(row, point.limit) for row, point in zip(rows, report.points, strict=True) if point.limit]
    if limits:
        at, ends = [limit for _, limit in limits], [row for row, _ in limits]
        axes.vlines(at, [y - 0.35 for y in ends], [y + 0.35 for y in ends], _READING, label="limit: reading")
    axes.vlines(
        [point.compute for point in report.points],
        [row - 0.35 for row in rows],
        [row + 0.35 for row in rows],
        _COMPUTING,
        linestyles="--",
        label="limit: computing",
    )
    axes.set_yticks(rows, names)
    axes.invert_yaxis()
    axes.set_xlim(left=0)
    axes.set_xlabel("tokens per second")
