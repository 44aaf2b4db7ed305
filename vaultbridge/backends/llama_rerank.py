"""Rerankers in GGUF files (bge-reranker-v2-m3, Qwen3-Reranker, …) through llama.cpp's rank pooling."""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from pathlib import Path

import llama_cpp
import numpy as np

from vaultbridge.backends.llama_pooled import LlamaPooled
from vaultbridge.core.errors import ModelInvalid

_HEADS = ("cls.weight", "cls.output.weight")
_HEADER_BYTES = 1 << 26
"""The names of a file's tensors stand behind its vocabulary, which is some megabytes long."""


class LlamaReranker:
    """A Reranker on the GGUF file at ``path``; ``max_tokens`` for question and passage together.

    The question may take three quarters of them. Raises ModelInvalid.
    """

    def __init__(
        self, path: Path, *, name: str, max_tokens: int = 1024, threads: int = 0, gpu_layers: int = -1
    ) -> None:
        if not _has_head(path):
            # Without one llama.cpp would pool what is no score.
            raise ModelInvalid(f"{path.name} is no reranker: it has no classification head.", "Choose another file.")
        self.name = name
        rank = llama_cpp.LLAMA_POOLING_TYPE_RANK
        self._model = LlamaPooled(path, pooling=rank, max_tokens=max_tokens, threads=threads, gpu_layers=gpu_layers)
        self._outputs = int(llama_cpp.llama_model_n_cls_out(self._model.model))
        if self._outputs not in (1, 2):
            raise ModelInvalid(f"{path.name} sorts into {self._outputs} classes and is no reranker.", "Choose another.")
        template = llama_cpp.llama_model_chat_template(self._model.model, b"rerank")
        self._template = template.decode() if template else ""

    def score(self, question: str, passages: Sequence[str]) -> list[float]:
        """Score each passage between 0 and 1: the sigmoid of the model's logit, or its probability of yes."""
        asked = self._tokens(question)[: self._model.max_tokens * 3 // 4]
        rows = self._model.rows([self._pair(asked, self._tokens(passage)) for passage in passages], self._outputs)
        if self._outputs == 2:  # the graph of these ends in a softmax, of yes and no
            return [float(row[0]) for row in rows]
        return [float((1 + np.tanh(row[0] / 2)) / 2) for row in rows]

    def _tokens(self, text: str) -> list[int]:
        return self._model.vocabulary.tokenize(text.encode("utf-8", "replace").decode())

    def _pair(self, question: list[int], passage: list[int]) -> list[int]:
        """Both in one text, as the model was trained to see them; the passage is cut."""
        pieces: list[list[int] | None] = []
        if self._template:
            for part in _parts(self._template):
                known = {"{query}": question, "{document}": None}
                pieces.append(known[part] if part in known else self._model.vocabulary.tokenize(part, special=True))
        else:
            begin, end, between = self._model.vocabulary.separators
            pieces = [begin, question, end, between, None, end]
        room = self._model.max_tokens - sum(len(piece) for piece in pieces if piece is not None)
        return [token for piece in pieces for token in (passage[: max(0, room)] if piece is None else piece)]


def _parts(template: str) -> list[str]:
    """A template's text and its two gaps, in their order."""
    before, query, rest = template.partition("{query}")
    text, document, after = rest.partition("{document}")
    return [part for part in (before, query, text, document, after) if part]


def _has_head(path: Path) -> bool:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        marks = (len(name).to_bytes(8, "little") + name.encode() for name in _HEADS)
        return any(content.find(mark, 0, _HEADER_BYTES) >= 0 for mark in marks)
