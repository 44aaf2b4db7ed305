"""Which Gemma of the catalogue is the best that this computer runs well."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from vaultbridge.catalog.catalog import Entry
from vaultbridge.catalog.fitting import room_of
from vaultbridge.catalog.speed import seconds
from vaultbridge.core.machine import Memory

READING = 5.0
"""Tokens a second at which most people read: an answer that is slower is waited for."""
_FAMILY = "gemma"
_TYPE = "q4_0"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model and how it would run: ``speed`` in tokens a second, None on a GPU; no ``obstacle``: it runs well."""

    entry: Entry
    speed: float | None
    obstacle: str


@dataclass(frozen=True, slots=True)
class Recommendation:
    """``best`` is the largest that runs well, or else the smallest; ``others``, largest first, say why not."""

    best: Candidate
    others: tuple[Candidate, ...]


def recommend(entries: Iterable[Entry], memory: Memory, bandwidth: float, threads: int) -> Recommendation:
    """Choose among the Gemmas that chat; ``bandwidth`` in bytes a second. A GPU that holds a model is fast enough."""
    gemmas = [entry for entry in entries if entry.role == "chat" and entry.name.startswith(_FAMILY)]
    candidates = [
        _candidate(entry, memory, bandwidth, threads)
        for entry in sorted(gemmas, key=lambda entry: entry.size, reverse=True)
    ]
    best = next((candidate for candidate in candidates if not candidate.obstacle), candidates[-1])
    return Recommendation(best, tuple(candidate for candidate in candidates if candidate is not best))


def _candidate(entry: Entry, memory: Memory, bandwidth: float, threads: int) -> Candidate:
    room = room_of(memory)
    on_gpu = memory.shared or memory.gpu >= entry.memory
    speed = None if on_gpu else 1 / seconds(entry.size - entry.looked_up, _TYPE, bandwidth, threads)
    if entry.memory > room:
        return Candidate(entry, speed, f"takes {entry.memory / 1e9:.1f} GB, and {room / 1e9:.1f} GB are free for it")
    if speed is not None and speed < READING:
        return Candidate(entry, speed, f"about {speed:.1f} tokens/s, slower than one reads")
    return Candidate(entry, speed, "")
