"""A GGUF model of which each text leaves one row of numbers, its tokens pooled by llama.cpp."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np

from vaultbridge.backends.cores import physical_cores
from vaultbridge.backends.llama_batch import Batch
from vaultbridge.backends.llama_loading import load_model, open_context
from vaultbridge.backends.llama_vocabulary import LlamaVocabulary
from vaultbridge.core.errors import EmbedFailed
from vaultbridge.core.ports import Segment
from vaultbridge.core.search import Vector

SEQUENCES = 16
"""Texts in one call at the most."""
MOST_TOKENS = 2048
"""Tokens in one call where the caller sets no limit: what a call needs of memory grows with them."""

_STEP = 256
"""llama.cpp ends the process if a call's size cannot be shared by the sequences; its caches grow in such steps."""


class LlamaPooled:
    """``pooling`` is one of llama.cpp's types. ``max_tokens``, at most the trained context, bounds a text.

    llama.cpp ends the process where a text is longer than what it has room for: callers cut, and ``rows`` refuses.
    """

    def __init__(
        self, path: Path, *, pooling: int, max_tokens: int = 0, threads: int = 0, gpu_layers: int = -1
    ) -> None:
        self.model: Any = load_model(path, gpu_layers=gpu_layers)
        trained = llama_cpp.llama_model_n_ctx_train(self.model) or MOST_TOKENS
        self.max_tokens = min(max_tokens or MOST_TOKENS, trained)
        params = llama_cpp.llama_context_default_params()
        # A model that looks both ways has to see the whole text at once: no part of a call is computed by itself.
        self._room = -(-self.max_tokens // _STEP) * _STEP
        params.n_ctx = params.n_batch = params.n_ubatch = self._room
        params.n_seq_max = SEQUENCES
        params.kv_unified = True
        params.embeddings = True
        # Its half-precision keys would make a text's numbers depend on what else is in the call.
        params.flash_attn_type = llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED
        params.pooling_type = pooling
        params.n_threads = params.n_threads_batch = threads or physical_cores()
        self._context = open_context(self.model, params, path, "Free some memory.")
        self.vocabulary = LlamaVocabulary(llama_cpp.llama_model_get_vocab(self.model))
        self._memory = llama_cpp.llama_get_memory(self._context)
        self._batch = Batch(self._room)

    @property
    def architecture(self) -> str:
        """The model's kind, as the file names it."""
        buffer = ctypes.create_string_buffer(64)
        llama_cpp.llama_model_meta_val_str(self.model, b"general.architecture", buffer, len(buffer))
        return buffer.value.decode()

    @property
    def pooling(self) -> int:
        """How its tokens are pooled: as was asked, or as the file says where that was left open."""
        return int(llama_cpp.llama_pooling_type(self._context))

    def rows(self, texts: Sequence[Sequence[int]], width: int) -> list[Vector]:
        """The first ``width`` numbers of each text, in their order. Raises EmbedFailed."""
        found: list[Vector] = [np.zeros(0, np.float32)] * len(texts)
        for batch in self._batches([len(tokens) for tokens in texts]):
            self._batch.fill([Segment(slot, 0, texts[row], len(texts[row])) for slot, row in enumerate(batch)])
            status = llama_cpp.llama_decode(self._context, self._batch.struct)
            if status != 0:
                raise EmbedFailed(f"llama.cpp could not read {len(batch)} texts (status {status}).")
            for slot, row in enumerate(batch):
                numbers = llama_cpp.llama_get_embeddings_seq(self._context, slot)
                found[row] = np.ctypeslib.as_array(numbers, (width,)).copy()
            if self._memory:
                llama_cpp.llama_memory_clear(self._memory, True)
        return found

    def _batches(self, lengths: Sequence[int]) -> Iterator[list[int]]:
        """Indices of texts that fit into one call. Raises EmbedFailed if one does not."""
        batch: list[int] = []
        room = self._room
        for row in sorted(range(len(lengths)), key=lambda row: -lengths[row]):
            if not 0 < lengths[row] <= self.max_tokens:
                raise EmbedFailed(f"A text of {lengths[row]} tokens, where 1 to {self.max_tokens} are possible.")
            if len(batch) == SEQUENCES or lengths[row] > room:
                yield batch
                batch, room = [], self._room
            batch.append(row)
            room -= lengths[row]
        if batch:
            yield batch
