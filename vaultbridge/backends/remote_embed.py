"""Embedders behind OpenAI's ``/v1/embeddings``: llama-server, Ollama, LM Studio, vLLM, OpenAI, …"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from typing import Any

import httpx
import numpy as np

from vaultbridge.backends.remote import Remote
from vaultbridge.core.errors import EmbedFailed
from vaultbridge.core.search import EmbedderInfo, Embedding, Lane, Vector

_TEXTS = 32
_SECONDS = 60.0
_ATTEMPTS = 3
_CHARACTERS_PER_TOKEN = 4


class RemoteEmbedder:
    """An Embedder at ``address``; the server is asked for ``model``. Other keywords as in ``EmbedderInfo``.

    Its dimensions are learned when it is loaded. ``max_tokens`` are four characters each: the vocabulary is elsewhere.
    Raises EmbedFailed if the server is away, ConfigError if it refuses.
    """

    def __init__(
        self,
        address: str,
        *,
        name: str,
        model: str = "",
        key: str = "",
        floor: float = 0.0,
        max_tokens: int = 2048,
        query_prefix: str = "",
        document_prefix: str = "",
        languages: tuple[str, ...] = (),
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._remote = Remote(address, key, seconds=_SECONDS, attempts=_ATTEMPTS, transport=transport, sleep=sleep)
        self._model = model
        self._characters = max_tokens * _CHARACTERS_PER_TOKEN
        self._prefixes: dict[Lane, str] = {"query": query_prefix, "document": document_prefix}
        self._dimensions = 0
        (probe,) = self._vectors(["dimensions"])
        self._dimensions = len(probe)
        traits = (address.rstrip("/"), model, self._dimensions, max_tokens, query_prefix, document_prefix)
        self._info = EmbedderInfo(
            name=name,
            fingerprint=hashlib.sha256(repr(("remote", *traits)).encode()).hexdigest()[:32],
            dimensions=self._dimensions,
            max_tokens=max_tokens,
            floor=floor,
            languages=languages,
        )

    @property
    def info(self) -> EmbedderInfo:
        """What this embedder is."""
        return self._info

    def embed(self, texts: Sequence[str], lane: Lane) -> list[Embedding]:
        """Embed ``texts``, each behind its lane's prefix. Raises EmbedFailed or ConfigError."""
        sent = [self._sent(self._prefixes[lane] + text) for text in texts]
        return [
            Embedding(vector) for at in range(0, len(sent), _TEXTS) for vector in self._vectors(sent[at : at + _TEXTS])
        ]

    def _sent(self, text: str) -> str:
        # Servers refuse the empty text, and text that is no UTF-8.
        return text[: self._characters].encode("utf-8", "replace").decode() or " "

    def _vectors(self, texts: Sequence[str]) -> list[Vector]:
        body: dict[str, Any] = {"model": self._model, "input": list(texts), "encoding_format": "float"}
        reply = self._remote.post("embeddings", body)
        try:
            items = sorted(reply["data"], key=lambda item: item["index"])
            rows = [np.asarray(item["embedding"], np.float32) for item in items]
        except (KeyError, TypeError, ValueError):
            raise EmbedFailed("The remote embedder's reply is not OpenAI's.", "Check the address.") from None
        if len(rows) != len(texts) or any(row.ndim != 1 or not np.isfinite(row).all() for row in rows):
            raise EmbedFailed(f"The remote embedder sent {len(rows)} vectors for {len(texts)} texts, or no numbers.")
        if self._dimensions and any(len(row) != self._dimensions for row in rows):
            raise EmbedFailed(
                f"The remote embedder's vectors had {self._dimensions} dimensions and now have {len(rows[0])}.",
                "Another model is loaded there: restart vaultbridge.",
            )
        return [row / np.float32(max(float(np.linalg.norm(row)), 1e-12)) for row in rows]
