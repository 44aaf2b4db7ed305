"""A FlagEmbedding model on its device, and texts through it in batches.

The library's own ``encode`` and ``compute_score`` run the first batch twice, to probe for a batch size, and turn a
RuntimeError into an AttributeError; so tokenizer, model and pooling are called directly, in batches of our own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vaultbridge.backends.token_batches import Budget, clean, through
from vaultbridge.core.errors import EmbedFailed, ModelInvalid
from vaultbridge.core.search import Vector

_ON_A_CPU = Budget(tokens=1024, padding=64)
"""What a layer makes of more than that leaves the caches; a pass of its own costs less than 64 tokens of padding."""
_ON_A_GPU = Budget(tokens=16_384, padding=16_384)


def load(kind: str, folder: Path, **options: Any) -> tuple[Any, str]:
    """The library's object of that class on ``folder``, silent and offline, and its device."""
    if not (folder / "config.json").is_file():
        raise ModelInvalid(f"{folder} is not a model folder: it has no config.json.", "Pass the folder itself.")
    # Both are read on import: a folder never asks the network, and waiting threads leave their core to others.
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    import FlagEmbedding
    import torch
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    cuda = torch.cuda.is_available()
    device = "cuda:0" if cuda else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        flag = getattr(FlagEmbedding, kind)(str(folder), use_fp16=cuda, devices=device, **options)
        flag.model.to(device).eval()
    except Exception as error:
        # Damaged weights surface as whatever the reader in charge raises: OSError, ValueError, SafetensorError, …
        raise ModelInvalid(f"The model in {folder} cannot be loaded: {error}.", "Download its files again.") from error
    return flag, device


def in_batches(
    tokenizer: Any,
    device: str,
    texts: Sequence[str],
    max_tokens: int,
    forward: Callable[[Any], Sequence[Any]],
    question: str | None = None,
) -> list[Any]:
    """``forward`` over padded batches, its results in the order of ``texts``; a ``question`` is paired with each.

    Raises EmbedFailed.
    """
    if not texts:
        return []
    passages = clean(texts)
    pairs = (passages,) if question is None else (clean([question]) * len(passages), passages)
    encoded = tokenizer(*pairs, truncation=True, max_length=max_tokens)
    return forwarded(tokenizer, device, encoded, forward)


def forwarded(
    tokenizer: Any, device: str, encoded: Mapping[str, Sequence[Any]], forward: Callable[[Any], Sequence[Any]]
) -> list[Any]:
    """``forward`` over padded batches of tokens, its results in their order. Raises EmbedFailed."""
    import torch

    def of(rows: list[int]) -> Sequence[Any]:
        batch = {key: [values[row] for row in rows] for key, values in encoded.items()}
        return forward(tokenizer.pad(batch, padding=True, return_tensors="pt").to(device))

    lengths = [len(ids) for ids in encoded["input_ids"]]
    try:
        with torch.inference_mode():
            return through(lengths, _ON_A_CPU if device == "cpu" else _ON_A_GPU, of)
    except (RuntimeError, MemoryError) as error:
        raise EmbedFailed(
            f"The model failed on {len(lengths)} texts: {error}", "See the log; free some memory."
        ) from error


def to_numpy(tensor: Any) -> Vector:
    """A tensor's numbers as float32."""
    array: Vector = tensor.float().cpu().numpy()
    return array
