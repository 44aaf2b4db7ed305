"""Texts that say nearly the same in nearly the same words."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Generic, TypeVar
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from vaultbridge.vault.measure import WIDE

NEAR = 0.6
"""The part of their shingles that two texts must share: one sentence of three may be another one."""
SHINGLE = 3
"""Words of a shingle."""
SKETCH = 8
"""Two texts that share ``NEAR`` of their shingles have none of their so many least in common in one case of a
thousand."""

_WORD = re.compile(rf"[{WIDE}]|[^\W_{WIDE}]+")

Key = TypeVar("Key")
Shingles = NDArray[np.uint32]


def words(text: str) -> list[str]:
    """A text's words, folded; a character of a script without spaces is one."""
    return _WORD.findall(text.casefold())


def shingles(text: str) -> Shingles:
    """The hashes of each three words that stand together, sorted, each once; a shorter text is one shingle."""
    said = words(text)
    runs = (said[at : at + SHINGLE] for at in range(max(1, len(said) - SHINGLE + 1)))
    return np.unique(np.fromiter((crc32(" ".join(run).encode()) for run in runs), np.uint32))


def are_near(one: Shingles, other: Shingles) -> bool:
    """Whether two texts share so much that one repeats the other: by Jaccard's measure (Broder, SEQUENCES 1997)."""
    shared = len(np.intersect1d(one, other, assume_unique=True))
    return shared >= NEAR * (len(one) + len(other) - shared)


class Shelf(Generic[Key]):
    """Texts by their keys, among which those that are near to another one are found without looking at each.

    They stand under the least of their hashes, a sketch by which two texts meet as likely as they are alike (Broder's
    bottom-k MinHash); who meets there is compared in full. A text that is there to the letter stands once.
    """

    def __init__(self) -> None:
        self._texts: dict[bytes, tuple[Key, Shingles]] = {}
        self._places: defaultdict[int, list[bytes]] = defaultdict(list)

    def near(self, text: Shingles) -> list[Key]:
        """The keys of what is near to a text, in the order in which it was added."""
        met = dict.fromkeys(other for least in text[:SKETCH].tolist() for other in self._places.get(least, ()))
        found = (self._texts[other] for other in met)
        return [key for key, other in found if are_near(text, other)]

    def add(self, key: Key, text: Shingles) -> None:
        """Put a text there."""
        name = text.tobytes()
        if name not in self._texts:
            self._texts[name] = (key, text)
            for least in text[:SKETCH].tolist():
                self._places[least].append(name)
