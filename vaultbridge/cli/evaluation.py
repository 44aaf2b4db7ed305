"""What ``vaultbridge eval`` found, as a table and as a document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from vaultbridge.cli.console import out

if TYPE_CHECKING:
    from vaultbridge.lab.evaluate import Evaluation


def evaluation_view(evaluation: Evaluation) -> dict[str, Any]:
    """Each row's means and intervals, 0 to 1, and what fusion brings over the best lane and over each other row."""
    from vaultbridge.lab.evaluate import FUSED

    rows = {
        name: {
            **{measure: asdict(row.interval(measure)) for measure in row.values},
            "milliseconds": row.milliseconds,
        }
        for name, row in evaluation.rows.items()
    }
    others = [name for name in evaluation.rows if name != FUSED] if FUSED in evaluation.rows else []
    over = {name: asdict(evaluation.over(name)) for name in others}
    return {"rows": rows, "best_lane": evaluation.best_lane, "fused_over": over}


def print_evaluation(evaluation: Evaluation) -> None:
    """The table, in percent."""
    view = evaluation_view(evaluation)
    measures = [name for name in next(iter(view["rows"].values())) if name != "milliseconds"]
    out.print(f"  {'':<18}" + "".join(f"{name:>8}" for name in measures) + "   95 % of nDCG   ms/query")
    for name, row in view["rows"].items():
        first = row[measures[0]]
        bounds = f"{100 * first['low']:.1f} – {100 * first['high']:.1f}"
        time = f"{row['milliseconds']:.0f}" if row["milliseconds"] else ""
        means = "".join(f"{100 * row[measure]['mean']:8.1f}" for measure in measures)
        out.print(f"  {name:<18}{means}   {bounds:>13}{time:>11}")
    for name, gain in view["fused_over"].items():
        best = " (the best lane)" if name == view["best_lane"] else ""
        out.print(f"  fused over {name}{best}: {_gain(gain)}")


def print_fit(fitted: Mapping[str, Any]) -> None:
    """The weights, and what became of them."""
    out.print(f"  fitted: {', '.join(f'{name} {value:g}' for name, value in fitted['weights'].items())}")
    out.print(f"  with questions that they were not fitted to: {_gain(fitted['gain'])}")
    if fitted["kept"]:
        out.print(f"  kept in {fitted['kept']}; delete it to use the default weights")
    elif fitted["gain"]["low"] <= 0:
        out.print("  no more than chance explains: the weights stay as they are")


def _gain(gain: Mapping[str, float]) -> str:
    return f"{100 * gain['mean']:+.1f} nDCG, 95 % {100 * gain['low']:+.1f} – {100 * gain['high']:+.1f}"
