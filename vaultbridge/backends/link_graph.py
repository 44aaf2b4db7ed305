"""Which notes link to which, resolved as Obsidian does."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field

from vaultbridge.core.notes import IndexedNote, NotePath, folded, folded_name, link_target, note_name

Places = Mapping[str, tuple[NotePath, ...]]


@dataclass(frozen=True, slots=True)
class LinkGraph:
    """The links of a vault's notes, resolved when they are asked for: a new note may take a link from another one.

    ``names`` and ``aliases`` say which notes are called so, ``mentions`` which hold a link to such a name; ``links``
    are each note's targets, ``called`` its aliases. All of them are folded.
    """

    names: Places = field(default_factory=dict)
    aliases: Places = field(default_factory=dict)
    mentions: Places = field(default_factory=dict)
    links: Mapping[NotePath, tuple[str, ...]] = field(default_factory=dict)
    called: Mapping[NotePath, tuple[str, ...]] = field(default_factory=dict)

    def after(self, written: Iterable[IndexedNote], gone: Set[NotePath]) -> LinkGraph:
        """The graph once some notes are written and others gone."""
        fresh = {note.state.path: note for note in written}
        links, called = dict(self.links), dict(self.called)
        left = [path for path in {*gone, *fresh} if path in links]
        old = [(path, links.pop(path), called.pop(path)) for path in left]
        for path, note in fresh.items():
            links[path] = tuple(filter(None, map(_target, note.links)))
            called[path] = tuple(map(folded, note.aliases))
        new = [(path, links[path], called[path]) for path in fresh]
        return LinkGraph(
            names=_changed(self.names, *([(folded_name(path), path) for path, _, _ in side] for side in (old, new))),
            aliases=_changed(
                self.aliases, *([(name, path) for path, _, names in side for name in names] for side in (old, new))
            ),
            mentions=_changed(
                self.mentions,
                *(
                    [(note_name(target), path) for path, targets, _ in side for target in targets]
                    for side in (old, new)
                ),
            ),
            links=links,
            called=called,
        )

    def neighbours(self, path: NotePath) -> tuple[NotePath, ...]:
        """The notes that ``path`` links to, in its order, then those that link to it, sorted; each once."""
        ahead = (self.resolve(target, path) for target in self.links.get(path, ()))
        called = {note_name(name) for name in (folded(path), *self.called.get(path, ()))}
        callers = sorted({source for name in called for source in self.mentions.get(name, ())})
        back = (
            source
            for source in callers
            if any(
                note_name(target) in called and self.resolve(target, source) == path for target in self.links[source]
            )
        )
        return tuple(dict.fromkeys(note for note in (*ahead, *back) if note is not None and note != path))

    def mentioned(self, path: NotePath) -> int:
        """How many notes hold a link to something that is called as ``path`` is: few vaults have a name twice."""
        return len(self.mentions.get(folded_name(path), ()))

    def resolve(self, target: str, source: NotePath) -> NotePath | None:
        """The note that a link in ``source`` leads to; None if there is none.

        The path from the vault's root comes first, then what lies beside or below the source, then the shortest path;
        an alias leads to its note if no note is named so.
        """
        folder = posixpath.dirname(folded(source))
        wanted = link_target(_target(target))
        exact = wanted.startswith(("/", "./", "../"))
        if exact:
            wanted = posixpath.normpath(posixpath.join("/", folder, wanted)).lstrip("/")
        stems = {path: link_target(folded(path)) for path in self.names.get(posixpath.basename(wanted), ())}

        def distance(path: NotePath) -> tuple[bool, bool, int, str]:
            beside = not folder or stems[path].startswith(f"{folder}/")
            return stems[path] != wanted, not beside, len(path), path

        fitting = [
            path for path, stem in stems.items() if stem == wanted or (not exact and stem.endswith(f"/{wanted}"))
        ]
        if fitting:
            return min(fitting, key=distance)
        return min(self.aliases.get(_target(target), ()), key=lambda path: (len(path), path), default=None)


def _changed(
    places: Places, gone: Iterable[tuple[str, NotePath]], new: Iterable[tuple[str, NotePath]]
) -> dict[str, tuple[NotePath, ...]]:
    """``places`` without the pairs that are ``gone`` and with the ``new`` ones."""
    touched: dict[str, dict[NotePath, None]] = {}

    def paths(name: str) -> dict[NotePath, None]:
        if name not in touched:
            touched[name] = dict.fromkeys(places.get(name, ()))
        return touched[name]

    for name, path in gone:
        paths(name).pop(path, None)
    for name, path in new:
        paths(name)[path] = None
    result = dict(places)
    for name, found in touched.items():
        if found:
            result[name] = tuple(found)
        else:
            result.pop(name, None)
    return result


def _target(link: str) -> str:
    """The note that a link names, folded, without heading or block."""
    return folded(link.split("#", 1)[0].strip())
