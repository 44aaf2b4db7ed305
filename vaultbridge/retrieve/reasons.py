"""Why a hit was found, for a pane that shows it and for programs that read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from vaultbridge.core.notes import NotePath, note_name
from vaultbridge.core.search import Hit
from vaultbridge.retrieve.relevance import terms

MOST_WORDS = 5

Kind = Literal["title", "heading", "words", "meaning", "weights", "linked"]


@dataclass(frozen=True, slots=True)
class Reason:
    """``title`` and ``heading``: it names what is asked. ``words``: those that it shares. ``meaning``: its cosine;
    ``weights``: its learned sparse score. ``linked``: the note that it is linked with."""

    kind: Kind
    detail: str


def reasons(text: str, hit: Hit, linked: Mapping[NotePath, NotePath]) -> tuple[Reason, ...]:
    """Why a hit was found for a text, the plainest reason first."""
    asked, chunk = terms(text), hit.chunk
    title = note_name(chunk.note)
    heading = chunk.heading[-1] if chunk.heading else ""
    found = []
    if asked & terms(title):
        found.append(Reason("title", title))
    if heading != title and asked & terms(heading):
        found.append(Reason("heading", heading))
    if words := sorted(asked & terms(chunk.text), key=lambda word: (-len(word), word))[:MOST_WORDS]:
        found.append(Reason("words", " ".join(words)))
    if "dense" in hit.lanes:
        found.append(Reason("meaning", f"{hit.lanes['dense']:.2f}"))
    if "sparse" in hit.lanes:
        found.append(Reason("weights", f"{hit.lanes['sparse']:.2f}"))
    if "linked" in hit.lanes and chunk.note in linked:
        found.append(Reason("linked", linked[chunk.note]))
    return tuple(found)
