"""Queries and the passages that answer them, from what a vault's notes say of themselves and of each other."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, groupby

from vaultbridge.core.notes import Chunk, Note, NotePath, folded, note_name
from vaultbridge.lab.cases import Mention, mentions
from vaultbridge.lab.training.dataset import Passage
from vaultbridge.lab.training.near import words
from vaultbridge.retrieve.relevance import terms

TELLING = 2
"""A heading with fewer telling words is asked for with its note's title."""
FEWEST_WORDS = 8
"""A passage of fewer words answers nothing."""
MOST_PASSAGES = 3
"""Of a section or of a note, from its beginning."""
QUESTION = ("?", "？")

# What is left of HTML is no sentence.
_TAG = re.compile(r"</?[A-Za-z]")


@dataclass(frozen=True, slots=True)
class Cut:
    """A note and the chunks that the index cut it into."""

    note: Note
    chunks: tuple[Chunk, ...]


@dataclass(frozen=True, slots=True)
class Pair:
    """A query and what answers it; ``kind``, ``source``, ``target`` and ``bare`` as in ``Example``.

    ``chunks`` are those that the positives stand in. ``quoted``: the query stands in them too, word for word, so that
    finding them proves nothing. ``also``: notes that the query speaks of beside the target.
    """

    query: str
    pos: tuple[str, ...]
    kind: str
    source: NotePath
    target: NotePath
    chunks: tuple[Chunk, ...]
    bare: bool = False
    quoted: bool = False
    also: frozenset[NotePath] = frozenset()


def passage_of(chunk: Chunk) -> Passage:
    """A chunk as a data set keeps it."""
    return Passage(chunk.note, chunk.ordinal, chunk.context, chunk.text)


def sections(chunks: Iterable[Chunk]) -> Iterator[tuple[tuple[str, ...], list[Chunk]]]:
    """A note's chunks, section by section, each with its path of headings."""
    return ((path, list(section)) for path, section in groupby(chunks, key=lambda chunk: chunk.heading))


def asked_for(heading: str, title: str, repeated: bool = False) -> str:
    """A heading as a query: with the title where it says little alone, or more than one note has it."""
    says_enough = len(terms(heading)) >= TELLING and not repeated
    return heading if says_enough or folded(heading) == folded(title) else f"{title}: {heading}"


def link_pairs(cuts: Sequence[Cut]) -> Iterator[Pair]:
    """The sentence around a link asks for what it links to."""
    chunks = {cut.note.path: cut.chunks for cut in cuts}
    found = [mention for mention in mentions([cut.note for cut in cuts]) if not _TAG.search(mention.text)]
    beside: defaultdict[tuple[NotePath, int], set[NotePath]] = defaultdict(set)
    for mention in found:
        beside[_line(mention)].add(mention.target.path)
    for mention in found:
        source, target = mention.source.path, mention.target.path
        if (meant := _meant(mention, chunks[target])) is not None:
            also = frozenset(beside[_line(mention)])
            yield Pair(mention.text, (passage_of(meant).embedded,), "link", source, target, (meant,), also=also)


def heading_pairs(cuts: Sequence[Cut]) -> Iterator[Pair]:
    """A heading asks for its section; one that is a question is of that kind."""
    seen = Counter(chain.from_iterable({folded(path[-1]) for path, _ in sections(cut.chunks) if path} for cut in cuts))
    for cut in cuts:
        title = cut.note.title
        for path, section in sections(cut.chunks):
            if path and folded(path[-1]) != folded(title):
                query = asked_for(path[-1], title, repeated=seen[folded(path[-1])] > 1)
                yield from _own(cut, query, "question" if query.endswith(QUESTION) else "heading", section)


def title_pairs(cuts: Sequence[Cut]) -> Iterator[Pair]:
    """A note's title and each of its aliases ask for its beginning."""
    for cut in cuts:
        yield from _own(cut, cut.note.title, "title", cut.chunks)
        for alias in map(note_name, cut.note.aliases):  # a redirect is named by a path
            if folded(alias) != folded(cut.note.title):
                yield from _own(cut, alias, "alias", cut.chunks)


def _own(cut: Cut, query: str, kind: str, chunks: Iterable[Chunk]) -> Iterator[Pair]:
    """A note's own words ask for chunks of it, which are shown without these words."""
    telling = [chunk for chunk in chunks if len(words(passage_of(chunk).bare)) >= FEWEST_WORDS][:MOST_PASSAGES]
    if telling and any(not term.isdigit() for term in terms(query)):
        texts = tuple(passage_of(chunk).bare for chunk in telling)
        yield Pair(query, texts, kind, cut.note.path, cut.note.path, tuple(telling), bare=True)


def _line(mention: Mention) -> tuple[NotePath, int]:
    return mention.source.path, mention.link.span.start_line


def _meant(mention: Mention, chunks: Sequence[Chunk]) -> Chunk | None:
    """The chunk that a sentence links to: of the section that the link names, or else of the note.

    It is the one that shares most words with the sentence, the first one of equals. A sentence about one detail of a
    long note would otherwise be taught to mean its introduction. None for a note without text.
    """
    named = [folded(part) for part in mention.link.fragment.split("#") if part]
    within = [chunk for chunk in chunks if named and named[-1] in map(folded, chunk.heading)]
    asked = terms(mention.text)
    return max(within or chunks, key=lambda chunk: len(asked & terms(chunk.embedded)), default=None)
