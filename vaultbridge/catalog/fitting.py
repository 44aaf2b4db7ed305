"""How a model is run on this computer: as much context, as many conversations and GPU layers as fit."""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass

from vaultbridge.catalog.footprint import Footprint, Use
from vaultbridge.catalog.gguf_header import GgufHeader
from vaultbridge.core.machine import Memory

USUAL_CONTEXT = 8192
"""Enough for a question, its notes, its answer, and some turns before."""
LARGE_CONTEXTS = (32_768, 16_384)
SMALL_CONTEXTS = (8192, 4096, 2048)
CHEAP = 8
"""A context beyond the usual one is taken if its cache is no more than this part of the room."""
MOST_SLOTS = 8
SLOT_TOKENS = 512
"""What a conversation takes of the cache at the least."""
ROOM_PERCENT = 90
"""Of the memory that is available; what else runs may want the rest."""
ALL_LAYERS = -1


@dataclass(frozen=True, slots=True)
class Wish:
    """What the settings say: 0, and -1 for the layers, is left open."""

    context: int = 0
    slots: int = 0
    cache: int = 0
    gpu_layers: int = ALL_LAYERS
    cache_type: str = "f16"
    swa_full: bool = True
    batch: int = 512


@dataclass(frozen=True, slots=True)
class Plan:
    """How a model will be run. ``cache`` in tokens of all slots; ``room`` in bytes, which ``footprint`` may pass."""

    context: int
    slots: int
    cache: int
    gpu_layers: int
    layers: int
    footprint: Footprint
    room: int

    @property
    def fits(self) -> bool:
        """Whether it will not push out what else runs."""
        return self.footprint.needed <= self.room


def plan(header: GgufHeader, memory: Memory, wish: Wish, others: int = 0, repacked: Set[str] = frozenset()) -> Plan:
    """The most generous way that fits beside ``others``, bytes of models that run too; the smallest if none does.

    What ``wish`` says is kept to, but for a context longer than the model was trained on; ``repacked`` as in Footprint.
    Raises ModelInvalid.
    """
    trained = header.get("context_length", 0) or USUAL_CONTEXT
    room = room_of(memory) - others
    ways = [_way(header, memory, wish, context, cells, room, repacked) for context, cells in _sizes(trained, wish)]
    for way in ways:
        cheap = way.context <= USUAL_CONTEXT or wish.context or way.footprint.cache * CHEAP <= room
        if way.fits and cheap:
            return way
    return ways[-1]


def _sizes(trained: int, wish: Wish) -> Iterator[tuple[int, int]]:
    """Contexts and caches in tokens, the largest first; none of it passes what the model was trained on."""
    if wish.context:
        context = min(wish.context, trained)
        yield context, max(wish.cache or 2 * context, context)
        yield context, max(wish.cache, context)
        return
    for context in LARGE_CONTEXTS:
        if context <= trained:
            yield context, max(wish.cache or 2 * context, context)
    usual = min(USUAL_CONTEXT, trained)
    yield usual, max(wish.cache or 2 * usual, usual)
    for context in SMALL_CONTEXTS:
        yield min(context, trained), max(wish.cache, min(context, trained))


def _way(
    header: GgufHeader, memory: Memory, wish: Wish, context: int, cells: int, room: int, repacked: Set[str]
) -> Plan:
    slots = wish.slots or max(1, min(MOST_SLOTS, cells // SLOT_TOKENS))
    footprint = Footprint.of(header, Use(cells, slots, wish.cache_type, wish.swa_full, wish.batch), repacked)
    layers = header.get("block_count", 0)
    on_gpu = wish.gpu_layers if wish.gpu_layers != ALL_LAYERS else _gpu_layers(footprint, layers, memory)
    return Plan(context, slots, cells, on_gpu, layers, footprint, room)


def room_of(memory: Memory) -> int:
    """Bytes that models may take."""
    return (memory.available + memory.gpu) * ROOM_PERCENT // 100


def _gpu_layers(footprint: Footprint, layers: int, memory: Memory) -> int:
    """All, if there is a GPU that shares the memory, or one that holds them; else so many as it holds; none without."""
    if memory.shared:
        return ALL_LAYERS
    room = memory.gpu * ROOM_PERCENT // 100 - footprint.work
    split = footprint.weights + footprint.cache
    if room >= split:
        return ALL_LAYERS
    return max(0, room) * layers // max(split, 1)
