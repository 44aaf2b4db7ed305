"""Small indexes for the tests of retrieval and chat."""

from __future__ import annotations

from collections.abc import Sequence

from vaultbridge.backends.fakes.embeddings import FakeEmbeddings
from vaultbridge.backends.fakes.store import FakeStore
from vaultbridge.core.notes import Chunk, FileState, IndexedNote, NotePath, NoteUpdate, Span


def chunk(note: str, text: str, ordinal: int = 0, heading: Sequence[str] = (), context: str = "") -> Chunk:
    span = Span(ordinal * 1000, ordinal * 1000 + len(text), ordinal * 10 + 1, ordinal * 10 + 9)
    return Chunk(NotePath(note), ordinal, span, text, tuple(heading), context)


def update(*chunks: Chunk, tags: Sequence[str] = ()) -> NoteUpdate:
    """A note that holds the chunks, and their headings."""
    path = chunks[0].note
    headings = tuple(dict.fromkeys(heading for piece in chunks for heading in piece.heading))
    receipt = IndexedNote(FileState(path, 1, 1, path), path, tags=tuple(tags), headings=headings, chunks=len(chunks))
    return NoteUpdate(receipt, chunks)


async def embed_all(store: FakeStore, embeddings: FakeEmbeddings) -> None:
    """Give every chunk its vector."""
    info = await embeddings.info()
    await store.use_vectors(info.fingerprint, info.dimensions)
    chunks = await store.unembedded(1000)
    vectors = await embeddings.embed([piece.embedded for piece in chunks], "document")
    await store.put_vectors(dict(zip([piece.digest for piece in chunks], vectors, strict=True)))
