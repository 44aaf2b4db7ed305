"""Which links an answer may hold: those that lead somewhere, and those that it was given to read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field

from vaultbridge.chat.citations import LinkWriter, linkable
from vaultbridge.core.notes import IndexedNote, NotePath, folded, note_name
from vaultbridge.vault.inline import wikilink

_WIKILINK = re.compile(r"\[\[([^\[\]\n]+)\]\]")


def quoted_places(texts: Iterable[str]) -> frozenset[str]:
    """The places that the wikilinks of some texts lead to."""
    return frozenset(
        _place(*wikilink(inner)[:2]) for text in texts if "[[" in text for inner in _WIKILINK.findall(text)
    )


@dataclass(frozen=True, slots=True)
class KnownLinks:
    """``writer`` knows every note by name, ``notes`` some of them with their headings; ``quoted`` places stand in
    the prompt. Nobody knows any more whether those in ``gone`` are there."""

    writer: LinkWriter
    notes: Mapping[NotePath, IndexedNote] = field(default_factory=dict)
    quoted: frozenset[str] = frozenset()
    gone: Set[str] = frozenset()

    def real(self, target: str, fragment: str) -> tuple[str, str] | None:
        """What of a link's target and fragment is real; None if nothing is.

        A heading that is not known to be there goes, even if nobody knows that it is not. An alias leads to its note.
        """
        named = self.writer.named(target)
        paths = [path for path in named if path not in self.gone]
        if _place(target, fragment) in self.quoted and (paths or not named):
            return target, fragment
        if not named:
            wanted = folded(target)
            aliased = (path for path, note in self.notes.items() if wanted in map(folded, note.aliases))
            paths = [path for path in aliased if path not in self.gone]
            target = note_name(paths[0]) if paths else target
        if not paths:
            return None
        return target, fragment if fragment and any(self._has(path, fragment) for path in paths) else ""

    def _has(self, path: NotePath, fragment: str) -> bool:
        note = self.notes.get(path)
        headings = {folded(linkable(heading)) for heading in note.headings} if note is not None else set()
        return all(folded(part.strip()) in headings for part in fragment.split("#"))


def _place(target: str, fragment: str) -> str:
    return folded(f"{target}#{fragment}")
