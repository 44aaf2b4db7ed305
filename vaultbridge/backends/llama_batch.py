"""llama.cpp's batch over numpy arrays."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import llama_cpp
import numpy as np

from vaultbridge.core.ports import Segment


class Batch:
    """``struct`` is llama.cpp's; its fields are filled a segment at a time instead of token by token."""

    def __init__(self, size: int) -> None:
        self._token = np.zeros(size, np.int32)
        self._pos = np.zeros(size, np.int32)
        self._logits = np.zeros(size, np.int8)
        self._seq = np.zeros(size, np.int32)
        self._count = np.ones(size, np.int32)
        # Each token's list of sequences has one member, which lies in ``_seq``.
        step = self._seq.itemsize
        self._lists = (np.arange(size) * step + self._seq.ctypes.data).astype(np.uintp)
        self.struct = llama_cpp.llama_batch()
        for name, array in (
            ("token", self._token),
            ("pos", self._pos),
            ("n_seq_id", self._count),
            ("seq_id", self._lists),
            ("logits", self._logits),
        ):
            kind = dict(llama_cpp.llama_batch._fields_)[name]
            setattr(self.struct, name, ctypes.cast(array.ctypes.data, kind))

    def fill(self, segments: Sequence[Segment]) -> None:
        """Let ``struct`` hold these tokens and no others."""
        at = 0
        for segment in segments:
            end = at + len(segment.tokens)
            self._token[at:end] = segment.tokens
            self._pos[at:end] = np.arange(segment.position, segment.position + end - at)
            self._seq[at:end] = segment.slot
            self._logits[at : end - segment.outputs] = 0
            self._logits[end - segment.outputs : end] = 1
            at = end
        self.struct.n_tokens = at
