"""Embedders behind OpenAI's ``/v1/embeddings``: llama-server, Ollama, LM Studio, vLLM, OpenAI, …"""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Callable, Sequence
from typing import Any

import httpx
import numpy as np

from vaultbridge.backends.remote import Refused, Remote
from vaultbridge.core.errors import EmbedFailed
from vaultbridge.core.search import UNMEASURED, EmbedderInfo, Embedding, Lane, Vector

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
        floor: float = UNMEASURED,
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
        self._at_once = _TEXTS
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
        found: list[Embedding] = []
        while len(found) < len(sent):
            some = sent[len(found) :][: self._at_once]
            try:
                found += map(Embedding, self._vectors(some))
            except Refused:
                if len(some) == 1:
                    raise
                self._at_once = len(some) // 2  # servers have limits of their own, and do not name them alike
        return found

    def _sent(self, text: str) -> str:
        # Servers refuse the empty text, and text that is no UTF-8.
        return text[: self._characters].encode("utf-8", "replace").decode() or " "

    def _vectors(self, texts: Sequence[str]) -> list[Vector]:
        body: dict[str, Any] = {"model": self._model, "input": list(texts), "encoding_format": "float"}
        reply = self._remote.post("embeddings", body)
        try:
            items = sorted(reply["data"], key=lambda item: item["index"])
            rows = [_numbers(item["embedding"]) for item in items]
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


def _numbers(embedding: Any) -> Vector:
    """A list of numbers, or the base64 of little-endian 32-bit floats, which some servers send unasked."""
    if isinstance(embedding, str):
        return np.frombuffer(base64.b64decode(embedding, validate=True), "<f4")
    return np.asarray(embedding, np.float32)
