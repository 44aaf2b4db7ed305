"""Questions whose right notes are known: from a test collection, or made from any vault's links."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from vaultbridge.chat.citations import LinkWriter
from vaultbridge.core.notes import Link, Note, NotePath, note_name
from vaultbridge.lab.collection import Collection
from vaultbridge.retrieve.relevance import terms
from vaultbridge.vault.inline import INLINE, displayed

FEWEST_TERMS = 4
"""A sentence with fewer telling words, once its link is gone, could mean any note."""

_SENTENCE_END = re.compile(r"[.!?](?=\s)|[。！？]|\n")
_MARKS = re.compile(r"[*_>#|`]+|^\s*[-+]\s|\[[ x]\]", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Case:
    """A question, the grades of the notes that answer it, and the notes that are left out of the search for it."""

    id: str
    text: str
    relevant: Mapping[NotePath, int]
    without: tuple[NotePath, ...] = ()


def collection_cases(collection: Collection, ids: Mapping[NotePath, str]) -> list[Case]:
    """A collection's questions; ``ids`` are its documents' by the notes that were made of them."""
    paths = {id_: path for path, id_ in ids.items()}
    return [
        Case(id_, text, {paths[key]: grade for key, grade in collection.relevant[id_].items() if key in paths})
        for id_, text in collection.queries.items()
    ]


@dataclass(frozen=True, slots=True)
class Mention:
    """A link to another note; ``text`` is the sentence around it, without what gives the target away."""

    source: Note
    link: Link
    target: Note
    text: str


def link_cases(notes: Sequence[Note]) -> list[Case]:
    """For each link to another note, the sentence around it must find that note; the note with the link is left out."""
    cases: dict[tuple[str, NotePath], Case] = {}
    for mention in mentions(notes):
        source, target = mention.source.path, mention.target.path
        case = Case(f"{source}:{mention.link.span.start}", mention.text, {target: 1}, (source,))
        cases.setdefault((mention.text, target), case)
    return list(cases.values())


def mentions(notes: Sequence[Note]) -> Iterator[Mention]:
    """Each link to one other note whose sentence tells enough to find it by.

    What gives the target away is taken out of the sentence: the link with its words, and the target's name, title and
    aliases wherever else they stand. Other links are shown as they are read, without the names of files behind them.
    """
    writer = LinkWriter.among(note.path for note in notes)
    by_path = {note.path: note for note in notes}
    for note in notes:
        for link in note.links:
            targets = writer.named(link.target) if link.target else []
            if len(targets) != 1 or targets[0] == note.path:
                continue
            text = _sentence(note.text, link, by_path[targets[0]])
            if len(terms(text)) >= FEWEST_TERMS:
                yield Mention(note, link, by_path[targets[0]], text)


def as_read(markdown: str) -> str:
    """A line or a few of Markdown as they are read: links by their words, without marks."""
    return " ".join(_shown(markdown).split())


def _sentence(text: str, link: Link, target: Note) -> str:
    start, end = link.span.start, link.span.end
    before = max(
        (found.end() for found in _SENTENCE_END.finditer(text, text.rfind("\n", 0, start) + 1, start)), default=0
    )
    before = max(before, text.rfind("\n", 0, start) + 1)
    after = _SENTENCE_END.search(text, end)
    rest = f"{text[before:start]} {text[end : after.start() if after else len(text)]}"
    rest = _shown(rest)
    for name in sorted(_names(target, link), key=len, reverse=True):
        rest = re.sub(re.escape(name), " ", rest, flags=re.IGNORECASE)
    return " ".join(rest.split())


def _shown(markdown: str) -> str:
    return _MARKS.sub(" ", INLINE.sub(_words, markdown))


def _words(found: re.Match[str]) -> str:
    return found["label"] if found["link"] else displayed(found)


def _names(target: Note, link: Link) -> Iterator[str]:
    names = (note_name(target.path), target.title, *target.aliases, link.alias, *link.fragment.split("#"))
    return (name for name in names if name.strip())
