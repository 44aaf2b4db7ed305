"""The options that several commands share, and the settings that they make."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from vaultbridge.settings import Settings


class ModeName(str, Enum):
    """How to search."""

    hybrid = "hybrid"
    dense = "dense"
    keyword = "keyword"
    sparse = "sparse"


VaultOption = Annotated[Path | None, typer.Option("--vault", help="The folder of notes.", show_default=False)]
DataOption = Annotated[Path | None, typer.Option("--data", help="Where the index is kept.", show_default=False)]
ConfigOption = Annotated[Path | None, typer.Option("--config", help="A settings file.", show_default=False)]
ModelOption = Annotated[
    str | None, typer.Option("--model", help="Chat model: a name, a .gguf file, `none`.", show_default=False)
]
DraftOption = Annotated[
    str | None,
    typer.Option("--draft", help="A small model that guesses ahead for the chat model.", show_default=False),
]
EmbedderOption = Annotated[
    str | None, typer.Option("--embedder", help="Embedder: a name, a folder, an address, `none`.", show_default=False)
]
RerankerOption = Annotated[
    str | None, typer.Option("--reranker", help="Reranker: a name, a file, `auto`, `none`.", show_default=False)
]
BackendOption = Annotated[
    str | None, typer.Option("--backend", help="`fakes` runs everything without any model.", show_default=False)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]


def settings_of(config: Path | None, **flags: Any) -> Settings:
    """The settings of this run; a flag's section and key are joined by two underscores."""
    from vaultbridge.settings import load_settings

    return load_settings(config, {name.replace("__", "."): value for name, value in flags.items()})
