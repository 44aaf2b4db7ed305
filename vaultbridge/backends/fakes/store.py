"""An in-memory ChunkStore."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from vaultbridge.backends.link_graph import LinkGraph
from vaultbridge.backends.multi_vectors import packed, unpacked
from vaultbridge.backends.precedence import foremost
from vaultbridge.backends.words import Words
from vaultbridge.core.errors import StoreMismatch
from vaultbridge.core.notes import Chunk, IndexedNote, NotePath, NoteUpdate, Row, folded, folded_name
from vaultbridge.core.search import Embedding, Scope, Scored, Storage, StoreCounts, Vector

# A run of letters, digits and underscores; Chinese, Japanese and Korean a character at a time.
WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")


class FakeStore:
    """The same meaning as LanceStore, in dictionaries; gone when the process ends."""

    def __init__(self) -> None:
        self._notes: dict[NotePath, IndexedNote] = {}
        self._chunks: dict[NotePath, tuple[Chunk, ...]] = {}
        self._spaces: dict[str, dict[str, Embedding]] = {}
        self._dimensions: dict[str, int] = {}
        self._fingerprint: str | None = None
        self._served: str | None = None
        self._words = Words()

    async def use_vectors(self, fingerprint: str, dimensions: int) -> None:
        """Serve and fill the vectors of this fingerprint from now on. Raises StoreMismatch for other dimensions."""
        await self.fill_vectors(fingerprint, dimensions)
        self._served = fingerprint

    async def serve_vectors(self, fingerprint: str, dimensions: int) -> None:
        """Answer questions in this space from now on, whichever one is filled."""
        self._open(fingerprint, dimensions)
        self._served = fingerprint

    async def fill_vectors(self, fingerprint: str, dimensions: int) -> None:
        """Fill this space from now on; questions go on in the one that is served, if there is one."""
        self._open(fingerprint, dimensions)
        self._fingerprint = fingerprint

    def _open(self, fingerprint: str, dimensions: int) -> None:
        if self._dimensions.setdefault(fingerprint, dimensions) != dimensions:
            raise StoreMismatch("The index holds vectors of other dimensions.", "Run `vaultbridge index --rebuild`.")
        self._spaces.setdefault(fingerprint, {})

    async def vector_tables(self) -> dict[str, int]:
        """How many vectors are stored, by fingerprint."""
        return {fingerprint: len(space) for fingerprint, space in self._spaces.items()}

    async def notes(self) -> list[IndexedNote]:
        """Every note's receipt, sorted by path (code points)."""
        return [self._notes[path] for path in sorted(self._notes)]

    async def names(self) -> Mapping[str, Sequence[NotePath]]:
        """The notes by their folded names, but for those that are left out."""
        return LinkGraph().after(self._shown(), frozenset()).names

    async def receipts(self, paths: Collection[NotePath]) -> dict[NotePath, IndexedNote]:
        """The receipts of some notes; one that is left out has none."""
        return {note.state.path: note for note in self._shown() if note.state.path in paths}

    async def chunks(self, path: NotePath) -> list[Chunk]:
        """One note's chunks in their order."""
        return sorted(self._chunks.get(path, ()), key=lambda chunk: chunk.ordinal)

    async def rows(self) -> list[Row]:
        """Every chunk's row, sorted by note and ordinal."""
        space = self._space()
        rows = [
            Row(chunk.note, chunk.ordinal, chunk.span, chunk.digest, chunk.digest in space) for chunk in self._rows()
        ]
        return sorted(rows, key=lambda row: (row.note, row.ordinal))

    async def unfound(self, notes: Sequence[NotePath]) -> list[NotePath]:
        """None: words are looked up in the chunks themselves."""
        return []

    async def replace(self, updates: Sequence[NoteUpdate], removed: Sequence[NotePath] = ()) -> None:
        """Write a batch of notes, all at once."""
        latest = {update.note.state.path: update for update in updates}
        for path in {*removed, *(update.origin for update in updates if update.origin is not None)} - latest.keys():
            self._notes.pop(path, None)
            self._chunks.pop(path, None)
        for path, update in latest.items():
            self._notes[path] = update.note
            if update.chunks is not None:
                self._chunks[path] = update.chunks

    async def keyword(self, text: str, scope: Scope, limit: int) -> list[Scored]:
        """The chunks that share words with ``text``, best first: rare words and repeated ones count more."""
        documents = [
            (chunk, Counter(_split(self._words.of_chunk(chunk, self._notes[chunk.note])))) for chunk in self._rows()
        ]
        spread = Counter(word for _, words in documents for word in words)
        asked = set(_split(self._words.of_question(text)))
        hits = []
        for chunk, words in documents:
            score = sum(math.log1p(len(documents) / spread[w]) * words[w] / (words[w] + 1) for w in asked if words[w])
            if score and self._visible(chunk.note, scope):
                hits.append(Scored(chunk, score))
        return _best(hits, limit)

    async def dense(self, vector: Vector, scope: Scope, limit: int) -> list[Scored]:
        """The chunks nearest to ``vector`` by cosine, best first; those without a vector are not seen."""
        space = self._asked()
        rows = [chunk for chunk in self._rows() if chunk.digest in space and self._visible(chunk.note, scope)]
        # One by one: in a matrix product, equal rows may differ in the last bit, by where they stand.
        cosines = {
            digest: float(space[digest].dense @ vector / (np.linalg.norm(space[digest].dense) * np.linalg.norm(vector)))
            for digest in {chunk.digest for chunk in rows}
        }
        return _best([Scored(chunk, cosines[chunk.digest]) for chunk in rows], limit)

    async def sparse(self, weights: Mapping[int, float], scope: Scope, limit: int) -> list[Scored]:
        """The chunks whose learned sparse vectors have the greatest product with ``weights``, above 0, best first."""
        space = self._asked()
        hits = []
        for chunk in self._rows():
            if chunk.digest in space and self._visible(chunk.note, scope):
                stored = space[chunk.digest].sparse or {}
                hits.append(Scored(chunk, sum(weight * weights.get(token, 0.0) for token, weight in stored.items())))
        return _best([hit for hit in hits if hit.score > 0], limit)

    async def vectors(self, digests: Sequence[str]) -> dict[str, Vector]:
        """The stored vectors among ``digests``, float32, as precise as float16."""
        space = self._asked()
        return {digest: space[digest].dense for digest in digests if digest in space}

    async def linked(self, paths: Sequence[NotePath]) -> dict[NotePath, tuple[NotePath, ...]]:
        """The notes that each of ``paths`` links to, then those that link to it, resolved as Obsidian does."""
        graph = LinkGraph().after(self._shown(), frozenset())
        return {path: graph.neighbours(path) for path in paths}

    async def multi(self, digests: Sequence[str]) -> dict[str, Vector]:
        """The stored multi-vectors among ``digests``, ``(tokens, dimensions)`` float32 each, a byte a number."""
        space = self._asked()
        kept = {digest: space[digest].multi for digest in digests if digest in space}
        return {digest: unpacked(packed(multi)) for digest, multi in kept.items() if multi is not None and len(multi)}

    async def unembedded(self, limit: int) -> list[Chunk]:
        """Chunks that have no vector yet, one for each digest, of the newest and the most linked notes first."""
        if self._fingerprint is None:
            return []
        space = self._space()
        ages = {
            chunk.note: -float(self._notes[chunk.note].state.mtime_ns)
            for chunk in self._rows()
            if chunk.digest not in space
        }
        missing: dict[str, Chunk] = {}
        for note in foremost(ages, LinkGraph().after(self._shown(), frozenset())):
            for chunk in sorted(self._chunks[note], key=lambda chunk: chunk.ordinal):
                if chunk.digest not in space:
                    missing.setdefault(chunk.digest, chunk)
        return list(missing.values())[:limit]

    async def put_vectors(self, vectors: Mapping[str, Embedding]) -> None:
        """Add vectors by digest; present ones are left alone. Raises StoreMismatch before ``use_vectors``."""
        if self._fingerprint is None:
            raise StoreMismatch("The index was opened without an embedder and takes no vectors.")
        for digest, vector in vectors.items():
            if vector.dense.shape != (self._dimensions[self._fingerprint],):
                raise StoreMismatch("The vector has other dimensions.")
            dense = vector.dense.astype(np.float16).astype(np.float32)
            self._space().setdefault(digest, replace(vector, dense=dense))

    async def counts(self) -> StoreCounts:
        """How much is stored."""
        rows, space = self._rows(), self._space()
        shown = self._shown()
        unreadable = sum(bool(note.reason) for note in shown)
        return StoreCounts(len(shown), unreadable, len(rows), sum(chunk.digest in space for chunk in rows))

    async def storage(self) -> Storage:
        """Nothing is on the disk."""
        return Storage(0, 0)

    async def maintain(self) -> None:
        """Drop the vectors that no chunk uses."""
        used = {chunk.digest for chunk in self._rows()}
        for space in self._spaces.values():
            for orphan in space.keys() - used:
                del space[orphan]

    @property
    def damage(self) -> str:
        """There are no files that could be."""
        return ""

    async def mend(self) -> None:
        """There is nothing to mend."""

    async def purge(self) -> None:
        """There is no disk; the vectors that no chunk uses go."""
        await self.maintain()

    async def close(self) -> None:
        """There is nothing to let go of."""

    def _shown(self) -> list[IndexedNote]:
        return [note for note in self._notes.values() if not note.left_out]

    def _rows(self) -> list[Chunk]:
        return [chunk for chunks in self._chunks.values() for chunk in chunks]

    def _space(self) -> dict[str, Embedding]:
        """What is filled."""
        return {} if self._fingerprint is None else self._spaces[self._fingerprint]

    def _asked(self) -> dict[str, Embedding]:
        """What questions are answered from."""
        return self._space() if self._served is None else self._spaces[self._served]

    def _visible(self, path: NotePath, scope: Scope) -> bool:
        note = self._notes[path]
        written = note.state.written
        title = folded_name(path)
        parents = {""} | {path[:at] for at, character in enumerate(path) if character == "/"}
        tags: set[str] = set()
        for tag in note.tags:
            levels = tag.removeprefix("#").casefold().split("/")
            tags |= {"/".join(levels[:depth]) for depth in range(1, len(levels) + 1)}
        return (
            path not in scope.exclude
            and (not scope.notes or path in scope.notes)
            and (not scope.names or any(folded(name) in title for name in scope.names))
            and (not scope.folders or any(folder.strip("/") in parents for folder in scope.folders))
            and (not scope.tags or any(tag.removeprefix("#").casefold() in tags for tag in scope.tags))
            and (scope.since is None or written >= scope.since)
            and (scope.until is None or written <= scope.until)
        )


def _split(text: str) -> list[str]:
    folded = unicodedata.normalize("NFKD", text.casefold())
    plain = unicodedata.normalize("NFC", "".join(c for c in folded if not "\u0300" <= c <= "\u036f"))
    return WORD.findall(plain)


def _best(hits: list[Scored], limit: int) -> list[Scored]:
    return sorted(hits, key=lambda hit: (-hit.score, hit.chunk.note, hit.chunk.ordinal))[: max(limit, 0)]
