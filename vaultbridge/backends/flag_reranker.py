"""FlagEmbedding's rerankers: a cross-encoder (bge-reranker-v2-m3), and a language model (bge-reranker-v2-gemma)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vaultbridge.backends.flag_model import forwarded, in_batches, load, to_numpy
from vaultbridge.backends.token_batches import clean
from vaultbridge.core.errors import ModelInvalid
from vaultbridge.core.search import Vector

_TASK = (
    "Given a query A and a passage B, determine whether the passage contains an answer to the query by providing a "
    "prediction of either 'Yes' or 'No'."
)
"""What bge-reranker-v2-gemma was trained to be asked, to the letter."""


class FlagCrossEncoder:
    """A Reranker on a cross-encoder's ``folder`` by ``FlagReranker``; ``max_tokens`` for question and passage together.

    Raises ModelInvalid.
    """

    def __init__(self, folder: Path, *, name: str, max_tokens: int = 1024) -> None:
        self.name = name
        self._flag, self._device = load("FlagReranker", folder)
        self._max_tokens = max_tokens

    def score(self, question: str, passages: Sequence[str]) -> list[float]:
        """Score each passage between 0 and 1: the sigmoid of the model's logit."""

        def forward(inputs: Any) -> list[float]:
            return _sigmoid(to_numpy(self._flag.model(**inputs, return_dict=True).logits)[:, 0])

        return in_batches(self._flag.tokenizer, self._device, passages, self._max_tokens, forward, question)


class FlagLanguageModel:
    """A Reranker on a language model's ``folder`` by ``FlagLLMReranker``: how probably it would go on with Yes.

    ``max_tokens`` for question and passage together; the question may take three quarters. Raises ModelInvalid.
    """

    def __init__(self, folder: Path, *, name: str, max_tokens: int = 1024) -> None:
        self.name = name
        self._flag, self._device = load("FlagLLMReranker", folder)
        self._max_tokens = max_tokens
        tokenizer = self._flag.tokenizer
        if tokenizer.pad_token_id is None:
            raise ModelInvalid(f"The tokenizer in {folder} has no padding token.", "Choose another reranker.")
        # Whatever the length, the last column is then the one whose logits count.
        tokenizer.padding_side = "left"
        begin = tokenizer.bos_token_id
        self._begin = [] if begin is None or begin == tokenizer.pad_token_id else [begin]
        self._line = self._tokens(["\n"])[0]
        self._task = self._tokens([_TASK])[0]

    def score(self, question: str, passages: Sequence[str]) -> list[float]:
        """Score each passage between 0 and 1: the sigmoid of the logit of Yes."""

        def forward(inputs: Any) -> list[float]:
            # The logits of all positions would be a vocabulary's width each.
            logits = self._flag.model(**inputs, logits_to_keep=1).logits
            return _sigmoid(to_numpy(logits[:, -1, self._flag.yes_loc]))

        if not passages:
            return []
        asked = self._begin + self._tokens(clean([f"A: {question}"]), self._max_tokens * 3 // 4)[0]
        room = self._max_tokens + len(self._line) + len(self._task) - len(asked)
        rows = [
            asked + (self._line + passage)[:room] + self._line + self._task
            for passage in self._tokens(clean([f"B: {passage}" for passage in passages]), self._max_tokens)
        ]
        encoded = {"input_ids": rows, "attention_mask": [[1] * len(row) for row in rows]}
        return forwarded(self._flag.tokenizer, self._device, encoded, forward)

    def _tokens(self, texts: list[str], most: int | None = None) -> list[list[int]]:
        tokens: list[list[int]] = self._flag.tokenizer(
            texts, add_special_tokens=False, truncation=most is not None, max_length=most
        )["input_ids"]
        return tokens


def _sigmoid(logits: Vector) -> list[float]:
    scores: list[float] = ((1 + np.tanh(logits / 2)) / 2).tolist()  # the sigmoid, without its overflow
    return scores
