"""FlagEmbedding: BGE-M3 with its three outputs, plain BERT-style embedders, and cross-encoders.

Its own ``encode`` runs the first batch twice, to probe for a batch size, and turns a RuntimeError into an
AttributeError; so tokenizer, model and pooling are called here directly, in batches bounded by their tokens.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from vaultbridge.core.errors import EmbedFailed, ModelInvalid
from vaultbridge.core.search import EmbedderInfo, Embedding, Lane, Vector

_BATCH_TEXTS = 32
_BATCH_TOKENS = 16_384
_EDGE = 1 << 20
_M3_HEADS = ("sparse_linear.pt", "colbert_linear.pt")


class FlagM3:
    """An Embedder on a BGE-M3 ``folder`` by ``BGEM3FlagModel``; keywords as in ``EmbedderInfo``.

    ``multi`` asks for the multi-vector head, too: a vector a token, a thousand times what the dense one takes. Raises
    ModelInvalid, also if a head's file is missing: the library would use a random one in silence.
    """

    def __init__(
        self,
        folder: Path,
        *,
        name: str,
        floor: float,
        max_tokens: int = 8192,
        languages: tuple[str, ...] = (),
        multi: bool = False,
    ) -> None:
        for head in _M3_HEADS:
            if not (folder / head).is_file():
                raise ModelInvalid(f"{folder} is not a whole BGE-M3: {head} is missing.", "Download that file, too.")
        self._flag, self._device = _load("BGEM3FlagModel", folder)
        self._multi = multi
        tokenizer = self._flag.tokenizer
        self._special = {tokenizer.cls_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id, tokenizer.unk_token_id}
        self._info = EmbedderInfo(
            name=name,
            fingerprint=_fingerprint(folder, "flag-m3", max_tokens),
            dimensions=self._flag.model.config.hidden_size,
            max_tokens=max_tokens,
            floor=floor,
            languages=languages,
        )

    @property
    def info(self) -> EmbedderInfo:
        """What this embedder is."""
        return self._info

    def embed(self, texts: Sequence[str], lane: Lane) -> list[Embedding]:
        """Embed ``texts``: dense, sparse and, if asked for, multi; the same for both lanes."""

        def forward(inputs: Any) -> list[Embedding]:
            out = self._flag.model(inputs, return_dense=True, return_sparse=True, return_colbert_vecs=self._multi)
            dense, weights = _numpy(out["dense_vecs"]), _numpy(out["sparse_vecs"])
            multi = _numpy(out["colbert_vecs"]) if self._multi else None
            ids, lengths = inputs["input_ids"].tolist(), inputs["attention_mask"].sum(1).tolist()
            return [
                Embedding(
                    dense[row],
                    self._sparse(ids[row], weights[row, :, 0]),
                    # This head leaves out the first token, so a text has one vector less than tokens.
                    None if multi is None else multi[row, : lengths[row] - 1].copy(),
                )
                for row in range(len(ids))
            ]

        return _in_batches(self._flag.tokenizer, self._device, texts, self._info.max_tokens, forward)

    def _sparse(self, ids: list[int], weights: Vector) -> dict[int, float]:
        """The greatest weight of each token, as BGE-M3's lexical matching has it."""
        sparse: dict[int, float] = {}
        for token, weight in zip(ids, weights.tolist(), strict=True):
            if weight > 0 and token not in self._special:
                sparse[token] = max(weight, sparse.get(token, 0.0))
        return sparse


