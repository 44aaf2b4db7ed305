"""Embedders in GGUF files (EmbeddingGemma, bge, …) through llama.cpp: dense only."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import llama_cpp
import numpy as np

from vaultbridge.backends.llama_pooled import LlamaPooled
from vaultbridge.core.errors import ModelInvalid
from vaultbridge.core.search import UNMEASURED, EmbedderInfo, Embedding, Lane

_POOLING = {
    "mean": llama_cpp.LLAMA_POOLING_TYPE_MEAN,
    "cls": llama_cpp.LLAMA_POOLING_TYPE_CLS,
    "last": llama_cpp.LLAMA_POOLING_TYPE_LAST,
}
_PREFIXES = {
    "gemma-embedding": ("task: search result | query: ", "title: none | text: "),
    "nomic-bert": ("search_query: ", "search_document: "),
    "nomic-bert-moe": ("search_query: ", "search_document: "),
}
"""What the models of an architecture were trained to see in front of a question and of a document."""
_EDGE = 1 << 20


class LlamaEmbedder:
    """An Embedder on the GGUF file at ``path``; keywords as in ``EmbedderInfo``.

    ``pooling`` None is what the file says; prefixes None are those of its architecture. Raises ModelInvalid.
    """

    def __init__(
        self,
        path: Path,
        *,
        name: str,
        floor: float = UNMEASURED,
        max_tokens: int = 0,
        pooling: Literal["mean", "cls", "last"] | None = None,
        query_prefix: str | None = None,
        document_prefix: str | None = None,
        languages: tuple[str, ...] = (),
        threads: int = 0,
        gpu_layers: int = -1,
    ) -> None:
        asked = _POOLING[pooling] if pooling else llama_cpp.LLAMA_POOLING_TYPE_UNSPECIFIED
        self._model = LlamaPooled(path, pooling=asked, max_tokens=max_tokens, threads=threads, gpu_layers=gpu_layers)
        if self._model.pooling not in _POOLING.values():
            raise ModelInvalid(
                f"{path.name} is no embedder: it does not say how a text becomes one vector.",
                "A chat model is named with --model, a reranker with --reranker.",
            )
        query, document = _PREFIXES.get(self._model.architecture, ("", ""))
        self._prefixes: dict[Lane, str] = {
            "query": query if query_prefix is None else query_prefix,
            "document": document if document_prefix is None else document_prefix,
        }
        begin, end = self._model.vocabulary.frame
        self._begin, self._end = begin, end
        traits = (self._model.pooling, self._model.max_tokens, *self._prefixes.values())
        self._info = EmbedderInfo(
            name=name,
            fingerprint=_fingerprint(path, *traits),
            dimensions=int(llama_cpp.llama_model_n_embd_out(self._model.model)),
            max_tokens=self._model.max_tokens,
            floor=floor,
            languages=languages,
        )

    @property
    def info(self) -> EmbedderInfo:
        """What this embedder is."""
        return self._info

    def embed(self, texts: Sequence[str], lane: Lane) -> list[Embedding]:
        """Embed ``texts``, each behind its lane's prefix."""
        rows = self._model.rows([self._tokens(self._prefixes[lane] + text) for text in texts], self._info.dimensions)
        return [Embedding(row / np.float32(max(float(np.linalg.norm(row)), 1e-12))) for row in rows]

    def _tokens(self, text: str) -> list[int]:
        tokens = self._model.vocabulary.tokenize(text.encode("utf-8", "replace").decode())
        tokens = tokens[: self._info.max_tokens - len(self._begin) - len(self._end)]
        # A model without marks of its own still has to have something to look at.
        return [*self._begin, *tokens, *self._end] or self._model.vocabulary.tokenize(" ")


def _fingerprint(path: Path, *traits: object) -> str:
    """A name for the vector space; of the weights only size and edges are hashed."""
    digest = hashlib.sha256(repr(("llama", *traits)).encode())
    size = path.stat().st_size
    with path.open("rb") as file:
        digest.update(f"{size}".encode() + file.read(_EDGE))
        file.seek(max(0, size - _EDGE))
        digest.update(file.read(_EDGE))
    return digest.hexdigest()[:32]
