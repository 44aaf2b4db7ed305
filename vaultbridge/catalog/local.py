"""Models outside of the catalogue that are on this computer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vaultbridge.catalog.adapter import is_adapter
from vaultbridge.catalog.catalog import ModelRole
from vaultbridge.catalog.gguf_header import GgufHeader
from vaultbridge.core.errors import ModelInvalid

_RANK = 4
"""llama.cpp's pooling type of models that score a pair of texts."""


@dataclass(frozen=True, slots=True)
class LocalModel:
    """``path`` is what a backend loads: a GGUF file (of several, the first part) or a folder; ``size`` in bytes.

    ``origin`` says where it was fetched from, or whose it is: what belongs to another program is used where it lies.
    """

    name: str
    path: Path
    size: int
    origin: str
    role: ModelRole | None = None
    licence: str = ""


def role_of(path: Path) -> ModelRole | None:
    """What a model is for, as far as its file tells; None for a folder, and for what is no model but an adapter.

    Raises ModelInvalid for a damaged file.
    """
    if path.is_dir():
        return None
    header = GgufHeader.of_file(path)
    if is_adapter(header):
        return None
    pooling = header.get("pooling_type")
    if pooling is not None:
        return "reranker" if pooling == _RANK else "embedder"
    if "bert" in header.architecture:
        return "embedder"
    return "chat" if "tokenizer.chat_template" in header.metadata else "completion"


def is_gemma(model: LocalModel) -> bool:
    """Whether it is a Gemma that chats."""
    if "gemma" not in model.name.lower():
        return False
    try:
        return model.path.is_file() and role_of(model.path) == "chat"
    except ModelInvalid:
        return False
