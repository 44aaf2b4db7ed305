"""``vaultbridge models export-onnx``."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vaultbridge.cli.console import err, out
from vaultbridge.cli.options import ConfigOption, settings_of
from vaultbridge.core.errors import ConfigError

if TYPE_CHECKING:
    from vaultbridge.backends.onnx_folder import Sheet


def export_onnx(
    model: Annotated[
        str, typer.Argument(metavar="NAME|FOLDER", help="An embedder: a name from the list, or a folder.")
    ],
    folder: Annotated[
        Path | None,
        typer.Option(
            "--out", file_okay=False, help="Where to write it; beside the model by default.", show_default=False
        ),
    ] = None,
    int8: Annotated[bool, typer.Option("--int8/--no-int8", help="With weights of 8 bits, too.")] = True,
    config: ConfigOption = None,
) -> None:
    """Write an embedder as an ONNX graph, which a CPU computes faster, and hold it against the original."""
    from vaultbridge.backends.onnx_folder import FOLDER
    from vaultbridge.wiring import supply_of

    found = supply_of(settings_of(config)).resolve(model, "embedder")
    if found.backend not in ("flag", "flag-m3"):
        raise ConfigError(
            f"{found.name} is run by {found.backend}, not by FlagEmbedding.",
            "Only FlagEmbedding's models are exported.",
        )
    if importlib.util.find_spec("onnx") is None:
        raise ConfigError("The package onnx is missing.", "Run: pip install 'vaultbridge[export]'")
    place = folder or found.path / FOLDER
    err.print("This takes a minute or two, and three times the model's size in memory.")
    from vaultbridge.backends.onnx_export import export

    sheet = export(found.path, "flag-m3" if found.backend == "flag-m3" else "flag", found.options, place, int8=int8)
    for line in _told(sheet):
        out.print(line)
    out.print(f"Written to {place}.")
    if folder is None:
        out.print(f"Served by {sheet.fastest} from the next start on; models.embedder_runtime decides otherwise.")
    else:
        out.print(f"Use it with --embedder {place}.")


def _told(sheet: Sheet) -> Iterator[str]:
    for runtime, seconds in sheet.seconds.items():
        agreement = sheet.agreement.get("int8" if runtime == "onnx-int8" else "fp32")
        compared = f"cosine ≥ {agreement.cosine:.4f}, scores within {agreement.score:.1e}" if agreement else ""
        line = f"{runtime:<10} {sheet.seconds['torch'] / seconds:>5.1f}x  {compared if runtime != 'torch' else ''}"
        yield line.rstrip()
