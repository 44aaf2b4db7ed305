"""Notes that are each other's translation, by what their front matter says."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import permutations
from typing import Any

from vaultbridge.chat.citations import LinkWriter
from vaultbridge.core.notes import NotePath, folded
from vaultbridge.lab.training.near import words
from vaultbridge.lab.training.pairs import FEWEST_WORDS, Cut, Pair, asked_for, passage_of, sections
from vaultbridge.vault.inline import wikilink

LINKS = frozenset(("translation", "translations", "translation-of", "translation_of", "translationof"))
"""Properties that name the note in another language: ``translation: "[[Other]]"``."""
KEYS = frozenset(("permalink", "translation-key", "translation_key", "translationkey"))
"""Properties that a note shares with its translations: an address that the site has once in each language."""
LANGUAGE = frozenset(("lang", "language", "locale"))


def translated(cuts: Sequence[Cut]) -> list[tuple[Cut, Cut]]:
    """Each two notes that are translations of each other, once in each direction."""
    by_path = {cut.note.path: cut for cut in cuts}
    writer = LinkWriter.among(by_path)
    shared: defaultdict[str, list[NotePath]] = defaultdict(list)
    pairs: dict[tuple[NotePath, NotePath], None] = {}
    for path, cut in by_path.items():
        for name in _values(cut, LINKS):
            for target in writer.named(wikilink(name.strip("[]"))[0]):
                pairs |= dict.fromkeys(((path, target), (target, path)))
        for key in _values(cut, KEYS):
            shared[folded(key)].append(path)
    for same in shared.values():
        pairs |= dict.fromkeys(permutations(same, 2))
    return [
        (by_path[one], by_path[other])
        for one, other in pairs
        if one != other and not _same_language(by_path[one], by_path[other])
    ]


def translation_pairs(cuts: Sequence[Cut]) -> Iterator[Pair]:
    """A title, or a heading where both notes have as many, asks for its section in the other language."""
    for one, other in translated(cuts):
        mine, theirs = list(sections(one.chunks)), list(sections(other.chunks))
        depth = len(mine) if len(mine) == len(theirs) else 1
        for at, ((path, _), (_, section)) in enumerate(zip(mine[:depth], theirs[:depth], strict=False)):
            query = asked_for(path[-1], one.note.title) if path and at else one.note.title
            chunk = section[0]
            if len(words(passage_of(chunk).bare)) >= FEWEST_WORDS:
                source, target = one.note.path, other.note.path
                yield Pair(query, (passage_of(chunk).embedded,), "translation", source, target, (chunk,))


def _same_language(one: Cut, other: Cut) -> bool:
    """Whether both say which language they are in, and it is the same."""
    mine, theirs = list(_values(one, LANGUAGE)), list(_values(other, LANGUAGE))
    return bool(mine) and mine == theirs


def _values(cut: Cut, names: Iterable[str]) -> Iterator[str]:
    """What a note says in some properties; a list or a wikilink without quotation marks, which YAML takes for one."""
    for name, value in cut.note.frontmatter.items():
        if name.lower() in names:
            yield from _texts(value)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, str) and value.strip():
        yield value.strip()
