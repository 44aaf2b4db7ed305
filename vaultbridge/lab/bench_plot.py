"""A benchmark's points as a picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vaultbridge.core.errors import ConfigError
from vaultbridge.lab.report import Point, Report

_REACHED, _READING, _COMPUTING = "#1f6feb", "#cf222e", "#9a6700"
_AXES: Mapping[str, tuple[str, Callable[[Point], float]]] = {
    "quant": ("bits per weight", lambda point: point.bits),
    "batch": ("sequences decoded together", lambda point: point.batch),
    "depth": ("tokens before the one that is decoded", lambda point: point.depth),
    "threads": ("threads", lambda point: point.threads),
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
    parts = [f"{max(report.given or 0, report.machine.best) / 1e9:.0f} GB/s"]
    if report.sweep != "quant":
        parts.append(f"{report.model.bits:.1f} bits per weight")
    if report.sweep != "depth":
        parts.append(f"{report.points[0].depth} tokens deep")
    return f"{report.name}: {', '.join(parts)}"


def _draw_lines(axes: Axes, report: Report) -> None:
    label, place = _AXES[report.sweep]
    x = [place(point) for point in report.points]
    if all(point.limit for point in report.points):
        axes.plot(x, [point.limit or 0 for point in report.points], color=_READING, label="limit: reading")
    computing = [point.compute for point in report.points]
    axes.plot(x, computing, color=_COMPUTING, linestyle="--", label="limit: computing")
    axes.plot(x, [point.reached for point in report.points], "o-", color=_REACHED, label="reached")
    axes.set_xlabel(label)
    axes.set_ylabel("tokens per second")
    if report.sweep == "batch":
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_ylabel("tokens per second, all sequences together")
    else:
        axes.set_ylim(bottom=0)
    if report.sweep in ("batch", "threads"):
        axes.set_xticks(x, [point.label for point in report.points])
    if report.sweep == "quant":
        for point, at in zip(report.points, x, strict=True):
            axes.annotate(point.label, (at, point.reached), (0, -14), textcoords="offset points", ha="center", size=8)


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
