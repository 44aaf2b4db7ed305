"""What the store keeps in memory of one vector space, so that a question is compared with every chunk at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import chain
from typing import Any, Protocol

import numpy as np

from vaultbridge.backends.matrix import Matrix
from vaultbridge.backends.postings import POSTING_BYTES, Postings
from vaultbridge.core.search import Embedding, Vector

GENEROSITY = 2
"""How many times the wanted rows are sorted at first, since orphans and rows out of scope are among them."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Bytes that a part of the index may take in memory; one that needs more is read from the disk for each question.

    Dense vectors take 4 bytes a dimension: 350,000 chunks of 384 dimensions, or 130,000 of 1,024. Learned sparse ones
    take 8 bytes a token. Chunks take their text and about 100 bytes.
    """

    dense: int = 512 << 20
    sparse: int = 256 << 20
    chunks: int = 256 << 20


class Seen(Protocol):
    """Which digests a question may find."""

    def few(self) -> Set[str] | None:
        """All of them; None if they are most of what there is."""

    def shows(self, digest: str) -> bool:
        """Whether a digest is one of them."""


class VectorMemory:
    """Rows of ``digests``: dense vectors in a matrix, sparse ones in postings; either is None if it is out of bounds.

    Rows are only ever appended; one that goes loses its digest and stays as a hole until everything is read anew.
    """

    def __init__(self, dimensions: int, bounds: Bounds) -> None:
        self._bounds = bounds
        self.rows: dict[str, int] = {}
        self.matrix: Matrix | None = Matrix(dimensions)
        self.postings: Postings | None = Postings()
        self.digests: list[str] = []
        """Of each row; empty for a hole."""

    @property
    def size(self) -> int:
        """How many rows there are, holes included."""
        return len(self.digests)

    @property
    def hollow(self) -> bool:
        """Whether more than a quarter of the rows are holes."""
        return 3 * len(self.digests) > 4 * len(self.rows)

    def read(self, batch: Any) -> None:
        """Append a record batch with the columns of a vector table."""
        dense = batch.column("vector").flatten().to_numpy(zero_copy_only=False).reshape(len(batch), -1)
        lengths = batch.column("ids").value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
        tokens, weights = (batch.column(name).flatten().to_numpy(zero_copy_only=False) for name in ("ids", "weights"))
        self._append(batch.column("digest").to_pylist(), dense, lengths, tokens, weights)

    def add(self, vectors: Mapping[str, Embedding]) -> None:
        """Append vectors whose digests are not here."""
        sparse = [vector.sparse or {} for vector in vectors.values()]
        self._append(
            list(vectors),
            # As precise as what will be read back.
            np.stack([vector.dense for vector in vectors.values()]).astype(np.float16),
            np.array([len(weights) for weights in sparse], dtype=np.int32),
            np.fromiter(chain.from_iterable(sparse), np.int32),
            np.fromiter(chain.from_iterable(weights.values() for weights in sparse), np.float32),
        )

    def drop(self, digests: Iterable[str]) -> None:
        """Let go of some digests."""
        for digest in digests:
            self.digests[self.rows.pop(digest)] = ""

    def best(self, scores: Vector, seen: Seen, limit: int) -> dict[str, float]:
        """The ``limit`` digests that are ``seen`` and score best, best first; rows younger than ``scores`` do not."""
        if (few := seen.few()) is not None:
            rows = np.array([row for digest in few if (row := self.rows.get(digest, len(scores))) < len(scores)], int)
            return self._named(rows[np.argsort(-scores[rows], kind="stable")[:limit]], scores)
        count = GENEROSITY * limit
        while True:
            some = min(count, len(scores))
            ranked = np.argpartition(-scores, some - 1)[:some] if some else np.empty(0, int)
            ranked = ranked[np.argsort(-scores[ranked], kind="stable")]
            found = self._named([row for row in ranked if seen.shows(self.digests[row])][:limit], scores)
            if len(found) == limit or some == len(scores):
                return found
            count *= 2 * GENEROSITY

    def _named(self, rows: Sequence[int] | Any, scores: Vector) -> dict[str, float]:
        return {self.digests[row]: float(scores[row]) for row in rows}

    def _append(self, digests: list[str], dense: Any, lengths: Any, tokens: Any, weights: Any) -> None:
        first = len(self.digests)
        self.digests += digests
        self.rows.update(zip(digests, range(first, len(self.digests)), strict=True))
        if self.matrix is not None:
            if 4 * len(self.digests) * self.matrix.dimensions > self._bounds.dense:
                self.matrix = None
            else:
                self.matrix.append(dense)
        if self.postings is not None:
            if POSTING_BYTES * (self.postings.size + len(tokens)) > self._bounds.sparse:
                self.postings = None
            else:
                rows = np.repeat(np.arange(first, len(self.digests), dtype=np.int32), lengths)
                self.postings = self.postings.added(tokens, rows, weights)
