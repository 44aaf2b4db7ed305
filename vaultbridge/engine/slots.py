"""The KV cache as the scheduler sees it: what each slot holds, what can be reused, what may go.

Every change goes through here to the model's cache, so that the two never differ. Cells are counted as llama.cpp's
unified cache takes them: a prefix that is copied to another slot shares its cells.
"""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Sequence as TokenSequence
from dataclasses import dataclass, field

import numpy as np

from vaultbridge.core.ports import KVCache
from vaultbridge.engine.sequence import Tokens, common_prefix

KEPT_TAIL = 64
"""A cached tail of more tokens than this is worth keeping when another prompt shares only what stands before it."""


@dataclass(eq=False, slots=True)
class Slot:
    """One sequence of the cache. ``sources`` name the notes in it; a ``doomed`` one is emptied when it is free."""

    index: int
    tokens: Tokens
    cells: Tokens
    length: int = 0
    busy: bool = False
    doomed: bool = False
    used: int = 0
    sources: frozenset[str] = field(default_factory=frozenset)

    @property
    def cached(self) -> Tokens:
        """The tokens whose keys and values are in the cache."""
        return self.tokens[: self.length]


class Slots:
    """All slots over one cache."""

    def __init__(self, cache: KVCache, context: int) -> None:
        self._cache = cache
        self._slots = [
            Slot(index, np.zeros(context, np.int32), np.zeros(context, np.int32)) for index in range(cache.slots)
        ]
        self._free = list(range(cache.capacity))
        self._shares = np.zeros(cache.capacity, np.int32)
        self._ticks = 0

    def __getitem__(self, index: int) -> Slot:
        return self._slots[index]

    def __len__(self) -> int:
        return len(self._slots)

    @property
    def capacity(self) -> int:
        """Cells of all slots together."""
        return len(self._shares)

    @property
    def free(self) -> int:
        """Cells that nobody uses."""
        return len(self._free)

    @property
    def claimable(self) -> int:
        """Cells that are free or would be, were every idle slot emptied."""
        busy = [slot.cells[: slot.length] for slot in self._slots if slot.busy]
        return self.capacity - (len(np.unique(np.concatenate(busy))) if busy else 0)

    def best(self, prompt: Tokens) -> tuple[Slot | None, int]:
        """The slot that shares the longest beginning with ``prompt``, and its length; an idle one among equals."""
        found: Slot | None = None
        longest = 0
        for slot in self._slots:
            shared = 0 if slot.doomed else common_prefix(slot.cached, prompt)
            if shared > longest or (found and shared == longest > 0 and found.busy and not slot.busy):
                found, longest = slot, shared
        return found, longest

    def claim(self, prompt: Tokens, sources: frozenset[str]) -> tuple[Slot, int] | None:
        """A slot for ``prompt``, with as much of it cached as there is but for its last token, whose logits are due.

        None if every slot is busy.
        """
        source, shared = self.best(prompt)
        shared = min(shared, len(prompt) - 1)
        idle = [slot for slot in self._slots if not slot.busy and slot is not source]
        if source is not None and not source.busy and (source.length - shared <= KEPT_TAIL or not idle):
            slot = source
            self.truncate(slot, shared)
        elif idle:
            slot = min(idle, key=lambda slot: (slot.length > 0, slot.used))
            self.truncate(slot, 0)
            if source is not None and shared:
                self._copy(source, slot, shared)
        else:
            return None
        slot.busy = True
        slot.sources = sources if not slot.length else slot.sources | sources
        return slot, slot.length

    def release(self, slot: Slot) -> None:
        """Nobody works on a slot any more; what it holds stays for the next prompt that begins with it."""
        self._ticks += 1
        slot.busy, slot.used = False, self._ticks
        if slot.doomed:
            self.truncate(slot, 0)
            slot.doomed = False

    def extend(self, slot: Slot, tokens: TokenSequence[int]) -> None:
        """``tokens`` were decoded into a slot; there were enough free cells."""
        count = len(tokens)
        cells = self._free[len(self._free) - count :]
        del self._free[len(self._free) - count :]
        self._shares[cells] = 1
        slot.tokens[slot.length : slot.length + count] = tokens
        slot.cells[slot.length : slot.length + count] = cells
        slot.length += count

    def truncate(self, slot: Slot, length: int) -> None:
        """Forget a slot from ``length`` on; if the model cannot do that, all of it."""
        if length >= slot.length:
            return
        if not self._cache.truncate(slot.index, length):
            length = 0
        self._drop(slot, length)

    def restore(self, slot: Slot) -> None:
        """After a failed decode call the cache may hold more than was agreed: cut it back."""
        if not self._cache.truncate(slot.index, slot.length):
            self._drop(slot, 0)

    def make_room(self, cells: int) -> bool:
        """Empty idle slots, least recently used first, until so many cells are free; False if they do not suffice."""
        for slot in sorted(self._slots, key=lambda slot: slot.used):
            if self.free >= cells:
                return True
            if not slot.busy:
                self.truncate(slot, 0)
        return self.free >= cells

    def forget(self, sources: Collection[str]) -> None:
        """Empty every slot that holds one of these sources' notes; a busy one when it is free, and nobody copies it."""
        for slot in self._slots:
            if not slot.sources.isdisjoint(sources):
                if slot.busy:
                    slot.doomed = True
                else:
                    self.truncate(slot, 0)

    def _copy(self, source: Slot, target: Slot, length: int) -> None:
        if self._cache.copy(source.index, target.index, length):
            target.tokens[:length] = source.tokens[:length]
            target.cells[:length] = source.cells[:length]
            self._shares[target.cells[:length]] += 1
            target.length, target.sources = length, source.sources

    def _drop(self, slot: Slot, length: int) -> None:
        cells = slot.cells[length : slot.length]
        self._shares[cells] -= 1
        self._free.extend(cells[self._shares[cells] == 0].tolist())
        slot.length = length
        if not length:
            slot.sources = frozenset()
