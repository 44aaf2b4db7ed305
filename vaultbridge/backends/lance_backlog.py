"""The chunks of a store that lack a vector, so that a large vault is not counted and sorted for each commit."""

from __future__ import annotations

from collections.abc import Sequence

from vaultbridge.backends.lance_outline import Outline
from vaultbridge.core.search import StoreCounts


class Backlog:
    """What of the rows of ``outline`` is not among the digests that ``have`` a vector, to which more are appended."""

    def __init__(self, outline: Outline, have: Sequence[str]) -> None:
        self._outline = outline
        self._have = have
        self._seen = len(have)  # first: more may come while the rest is looked at
        self._missing = outline.owners.keys() - have
        self._order: Sequence[str] | None = None
        self._notes = len(outline.receipts)
        self._unreadable = sum(receipt.unreadable for receipt in outline.receipts.values())
        self._chunks = sum(map(len, outline.digests.values()))
        self._lacking = outline.copies(self._missing)

    def is_of(self, outline: Outline, have: Sequence[str]) -> bool:
        """Whether it is of these two; if so, it has seen from now on what was appended since."""
        if self._outline is not outline or self._have is not have:
            return False
        made = self._missing.intersection(have[self._seen :])
        self._seen = len(have)
        self._missing -= made
        self._lacking -= outline.copies(made)
        return True

    @property
    def counts(self) -> StoreCounts:
        """How much is stored."""
        return StoreCounts(self._notes, self._unreadable, self._chunks, self._chunks - self._lacking)

    def foremost(self, limit: int) -> list[str]:
        """Some digests that lack a vector, of the newest and the most linked notes first."""
        if self._order is None:
            self._order = self._outline.foremost(self._missing.copy())
        self._order = [digest for digest in self._order if digest in self._missing]
        return self._order[: max(limit, 0)]
