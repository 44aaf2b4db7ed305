"""The command line as a whole: its commands, and what an error becomes."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from vaultbridge import __version__
from vaultbridge.cli.ask import ask, search
from vaultbridge.cli.bench import bench
from vaultbridge.cli.console import err, out
from vaultbridge.cli.doctor import doctor
from vaultbridge.cli.evaluate import evaluate
from vaultbridge.cli.export import export_onnx
from vaultbridge.cli.fit import models_info, models_recommend
from vaultbridge.cli.index import index, status
from vaultbridge.cli.logs import configure
from vaultbridge.cli.models import models_app
from vaultbridge.cli.plugin import plugin_app
from vaultbridge.cli.serve import serve
from vaultbridge.cli.service import service_app
from vaultbridge.cli.train import train_app
from vaultbridge.core.errors import ConfigError, RequestError, VaultbridgeError

WORK_FAILED = 1
WRONG_USAGE = 2
INTERRUPTED = 130

app = typer.Typer(
    help="Answers grounded in your Obsidian vault, from a model on your own computer.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (serve, index, search, ask, status):
    app.command()(command)
models_app.command("info")(models_info)
models_app.command("recommend")(models_recommend)
models_app.command("export-onnx")(export_onnx)
app.add_typer(models_app, name="models")
app.command("eval")(evaluate)
app.command()(bench)
app.command()(doctor)
app.add_typer(service_app, name="service")
app.add_typer(plugin_app, name="plugin")
app.add_typer(train_app, name="train")


def main() -> None:
    """Run the command line; every error becomes one line and an exit code."""
    try:
        app(standalone_mode=True)
    except VaultbridgeError as error:
        err.print(f"vaultbridge: {error.message}")
        if error.hint:
            err.print(f"  {error.hint}")
        sys.exit(WRONG_USAGE if isinstance(error, (ConfigError, RequestError)) else WORK_FAILED)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _version(asked: bool) -> None:
    if asked:
        out.print(f"vaultbridge {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more.")] = False,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    configure(verbose=verbose)
