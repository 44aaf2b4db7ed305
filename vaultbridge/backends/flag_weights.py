"""The weights of a FlagEmbedding folder: read as float32, BGE-M3's two further heads included, and written again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save_file

from vaultbridge.backends.m3_heads import HEADS
from vaultbridge.core.errors import ModelInvalid

WEIGHTS = "model.safetensors"
PICKLED = "pytorch_model.bin"

Weights = NDArray[np.float32]


def weights_of(folder: Path) -> dict[str, Weights]:
    """The model's weights by their names. Raises ModelInvalid."""
    if (folder / WEIGHTS).is_file():
        return dict(_safe(folder / WEIGHTS))
    if (folder / PICKLED).is_file():
        return _pickled(folder / PICKLED)
    raise ModelInvalid(f"{folder} has neither {WEIGHTS} nor {PICKLED}.", "Download the model again.")


def heads_of(folder: Path) -> dict[str, dict[str, Weights]]:
    """The weights of each of BGE-M3's heads that has a file."""
    return {head: _pickled(folder / head) for head in HEADS if (folder / head).is_file()}


def write_weights(folder: Path, weights: dict[str, Weights], heads: dict[str, dict[str, Weights]]) -> None:
    """Write them, as FlagEmbedding and transformers read them."""
    # Without the format in its header transformers refuses the file.
    save_file(weights, folder / WEIGHTS, {"format": "pt"})
    if heads:
        import torch

        for name, head in heads.items():
            torch.save({key: torch.from_numpy(value) for key, value in head.items()}, folder / name)


def bytes_of_weights(folder: Path) -> int:
    """What the weights take in 32 bits. Raises ModelInvalid."""
    if (folder / WEIGHTS).is_file():
        with safe_open(folder / WEIGHTS, "np") as file:
            return 4 * sum(int(np.prod(file.get_slice(name).get_shape())) for name in file.keys())  # noqa: SIM118
    return 4 * sum(value.size for value in weights_of(folder).values())


def _safe(path: Path) -> Iterator[tuple[str, Weights]]:
    import torch  # numpy knows no bfloat16

    with safe_open(path, "pt") as file:
        for name in file.keys():  # noqa: SIM118
            yield name, file.get_tensor(name).to(torch.float32).numpy()


def _pickled(path: Path) -> dict[str, Weights]:
    import torch

    tensors = torch.load(path, map_location="cpu", weights_only=True)
    return {name: tensor.to(torch.float32).numpy() for name, tensor in tensors.items()}
