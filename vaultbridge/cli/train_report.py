"""``vaultbridge train report``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Annotated

import typer

from vaultbridge.cli.console import out
from vaultbridge.cli.options import ConfigOption, DataOption, JsonOption, VaultOption, settings_of
from vaultbridge.cli.train_proof import check_packages, proved, with_pipeline
from vaultbridge.core.errors import ConfigError

if TYPE_CHECKING:
    from vaultbridge.lab.training.gain import Proof
    from vaultbridge.lab.training.run import RunSheet

RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a training run.", file_okay=False)]


def report(
    run: RunArgument,
    general: Annotated[
        list[Path] | None,
        typer.Option(
            "--general",
            help="A test collection in the BEIR layout, to see what was forgotten; may be repeated.",
            show_default=False,
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(help="Of --general: so many queries at most, evenly chosen.", min=1, show_default=False),
    ] = None,
    pipeline: Annotated[
        bool, typer.Option("--pipeline", help="Also ask the test queries of --vault through all lanes, fused.")
    ] = False,
    vault: VaultOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure a trained model beside its base on notes never trained on, and write a page about it."""
    check_packages()
    from vaultbridge.lab.collection import read_collection
    from vaultbridge.lab.training.dataset import SPLITS
    from vaultbridge.lab.training.gain import FILE
    from vaultbridge.lab.training.page import FILE as PAGE
    from vaultbridge.lab.training.page import write_page
    from vaultbridge.lab.training.proving import Questions
    from vaultbridge.lab.training.run import Run
    from vaultbridge.place import place_of

    settings = settings_of(config, vault=vault, data=data)
    place = place_of(settings) if pipeline else None
    found = Run(run)
    sheet = found.read()
    if sheet.role == "reranker" and (general or pipeline):
        raise ConfigError(
            "--general and --pipeline are for embedders.", "A reranker sorts the passages of its queries."
        )
    collections = {folder.resolve().name: read_collection(folder) for folder in general or ()}
    proof = proved(found, Questions(SPLITS[1:], collections, limit), quiet=as_json)
    if place is not None:
        proof = with_pipeline(proof, found, place, config, quiet=as_json)
    proof.write(run)
    write_page(proof, list(_about(sheet)), run / PAGE)
    if as_json:
        out.print((run / FILE).read_text(encoding="utf-8").strip())
        return
    _print(proof)
    out.print(f"Written to {run / PAGE}; the figures are in {run / FILE}.")


def _about(sheet: RunSheet) -> Iterable[tuple[str, str]]:
    recipe, outcome = sheet.recipe, sheet.outcome
    yield "base", f"{sheet.base.name} ({sheet.base.path})"
    yield "training data", str(sheet.dataset)
    batches = f"batches of {recipe.batch_size} × {recipe.group_size}, {recipe.rounds} rounds"
    lengths = f"{recipe.query_tokens} / {recipe.passage_tokens} tokens"
    rates = f"learning rate {recipe.learning_rate:g}, temperature {recipe.temperature:g}, seed {recipe.seed}"
    yield "recipe", f"{sheet.trainer}, {batches}, {lengths}, {rates}"
    if outcome is not None:
        yield "training", f"{outcome.steps} steps, {outcome.examples} examples, {outcome.seconds / 60:.1f} minutes"
        tried = ", ".join(f"{share} {100 * fmean(values):.1f}" for share, values in sheet.validation.items())
        yield "share of the tuned weights", f"{outcome.mix:g}, by nDCG@10 on validation: {tried}"


def _print(proof: Proof) -> None:
    from vaultbridge.lab.measures import NDCG
    from vaultbridge.lab.training.page import change, tables, verdict
    from vaultbridge.lab.training.proof import RECALL

    out.print(f"{proof.base} → {proof.tuned}, in percent, with 95 % intervals of the differences")
    for title, _, table in tables(proof):
        out.print(f"\n  {title:<24}{'queries':>8}{NDCG:>15}{'':25}{RECALL:>15}")
        for kind, row in table.items():
            figures = "".join(
                f"{100 * each.before.mean:8.1f} → {100 * each.after.mean:5.1f}  {change(each.gain):<23}"
                for each in (row[NDCG], row[RECALL])
            )
            out.print(f"  {kind:<24}{row[NDCG].queries:>8}{figures}".rstrip())
    out.print(f"\n{verdict(proof)}")
