"""The files of a model in several parts, which llama.cpp's gguf-split calls ``NAME-00001-of-00003.gguf`` and so on."""

from __future__ import annotations

import re
from pathlib import Path

from vaultbridge.core.errors import ModelInvalid

PART = re.compile(r"-(\d{5})-of-(\d{5})\.gguf$")
"""How the name of a part ends: which it is, and of how many."""


def parts_of(path: Path) -> list[Path]:
    """All files of the model whose first one is ``path``, there or not, in their order; most models have no other."""
    part = PART.search(path.name)
    if part is None:
        return [path]
    stem, count = path.name[: part.start()], int(part[2])
    return [path.with_name(f"{stem}-{number:05}-of-{part[2]}.gguf") for number in range(1, count + 1)]


def check_parts(path: Path) -> None:
    """Raise ModelInvalid if a part of the model whose first one is ``path`` is missing."""
    missing = next((part for part in parts_of(path) if not part.is_file()), None)
    if missing is not None:
        raise ModelInvalid(f"{missing.name}, a part of the model, is not beside {path.name}.", "Fetch the model again.")


def size_of(path: Path) -> int:
    """Bytes of all files of the model whose first one is ``path``, as far as they are there."""
    return sum(part.stat().st_size for part in parts_of(path) if part.is_file())
