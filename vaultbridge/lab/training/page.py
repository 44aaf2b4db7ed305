"""A proof as a page: tables and pictures in one HTML file, readable by day and by night."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vaultbridge.lab.measures import NDCG, Interval
from vaultbridge.lab.training.gain import ALL, Comparison, Proof, Table
from vaultbridge.lab.training.proof import RECALL

FILE = "report.html"
"""Its name, in the folder of the run."""

_BEFORE, _AFTER, _BETTER, _WORSE = "#8c959f", "#1f6feb", "#1a7f37", "#cf222e"


@dataclass(frozen=True, slots=True)
class Section:
    """A table of the page, what is to be known of it, and its picture as SVG."""

    title: str
    note: str
    table: Table
    picture: str


def write_page(proof: Proof, about: Sequence[tuple[str, str]], file: Path) -> None:
    """Write the page; ``about`` are lines on how the model was made, name and value."""
    environment = Environment(
        loader=PackageLoader(__package__, "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    sections = [Section(title, note, table, draw(table)) for title, note, table in tables(proof)]
    page = environment.get_template("page.html").render(
        proof=proof,
        about=about,
        sections=sections,
        all=ALL,
        measures=(NDCG, RECALL),
        verdict=verdict(proof),
        percent=lambda value: f"{100 * value:.1f}",
        span=lambda found: f"{100 * found.low:.1f} – {100 * found.high:.1f}",
        change=change,
    )
    file.write_text(page, encoding="utf-8")


def tables(proof: Proof) -> Iterator[tuple[str, str, Table]]:
    """Title, explanation and figures of each part that was measured, what counts most first."""
    yield from (
        (title, note, table)
        for title, note, table in (
            ("Test", "Queries of notes that were neither trained on nor looked at to choose anything.", proof.test),
            ("Validation", "This split chose how much of the training is mixed into the model.", proof.validation),
            ("General", "Other people's collections: a loss here is what was forgotten.", proof.general),
            ("Search as a user gets it", "Test queries through all lanes together, fused.", proof.pipeline),
        )
        if table
    )


def verdict(proof: Proof) -> str:
    """Whether it helped, in a sentence; on test queries if they were asked."""
    name, table = ("test", proof.test) if proof.test else ("validation", proof.validation)
    gain = table[ALL][NDCG].gain
    kind = "improved" if gain.low > 0 else "got worse" if gain.high < 0 else "changed by no more than chance explains"
    return f"On {name} queries {NDCG} {kind}: {change(gain)}."


def change(gain: Interval) -> str:
    """A difference in percentage points, with its interval."""
    mean, low, high = (f"{round(100 * value, 1) + 0.0:+.1f}" for value in (gain.mean, gain.low, gain.high))
    return f"{mean} ({low} – {high})"


def draw(table: Table) -> str:
    """Before and after with their intervals, and the difference beside them; an SVG without a background."""
    rows = [(name, measures[NDCG]) for name, measures in table.items()]
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "vaultbridge", "font.family": "sans-serif"}):
        figure = Figure(figsize=(9, 1.2 + 0.5 * len(rows)), layout="constrained")
        levels, gains = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
        _draw_levels(levels, [row for _, row in rows])
        _draw_gains(gains, [row for _, row in rows])
        levels.set_yticks(range(len(rows)), [name for name, _ in rows])
        levels.set_ylim(len(rows) - 0.5, -0.5)
        for axes in (levels, gains):
            axes.grid(axis="x", alpha=0.25)
            axes.spines[["top", "right", "left"]].set_visible(False)
            axes.tick_params(axis="y", length=0)
        figure.legend(loc="outside upper left", ncols=2, frameon=False)
        file = io.StringIO()
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    svg = file.getvalue()
    # Black is what text and axes are drawn in: they follow the page instead.
    return svg[svg.index("<svg") :].replace("#000000", "currentColor")


def _draw_levels(axes: Axes, rows: Sequence[Comparison]) -> None:
    for label, color, shift, found in (
        ("before", _BEFORE, -0.12, [row.before for row in rows]),
        ("after", _AFTER, 0.12, [row.after for row in rows]),
    ):
        _draw_points(axes, found, [color] * len(rows), shift, label)
    axes.set_xlabel(f"{NDCG}, percent, with 95 % intervals")


def _draw_gains(axes: Axes, rows: Sequence[Comparison]) -> None:
    gains = [row.gain for row in rows]
    colors = [_BETTER if gain.low > 0 else _WORSE if gain.high < 0 else _BEFORE for gain in gains]
    axes.axvline(0, color="#000000", linewidth=1)
    _draw_points(axes, gains, colors, 0, "")
    axes.set_xlabel("difference, query by query")


def _draw_points(axes: Axes, found: Sequence[Interval], colors: Sequence[str], shift: float, label: str) -> None:
    for row, (each, color) in enumerate(zip(found, colors, strict=True)):
        reach = [[100 * (each.mean - each.low)], [100 * (each.high - each.mean)]]
        axes.errorbar(
            100 * each.mean,
            row + shift,
            xerr=reach,
            fmt="o",
            capsize=4,
            color=color,
            label=label if label and row == 0 else None,
        )
