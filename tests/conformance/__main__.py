"""``python -m tests.conformance``: other people's checks of our API, on servers with the fake and the starter models.

With ``--url`` llm-comply's checks of another server instead: one that fails there as well may be the check's own fault.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import typer

from tests.conformance.suites import DIFFERENT, FORMATS, comply, schemathesis
from tests.scenarios.serving import Served

VAULT = Path(__file__).parents[2] / "docs" / "sample-vault"
MODELS = ("--backend", "auto", "--model", "smollm2-135m-instruct", "--embedder", "all-minilm-l6-v2")
SETTINGS = "[chat]\nmax_tokens = 24\n"
"""Short answers where none is asked for: what is checked is their shape."""


def complied(url: str) -> bool:
    """Print what each check of llm-comply says; whether all went as they should."""
    well = True
    for form in FORMATS:
        for checked in comply(url, form):
            why = ""
            if checked.status == "failed":
                well &= checked.id in DIFFERENT
                more = f", and {len(checked.errors) - 1} more" if len(checked.errors) > 1 else ""
                meant = f" (meant: {DIFFERENT[checked.id]})" if checked.id in DIFFERENT else ""
                why = f": {checked.errors[0][:200]}{more}{meant}"
            typer.echo(f"{form}: {checked.id}: {checked.status}{why}")
    return well


def checked(home: Path, settings: Path, seconds: int, seed: int) -> bool:
    """Print what all suites say of servers of our own; whether it is well."""
    # llm-comply wants every answer to end by itself, which the starter, far too small, often does not: the fakes do.
    with Served(home / "fakes", VAULT) as fakes:
        fakes.wait_until_indexed()
        well = complied(f"{fakes.address}/v1")
    with Served(home / "starters", VAULT, *MODELS, "--config", settings) as served:
        served.wait_until_indexed()
        fuzzed = schemathesis(served.address, seconds, seed)
        typer.echo(fuzzed.complaint or f"schemathesis: {fuzzed.requests} requests, no 5xx, every answer as described")
        if errors := served.log.read_text().count("Traceback"):
            typer.echo(f"the server has logged {errors} unforeseen errors")
            well = False
    return well and not fuzzed.complaint


def main(
    url: str = typer.Option("", help="Another server's API, for example http://127.0.0.1:8080/v1."),
    seconds: int = typer.Option(600, help="How long schemathesis makes up requests."),
    seed: int = typer.Option(1, help="Of the requests that it makes up."),
) -> None:
    """Run all of it and say what came of it; exit code 1 if something is wrong."""
    if url:
        raise typer.Exit(0 if complied(url) else 1)
    with tempfile.TemporaryDirectory() as scratch:
        settings = Path(scratch, "settings.toml")
        settings.write_text(SETTINGS)
        for name in ("fakes", "starters"):
            Path(scratch, name).mkdir()
        raise typer.Exit(0 if checked(Path(scratch), settings, seconds, seed) else 1)


if __name__ == "__main__":
    typer.run(main)
