"""The tokens among which llama.cpp's samplers choose."""

from __future__ import annotations

import ctypes
from typing import Any

import llama_cpp
import numpy as np
from numpy.typing import NDArray

Tokens = NDArray[np.int64]
Logits = NDArray[np.float32]
_CANDIDATE = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])
"""llama.cpp's ``llama_token_data``."""


class Candidates:
    """A ``llama_token_data_array`` over memory that is used again for every token."""

    def __init__(self) -> None:
        self._grow(64)

    def _grow(self, size: int) -> None:
        self._room = np.zeros(size, _CANDIDATE)
        self._data = ctypes.cast(self._room.ctypes.data, llama_cpp.llama_token_data_p)

    def filled(self, tokens: Tokens, logits: Logits | float) -> Any:
        """These tokens with these logits, one for each or one for all; valid until the next call."""
        if len(tokens) > len(self._room):
            self._grow(2 * len(tokens))
        self._room["id"][: len(tokens)] = tokens
        self._room["logit"][: len(tokens)] = logits
        return llama_cpp.llama_token_data_array(data=self._data, size=len(tokens), selected=-1, sorted=False)

    def logits(self, count: int) -> Logits:
        """What a sampler made of the first ``count`` logits."""
        logits: Logits = self._room["logit"][:count]
        return logits
