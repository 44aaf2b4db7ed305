"""FlagEmbedding's embedders: BGE-M3 with its three outputs, and plain BERT-style ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from vaultbridge.backends.flag_model import in_batches, load, to_numpy
from vaultbridge.backends.m3_heads import HEADS, embeddings
from vaultbridge.backends.vector_space import fingerprint, weights_digest
from vaultbridge.core.errors import ModelInvalid
from vaultbridge.core.search import UNMEASURED, EmbedderInfo, Embedding, Lane


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
        floor: float = UNMEASURED,
        max_tokens: int = 8192,
        languages: tuple[str, ...] = (),
        multi: bool = False,
    ) -> None:
        for head in HEADS:
            if not (folder / head).is_file():
                raise ModelInvalid(f"{folder} is not a whole BGE-M3: {head} is missing.", "Download that file, too.")
        self._flag, self._device = load("BGEM3FlagModel", folder)
        self._multi = multi
        tokenizer = self._flag.tokenizer
        self._special = {tokenizer.cls_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id, tokenizer.unk_token_id}
        self._info = EmbedderInfo(
            name=name,
            # Texts that were embedded without the multi-vector head are embedded again for it.
            fingerprint=fingerprint(weights_digest(folder), "flag-m3", max_tokens, *(["multi"] if multi else [])),
            dimensions=self._flag.model.config.hidden_size,
            max_tokens=max_tokens,
            floor=floor,
            languages=languages,
            sparse=True,
            multi=multi,
        )

    @property
    def info(self) -> EmbedderInfo:
        """What this embedder is."""
        return self._info

    def embed(self, texts: Sequence[str], lane: Lane) -> list[Embedding]:
        """Embed ``texts``: dense, sparse and, if asked for, multi; the same for both lanes."""

        def forward(inputs: Any) -> list[Embedding]:
            out = self._flag.model(inputs, return_dense=True, return_sparse=True, return_colbert_vecs=self._multi)
            multi = to_numpy(out["colbert_vecs"]) if self._multi else None
            padded, lengths = inputs["input_ids"].tolist(), inputs["attention_mask"].sum(1).tolist()
            ids = [tokens[:length] for tokens, length in zip(padded, lengths, strict=True)]
            return embeddings(ids, to_numpy(out["dense_vecs"]), to_numpy(out["sparse_vecs"]), multi, self._special)

        return in_batches(self._flag.tokenizer, self._device, texts, self._info.max_tokens, forward)


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
        floor: float = UNMEASURED,
        max_tokens: int = 512,
        pooling: Literal["cls", "mean"] = "cls",
        query_prefix: str = "",
        document_prefix: str = "",
        languages: tuple[str, ...] = (),
    ) -> None:
        self._flag, self._device = load("FlagModel", folder, pooling_method=pooling)
        self._prefixes: dict[Lane, str] = {"query": query_prefix, "document": document_prefix}
        self._info = EmbedderInfo(
            name=name,
            fingerprint=fingerprint(weights_digest(folder), "flag", max_tokens, pooling, query_prefix, document_prefix),
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
            pooled = to_numpy(self._flag.pooling(hidden, inputs["attention_mask"]))
            return [Embedding(vector) for vector in pooled / np.linalg.norm(pooled, axis=1, keepdims=True)]

        prefixed = [self._prefixes[lane] + text for text in texts]
        return in_batches(self._flag.tokenizer, self._device, prefixed, self._info.max_tokens, forward)
