"""The folder of an exported embedder: its graphs, its tokenizer, and a sheet that says what they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from vaultbridge.core.errors import ModelInvalid

Precision = Literal["fp32", "int8"]
Runtime = Literal["torch", "onnx", "onnx-int8"]

FOLDER = "vaultbridge-onnx"
"""Where an export lies beside its model; BGE-M3's repository has a folder ``onnx`` of its own."""
SHEET = "vaultbridge-onnx.json"
TOKENIZER = "tokenizer.json"
GRAPHS: Mapping[Precision, str] = {"fp32": "model.onnx", "int8": "model.int8.onnx"}


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far a graph is from torch, over texts: the least ``cosine`` of a text's two dense vectors, and the greatest
    difference of a ``score``, whichever head gives it.
    """

    cosine: float
    score: float


@dataclass(frozen=True, slots=True)
class Sheet:
    """What was exported. ``weights`` is the digest of the model's; ``options`` are the embedder's keywords.

    ``special`` tokens have no sparse weight, ``pad`` fills a batch up. ``seconds``: for the same texts by each runtime,
    on the computer that exported it; ``fastest`` is the one to take there.
    """

    kind: Literal["flag", "flag-m3"]
    weights: str
    dimensions: int
    pooling: str
    special: tuple[int, ...]
    pad: int
    options: dict[str, Any] = field(default_factory=dict)
    agreement: dict[Precision, Agreement] = field(default_factory=dict)
    seconds: dict[Runtime, float] = field(default_factory=dict)
    fastest: Runtime = "onnx"


def exported(model: Path) -> Path | None:
    """The folder of a model's export: the model itself if it is one, or the one beside it."""
    return next((folder for folder in (model, model / FOLDER) if (folder / SHEET).is_file()), None)


def read_sheet(folder: Path) -> Sheet:
    """What is in an export's folder. Raises ModelInvalid."""
    try:
        return TypeAdapter(Sheet).validate_json((folder / SHEET).read_bytes())
    except (OSError, ValidationError) as error:
        raise ModelInvalid(
            f"{folder} is not an exported model: {error}.", "Export it again: vaultbridge models export-onnx"
        ) from error


def write_sheet(folder: Path, sheet: Sheet) -> None:
    """Say what is in an export's folder."""
    (folder / SHEET).write_bytes(TypeAdapter(Sheet).dump_json(sheet, indent=2))