class Flag:
    """An Embedder on a BERT-style ``folder`` by ``FlagModel``: dense only.

    ``pooling`` and the prefixes are what the model was trained with; other keywords as in ``EmbedderInfo``. Raises
    ModelInvalid.
    """

    def __init__(
        self,
        folder: Path,
        *,
        name: str,
        floor: float,
        max_tokens: int = 512,
        pooling: Literal["cls", "mean"] = "cls",
        query_prefix: str = "",
        document_prefix: str = "",
        languages: tuple[str, ...] = (),
    ) -> None:
        self._flag, self._device = _load("FlagModel", folder, pooling_method=pooling)
        self._prefixes: dict[Lane, str] = {"query": query_prefix, "document": document_prefix}
        self._info = EmbedderInfo(
            name=name,
            fingerprint=_fingerprint(folder, "flag", max_tokens, pooling, query_prefix, document_prefix),
            dimensions=self._flag.model.config.hidden_size,
            max_tokens=max_tokens,
            floor=floor,
            languages=languages,
        )

    @property
    def info(self) -> EmbedderInfo:
        """What this embedder is."""
        return self._info

    def embed(self, texts: Sequence[str], lane: Lane) -> list[Embedding]:
        """Embed ``texts``, each behind its lane's prefix."""

        def forward(inputs: Any) -> list[Embedding]:
            hidden = self._flag.model(**inputs, return_dict=True).last_hidden_state
            pooled = _numpy(self._flag.pooling(hidden, inputs["attention_mask"]))
            return [Embedding(vector) for vector in pooled / np.linalg.norm(pooled, axis=1, keepdims=True)]

        prefixed = [self._prefixes[lane] + text for text in texts]
        return _in_batches(self._flag.tokenizer, self._device, prefixed, self._info.max_tokens, forward)


class FlagCrossEncoder:
    """A Reranker on a cross-encoder's ``folder`` by ``FlagReranker``; ``max_tokens`` for question and passage together.

    Raises ModelInvalid.
    """

    def __init__(self, folder: Path, *, name: str, max_tokens: int = 1024) -> None:
        self.name = name
        self._flag, self._device = _load("FlagReranker", folder)
        self._max_tokens = max_tokens

    def score(self, question: str, passages: Sequence[str]) -> list[float]:
        """Score each passage between 0 and 1: the sigmoid of the model's logit."""

        def forward(inputs: Any) -> list[float]:
            logits = _numpy(self._flag.model(**inputs, return_dict=True).logits)[:, 0]
            scores: list[float] = (1 / (1 + np.exp(-logits))).tolist()
            return scores

        return _in_batches(self._flag.tokenizer, self._device, passages, self._max_tokens, forward, question)


def _load(kind: str, folder: Path, **options: Any) -> tuple[Any, str]:
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


def _in_batches(
    tokenizer: Any,
    device: str,
    texts: Sequence[str],
    max_tokens: int,
    forward: Callable[[Any], Sequence[Any]],
    question: str | None = None,
) -> list[Any]:
    """``forward`` over padded batches, its results in the order of ``texts``; a ``question`` is paired with each."""
    import torch

    if not texts:
        return []
    clean = [text.encode("utf-8", "replace").decode() for text in texts]
    pairs = (clean,) if question is None else ([question.encode("utf-8", "replace").decode()] * len(clean), clean)
    results: list[Any] = [None] * len(texts)
    try:
        encoded = tokenizer(*pairs, truncation=True, max_length=max_tokens)
        lengths = [len(ids) for ids in encoded["input_ids"]]
        for rows in _batches(lengths):
            batch = {key: [values[row] for row in rows] for key, values in encoded.items()}
            with torch.inference_mode():
                inputs = tokenizer.pad(batch, padding=True, return_tensors="pt").to(device)
                for row, result in zip(rows, forward(inputs), strict=True):
                    results[row] = result
    except (RuntimeError, MemoryError) as error:
        raise EmbedFailed(
            f"The model failed on {len(texts)} texts: {error}", "See the log; free some memory."
        ) from error
    return results


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Indices of texts of similar length, longest first, so that little is padding and memory is bounded."""
    order = sorted(range(len(lengths)), key=lambda row: -lengths[row])
    while order:
        count = max(1, min(_BATCH_TEXTS, _BATCH_TOKENS // lengths[order[0]]))
        yield order[:count]
        order = order[count:]


def _numpy(tensor: Any) -> Vector:
    array: Vector = tensor.float().cpu().numpy()
    return array


def _fingerprint(folder: Path, *traits: object) -> str:
    """A name for the vector space. Of the weights only sizes and edges are hashed: two gigabytes would take seconds."""
    digest = hashlib.sha256(repr(traits).encode())
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
    return digest.hexdigest()[:32]
