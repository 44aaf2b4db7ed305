"""A name for a vector space: what the weights are, and what is done with them."""

from __future__ import annotations

import hashlib
from pathlib import Path

_EDGE = 1 << 20


def weights_digest(folder: Path) -> str:
    """What a model folder's weights and tokenizer are, in hex.

    Of the weights only sizes and edges are hashed: two gigabytes would take seconds.
    """
    digest = hashlib.sha256()
    for name in ("config.json", "tokenizer.json"):
        if (folder / name).is_file():
            digest.update((folder / name).read_bytes())
    for path in sorted(path for kind in ("*.safetensors", "*.bin", "*.pt") for path in folder.glob(kind)):
        size = path.stat().st_size
        digest.update(f"{path.name} {size}".encode())
        with path.open("rb") as file:
            digest.update(file.read(_EDGE))
            file.seek(max(0, size - _EDGE))
            digest.update(file.read(_EDGE))
    return digest.hexdigest()


def fingerprint(weights: str, *traits: object) -> str:
    """The space that weights of that digest embed into, run with these ``traits``."""
    return hashlib.sha256(f"{weights} {traits!r}".encode()).hexdigest()[:32]
