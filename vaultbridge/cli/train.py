"""``vaultbridge train``: its commands."""

from __future__ import annotations

import typer

from vaultbridge.cli.train_data import train_data
from vaultbridge.cli.train_promote import promote, rollback
from vaultbridge.cli.train_report import report
from vaultbridge.cli.train_run import embedder, reranker

train_app = typer.Typer(
    help="Teach an embedder or a reranker the words of your vault.", no_args_is_help=True, rich_markup_mode=None
)
train_app.command("data")(train_data)
train_app.command("embedder")(embedder)
train_app.command("reranker")(reranker)
for command in (report, promote, rollback):
    train_app.command()(command)
