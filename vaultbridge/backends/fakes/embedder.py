"""An embedder without a model: shared words make texts similar."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

import numpy as np

from vaultbridge.core.search import EmbedderInfo, Embedding, Lane

_DIMENSIONS = 64
_MAX_TOKENS = 512
_WORD = re.compile(
    r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]|[^\W\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+"
)
"""A word, or a single Chinese, Japanese or Korean character, which stand without spaces."""
_BACKGROUND = 0.02
"""A little of every direction, so that a text without words has a vector too."""


class FakeEmbedder:
    """A deterministic Embedder: each word adds 1 to the dimension that its hash names; the lanes are alike."""

    @property
    def info(self) -> EmbedderInfo:
        """What this embedder is."""
        return EmbedderInfo("fake", "fake-1", _DIMENSIONS, _MAX_TOKENS, floor=0.2)

    def embed(self, texts: Sequence[str], lane: Lane) -> list[Embedding]:
        """Embed ``texts``: dense only, ``(64,)`` each."""
        return [_embed(text) for text in texts]


def _embed(text: str) -> Embedding:
    vector = np.full(_DIMENSIONS, _BACKGROUND, dtype=np.float32)
    for word in _WORD.findall(text.lower())[:_MAX_TOKENS]:
        digest = hashlib.blake2b(word.encode(), digest_size=4).digest()
        vector[int.from_bytes(digest, "little") % _DIMENSIONS] += 1
    return Embedding(vector / np.linalg.norm(vector))
