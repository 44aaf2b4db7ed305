"""A bare llama.cpp context of one sequence, and answers made with a sampler in it."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np
from numpy.typing import NDArray

from vaultbridge.backends.llama_loading import load_model
from vaultbridge.backends.llama_sampler import LlamaSampler
from vaultbridge.core.dialogue import Sampling

CONTEXT = 512


@llama_cpp.llama_log_callback  # type: ignore[untyped-decorator]
def _silent(level: int, text: bytes, _: ctypes.c_void_p) -> None:
    """The library would log to standard error."""


@dataclass(frozen=True)
class Answer:
    """What was said; ``ended``: by the model, not by the limit of tokens."""

    tokens: tuple[int, ...]
    data: bytes
    ended: bool

    @property
    def text(self) -> str:
        return self.data.decode(errors="replace")


class LlamaContext:
    """``answer`` continues a text; ``decode`` and ``logits`` are for those who look closer."""

    def __init__(self, path: Path) -> None:
        llama_cpp.llama_log_set(_silent, ctypes.c_void_p(0))
        self.model: Any = load_model(path)
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = params.n_batch = params.n_ubatch = CONTEXT
        params.n_threads = params.n_threads_batch = 1
        params.swa_full = True
        self.context: Any = llama_cpp.llama_init_from_model(self.model, params)
        self.vocabulary: Any = llama_cpp.llama_model_get_vocab(self.model)
        self.size = int(llama_cpp.llama_vocab_n_tokens(self.vocabulary))
        self.position = 0

    def tokenize(self, text: str) -> list[int]:
        data = text.encode()
        buffer = (llama_cpp.llama_token * (len(data) + 8))()
        count = llama_cpp.llama_tokenize(self.vocabulary, data, len(data), buffer, len(buffer), False, False)
        return list(buffer[:count])

    def piece(self, token: int) -> bytes:
        buffer = ctypes.create_string_buffer(256)
        length = llama_cpp.llama_token_to_piece(self.vocabulary, token, buffer, len(buffer), 0, True)
        return buffer.raw[:length]

    def is_end(self, token: int) -> bool:
        return bool(llama_cpp.llama_vocab_is_eog(self.vocabulary, token))

    def ends(self) -> list[int]:
        return [token for token in range(self.size) if self.is_end(token)]

    def start(self, text: str, *, every: bool = False) -> int:
        """Begin anew with a text; the row of its last token, and of ``every`` one before it, can be sampled from."""
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self.context), True)
        self.position = 0
        bos = llama_cpp.llama_vocab_bos(self.vocabulary)
        return self.decode([bos, *self.tokenize(text)], every=every)

    def decode(self, tokens: Sequence[int], *, every: bool = False) -> int:
        """Append tokens; the row of the last one."""
        batch = llama_cpp.llama_batch_init(len(tokens), 0, 1)
        batch.n_tokens = len(tokens)
        for i, token in enumerate(tokens):
            batch.token[i], batch.pos[i] = token, self.position + i
            batch.logits[i] = every or i == len(tokens) - 1
            batch.n_seq_id[i], batch.seq_id[i][0] = 1, 0
        assert llama_cpp.llama_decode(self.context, batch) == 0
        llama_cpp.llama_batch_free(batch)
        self.position += len(tokens)
        return len(tokens) - 1

    def logits(self, row: int) -> NDArray[np.float32]:
        pointer = llama_cpp.llama_get_logits_ith(self.context, row)
        return np.ctypeslib.as_array(pointer, (self.size,)).copy()

    def sampler(self, sampling: Sampling) -> LlamaSampler:
        return LlamaSampler(self.model, self.context, sampling)

    def answer(self, prompt: str, sampling: Sampling, most: int = 12) -> Answer:
        row = self.start(prompt)
        sampler = self.sampler(sampling)
        said: list[int] = []
        try:
            while len(said) < most:
                token = sampler.sample(row)
                if self.is_end(token):
                    return Answer(tuple(said), b"".join(map(self.piece, said)), ended=True)
                said.append(token)
                row = self.decode([token])
        finally:
            sampler.close()
        return Answer(tuple(said), b"".join(map(self.piece, said)), ended=False)

    def close(self) -> None:
        llama_cpp.llama_free(self.context)
        llama_cpp.llama_model_free(self.model)
