"""What a search is made of: embeddings, questions, hits and citations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vaultbridge.core.notes import Chunk, NotePath, Span

Vector = NDArray[np.float32]
Lane = Literal["query", "document"]
"""Which side of a search a text stands on; asymmetric embedders prefix the two differently."""
Mode = Literal["hybrid", "dense", "keyword", "sparse"]


@dataclass(frozen=True, slots=True)
class Embedding:
    """One text as an embedder sees it.

    dense: ``(dimensions,)`` float32 of length 1. sparse: weight by token id, None if the embedder has no such head.
    multi: ``(tokens, dimensions)`` float32, None likewise.
    """

    dense: Vector
    sparse: Mapping[int, float] | None = None
    multi: Vector | None = None


UNMEASURED = 1.0
"""The floor of an embedder that nobody measured: nearness alone shows nothing, until it is estimated from the vault."""


@dataclass(frozen=True, slots=True)
class EmbedderInfo:
    """What an embedder is. ``fingerprint`` names the vector space: vectors with different ones never meet.

    ``floor`` is the dense cosine under which a chunk does not speak of the question; ``max_tokens`` is where a text
    is cut; ``languages`` is empty for a multilingual embedder. ``sparse`` and ``multi`` say which heads it has beside
    the dense one.
    """

    name: str
    fingerprint: str
    dimensions: int
    max_tokens: int
    floor: float
    languages: tuple[str, ...] = ()
    sparse: bool = False
    multi: bool = False


@dataclass(frozen=True, slots=True)
class Scope:
    """Which notes a search may see; empty fields do not restrict. Times in seconds since 1970: ``FileState.written``.

    ``names`` are parts of notes' names, in any case.
    """

    folders: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    notes: tuple[NotePath, ...] = ()
    exclude: tuple[NotePath, ...] = ()
    names: tuple[str, ...] = ()
    since: float | None = None
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Period:
    """A span of time, both ends in it, in seconds since 1970; None: open at that end.

    ``named`` is a day that is written out: as likely a note's name as the time when one was changed. ``newest``: not
    so much a span as the wish for what is newest.
    """

    since: float | None
    until: float | None
    named: bool = False
    newest: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """A question to the index. ``limit`` counts chunks.

    A chunk must hold every one of ``phrases`` and none of the words ``without``, whatever its case. Notes of the
    ``period`` come first. ``diary``: notes that are named after its days answer whatever they say.
    """

    text: str
    scope: Scope = field(default_factory=Scope)
    limit: int = 10
    mode: Mode = "hybrid"
    phrases: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    period: Period | None = None
    diary: bool = False


@dataclass(frozen=True, slots=True)
class Scored:
    """A chunk as one lane found it; scores compare within their lane only."""

    chunk: Chunk
    score: float


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that answers a query; ``lanes`` says why: lane name to its score there."""

    chunk: Chunk
    score: float
    lanes: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Citation:
    """A numbered place in the vault whose text was in the prompt. ``heading`` is empty above the first one;
    ``link`` is the wikilink as Obsidian would write it; ``quote`` is the text at ``span``.

    ``fragment`` is the place within the note as the link has it (``Heading``, ``Parent#Heading``, ``^block``);
    ``context`` is what stood above the quote.
    """

    number: int
    path: NotePath
    heading: str
    span: Span
    quote: str
    link: str
    fragment: str = ""
    context: str = ""


@dataclass(frozen=True, slots=True)
class Freshness:
    """How far the index is behind the vault.

    ``wanted`` and ``visible`` count revisions of the vault; equal means that every seen change is searchable by
    keyword. ``pending`` counts the chunks that still wait for a vector. Shares, 0 to 1, say how much a search can see:
    of the notes those that are in the index, of its chunks those that have a vector.
    """

    wanted: int
    visible: int
    pending: int
    notes_share: float = 1.0
    vectors_share: float = 1.0


@dataclass(frozen=True, slots=True)
class IndexProgress:
    """How far indexing is: notes written of the present batch of changes, and its notes.

    ``rate``: chunks embedded in a second, 0 before any is. ``seconds_left`` until every chunk has its vector; None if
    nobody knows. ``paused`` says why nothing is embedded though something waits; empty if nothing keeps it.
    """

    notes_done: int = 0
    notes_total: int = 0
    rate: float = 0.0
    seconds_left: float | None = 0.0
    paused: str = ""


@dataclass(frozen=True, slots=True)
class Storage:
    """What the index takes on the disk, and in how many pieces its tables lie there, which maintenance joins."""

    bytes: int
    fragments: int


@dataclass(frozen=True, slots=True)
class StoreCounts:
    """How much the store holds; ``vectors`` counts chunks that have one under the current fingerprint."""

    notes: int
    unreadable: int
    chunks: int
    vectors: int
