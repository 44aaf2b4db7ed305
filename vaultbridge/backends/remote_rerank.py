"""Rerankers behind ``/v1/rerank``, as Jina and Cohere made it: theirs, llama-server's, vLLM's, our own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx
import numpy as np

from vaultbridge.backends.remote import Remote
from vaultbridge.core.errors import EmbedFailed

_SECONDS = 10.0


class RemoteReranker:
    """A Reranker at ``address``; the server is asked for ``model``.

    Nothing is asked twice: somebody waits for the answer, and has a ranking already.
    """

    def __init__(
        self,
        address: str,
        *,
        name: str,
        model: str = "",
        key: str = "",
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.name = name
        self._model = model
        self._remote = Remote(address, key, seconds=_SECONDS, attempts=1, transport=transport)

    def score(self, question: str, passages: Sequence[str]) -> list[float]:
        """Score each passage between 0 and 1. Raises EmbedFailed or ConfigError.

        Some servers (llama-server) send logits: where one of a reply's scores cannot be a probability, all are taken
        for logits.
        """
        if not passages:
            return []
        body: dict[str, Any] = {
            "model": self._model,
            "query": _clean(question) or " ",
            "documents": [_clean(passage) or " " for passage in passages],
            "top_n": len(passages),
            "return_documents": False,
        }
        scores = _scores(self._remote.post("rerank", body), len(passages))
        if scores.min() < 0 or scores.max() > 1:
            scores = (1 + np.tanh(scores / 2)) / 2
        return [float(score) for score in scores]


def _scores(reply: Any, count: int) -> Any:
    """The scores by their passages' indices."""
    scores = np.full(count, np.nan)
    try:
        for result in reply["results"]:
            scores[result["index"]] = result["relevance_score"]
    except (KeyError, IndexError, TypeError, ValueError):
        raise EmbedFailed("The remote reranker's reply is none of the known ones.", "Check the address.") from None
    if not np.isfinite(scores).all():
        raise EmbedFailed(f"The remote reranker did not score all of the {count} passages.")
    return scores


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
