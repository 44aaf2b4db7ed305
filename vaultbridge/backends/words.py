"""What the keyword lane takes for words: those of a chunk, with its note's names, and those of a question.

BM25 counts words that are separated and folded by LanceDB's `icu` tokens. What these would lose is written out here in
front of it: identifiers whole and in part, and the stems of English words where the chunk is English.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

import snowballstemmer

from vaultbridge.core.notes import Chunk, IndexedNote

TITLE, HEADING, ALIAS, TAG = 1, 1, 2, 2
"""How many times a field stands beside the text: a word in it counts as so many more (Robertson et al., CIKM 2004)."""
REMEMBERED = 1 << 16
"""Words whose analysis is kept; those of a vault are fewer, as a rule."""

_CJK = "\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff"
_RUN = rf"[^\W{_CJK}]+"
# A tag; a language like C++ or C#; a word with what may join its parts.
_TOKEN = re.compile(
    rf"(?<![\w&#/])\#(?=[\w/-]*[^\W\d_])[\w/-]+"
    rf"|(?<!\w)[A-Za-z][A-Za-z0-9]*(?:\+\+|\#(?![\w#]))"
    rf"|{_RUN}(?:[-.:/']{_RUN})*"
)
_TOKENS = re.compile(f"({_TOKEN.pattern})")
_PLAIN = re.compile(r"[A-Za-z][a-z]*|[A-Z]+")
_HUMP = re.compile(r"[A-Z]+[0-9]*(?![a-z])|[A-Z]?[a-z]+[0-9]*|[0-9]+")
_JOINT = re.compile(r"[-.:/_]+")
_NUMBER = re.compile(r"v?(\d+(?:([-.:/])\d+)+)(?!\d)", re.IGNORECASE)
_LATIN = re.compile(r"[a-z\u00df-\u024f]+")
# The words that say which language it is: none of them is common in the other languages here.
_ENGLISH = frozenset(
    "the and to that is for it with are this be have from by at which you we they not but what how can will his her "
    "its their there these if when has had were been would than then".split()
)
_OTHERS = frozenset(
    # German, French, Spanish, Italian, Portuguese, Dutch, Swedish, Danish, Polish, Czech, Turkish, Indonesian
    "der das und nicht ist mit den von ein eine für auf zu sich auch le les des et est une du dans pour pas que qui "
    "sur el los las del y por con una para como más il di che non per della sono gli um uma não do da em os het een "
    "van en niet zijn voor aan met dat och att det som är av på til og af ikke i w z na się jest nie že ve bir bu "
    "için yang untuk dengan dari ini".split()
)


class Words:
    """Writes texts as the words that the index counts. May be used from several threads."""

    def __init__(self) -> None:
        self._stem = lru_cache(REMEMBERED)(_stem)
        self._stemmed = lru_cache(REMEMBERED)(lambda token: _spaced(map(self._stem, _parts(token))))
        self._plain = lru_cache(REMEMBERED)(lambda token: _spaced(_parts(token)))

    def of_chunk(self, chunk: Chunk, note: IndexedNote) -> str:
        """A chunk's words; title, headings, aliases and tags of its note count more than the text."""
        fields = [
            chunk.embedded,
            *TITLE * [note.title],
            *HEADING * [" ".join(chunk.heading)],
            *ALIAS * note.aliases,
            *TAG * [f"#{tag.removeprefix('#')}" for tag in note.tags],
        ]
        words = self._stemmed if is_english(chunk.embedded) else self._plain
        # Tokens stand at every second place. A function that is called for each match would take twice the time.
        parts = _TOKENS.split("\n".join(fields).replace("’", "'"))
        parts[1::2] = map(words, parts[1::2])
        return "".join(parts)

    def of_question(self, text: str) -> str:
        """A question's words; those that have a stem both ways, since English chunks hold that, and others the word."""

        def both(found: re.Match[str]) -> str:
            plain, stemmed = self._plain(found[0]).split(), self._stemmed(found[0]).split()
            return _spaced(dict.fromkeys([*plain, *stemmed]))

        return _TOKEN.sub(both, text.replace("’", "'"))


def is_english(text: str) -> bool:
    """Whether a text may be English: no other language's little words are more frequent in it."""
    words = _LATIN.findall(text.casefold())
    return sum(map(_ENGLISH.__contains__, words)) >= sum(map(_OTHERS.__contains__, words))


def _parts(token: str) -> Iterable[str]:
    """The words that are counted for a token: itself, and what it is made of."""
    if _PLAIN.fullmatch(token):
        return [token.casefold()]
    return dict.fromkeys(_identifier(token)) if token.isascii() else [token]


def _spaced(words: Iterable[str]) -> str:
    """Several words apart from what stands beside them; one alone where it was, since it may be part of more."""
    apart = list(words)
    return apart[0] if len(apart) == 1 else f" {' '.join(apart)} "


def _identifier(token: str) -> Iterator[str]:
    # An underscore is the one sign that `icu` leaves inside a word.
    if token[0] == "#":
        levels = [level.casefold() for level in token[1:].split("/") if level]
        yield from ("_".join(["tag", *levels[: depth + 1]]) for depth in range(len(levels)))
        token = token[1:]
    elif token[-1] in "+#":
        name = token.rstrip("+#")
        yield f"{name}_{'plus' if token[-1] == '+' else 'sharp'}".casefold()
        token = name
    elif number := _NUMBER.match(token):
        yield from _number(_JOINT.split(number[1]), date=number[2] != ".")
        token = token[number.end() :]
    pieces = [piece.casefold() for piece in _JOINT.split(token) if piece]
    humps = [hump.casefold() for hump in _HUMP.findall(token)] if "'" not in token else pieces
    if "_" in token or "." in token or len(humps) > len(pieces):
        yield "_".join(pieces)
    yield from humps


def _number(numbers: list[str], *, date: bool) -> Iterator[str]:
    """A version, 1.2.3, and the shorter ones that it begins with; a date or a span, whose numbers stand alone, too."""
    yield from ("_".join(numbers[:length]) for length in range(len(numbers), 1, -1))
    if date:
        yield from numbers


def _stem(word: str) -> str:
    # A stemmer holds the word that it works on, so each has its own.
    plain = word.isascii() and word.replace("'", "").isalpha()
    return str(snowballstemmer.stemmer("english").stemWord(word)) if plain else word
