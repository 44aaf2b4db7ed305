"""Models for ``train data``, named ``tests.lab.training.asking:Class``: one asks of a note in its own words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vaultbridge.backends.fakes.decoder import END, FakeDecoder, FakeSampler
from vaultbridge.backends.fakes.embedder import FakeEmbedder
from vaultbridge.chat.language import ENGLISH
from vaultbridge.core.dialogue import Sampling
from vaultbridge.lab.training.near import words


def asked_of(passage: str) -> str:
    """What the model says to a passage; its last letter decides whether that is good for anything.

    It is short, since a token of the fake is a byte.
    """
    said = words(passage)
    if said[-1][-1] == "a":
        return "I do not know."
    if said[-1][-1] == "e":
        return "Where is the quarterly zeppelin?"
    if said[-1][-1] == "i":
        return f"{' '.join(said[-6:])}?"
    return f"Q: Why {' '.join(said[-1:-16:-4])}?\nSo it is."


class Asking(FakeDecoder):
    """Asks of the note in its prompt, under the options of a real model."""

    def __init__(self, path: Path, *, name: str, context: int, slots: int, cache: int, batch: int, **_: Any) -> None:
        super().__init__(name, context, slots=slots, cache=cache, batch=batch)

    def sampler(self, sampling: Sampling) -> FakeSampler:
        return _Asking(self, sampling)


class _Asking(FakeSampler):
    def sample(self, row: int) -> int:
        if not self._answer:
            self._prompt = self._decoder.context_of(row)
            shown = bytes(self._prompt).decode().rpartition(ENGLISH.opening)[2]
            passage = shown.rpartition("\n<assistant>")[0].rpartition("\n")[0]
            self._answer = [*asked_of(passage).encode(), END]
        return super().sample(row)


class Embedding(FakeEmbedder):
    """The fake embedder under the options of a real one."""

    def __init__(self, path: Path, *, name: str) -> None: ...
