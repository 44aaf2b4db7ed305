"""Sentences of an answer, found while it streams: what a mark stands behind, and what its support is judged by.

Libraries that split sentences want the whole text, know one language each and no Markdown. A stream needs the opposite:
a decision at the next character, in any language, that errs by joining two sentences and not by cutting one.
"""

from __future__ import annotations

import re
from typing import Literal

from vaultbridge.vault.measure import WIDE

LineKind = Literal["text", "item", "heading", "row"]

_WIDE_STOPS = "。！？．"
"""Nothing need follow these."""
_STOPS = f".!?…{_WIDE_STOPS}"
_CLOSERS = "\"'*_~)]}”’»」』】》〉）］"
_LAST = frozenset(_STOPS + _CLOSERS)
_END = re.compile(rf"(?P<stop>[{_STOPS}])[{_STOPS}{re.escape(_CLOSERS)}]*\Z")
_WIDE = re.compile(f"[{WIDE}]")
_HIRAGANA = re.compile("[\u3041-\u309f]")

_LIST = r"(?:[-*+•·][ \t]+(?:\[[ xX]\][ \t]+)?|\d{1,3}(?:[.)][ \t]+|、[ \t]*)|[（(]\d{1,3}[）)][ \t]*)"
_MARKER = re.compile(rf"[>\s]*{_LIST}?")
_ITEM = re.compile(rf"[>\s]*{_LIST}")
_HEADING = re.compile(rf"[>\s]*(?:#{{1,6}}\s|(?P<bold>\*\*|__)(?!\s)[^*_\n]*[^*_\n{_STOPS}](?P=bold)[:：]?\s*\Z)")
_ROW = re.compile(r"[>\s]*\|")
_LINE_CHARACTERS = 160
"""More of a line's beginning is not needed to know what it is."""

# No sentence ends with these, a single capital letter included.
_ABBREVIATIONS = frozenset(
    "mr mrs ms dr prof st mt gen col sgt capt lt gov sen rep rev hon fig figs vol vols no nos pp p ed eds cf ca approx "
    "e.g i.e eg ie vs viz resp incl".split()
)
_WORD_AND_STOP = re.compile(r"(?<![^\W_])((?:[^\W\d_]\.)*[^\W\d_]+)\.[\"'”’)\]]*\Z")
_INITIALS = re.compile(r"(?:[A-Z]\.)*[A-Z]")
_NUMBER_AND_STOP = re.compile(r"[>\s]*\d{1,3}\.")
_TAIL = 32
"""So many of the last characters tell whether a sentence may end with them."""


class SentenceReader:
    """Takes a text as it comes. ``text`` is the sentence that is open, empty if none is."""

    def __init__(self) -> None:
        self.text = ""
        self._line = ""

    def take(self, white: str, text: str) -> None:
        """More: ``white`` space (or none) and the text behind it."""
        self.text += white + text if self.text else text
        if "\n" in white:
            self._line = white.rsplit("\n", 1)[1] + text
        elif len(self._line) < _LINE_CHARACTERS:
            self._line += white + text

    def close(self) -> None:
        """The open sentence is complete."""
        self.text = ""

    def ends(self, white: str, character: str) -> bool:
        """Whether the open sentence is complete if this comes next; without a character the text ends here."""
        if not self.text or not character:
            return bool(self.text)
        if "\n" in white and not (self.line in ("text", "item") and white.count("\n") == 1 and character.islower()):
            return True
        if self.text[-1] not in _LAST or self.line == "row":
            return False
        return self._stops(white, character) and self.text.count("[") <= self.text.count("]")

    @property
    def line(self) -> LineKind:
        """What the line is that was read last."""
        if _HEADING.match(self._line):
            return "heading"
        if _ROW.match(self._line):
            return "row"
        return "item" if _ITEM.match(self._line) else "text"

    def _stops(self, white: str, character: str) -> bool:
        end = _END.search(self.text[-_TAIL:])
        if end is None or (not white and character in _LAST):
            return False
        if end["stop"] in _WIDE_STOPS:
            # 「…。」と言った: what is quoted goes on.
            return bool(white) or len(end[0]) == 1 or not _HIRAGANA.match(character)
        if not white:
            return end["stop"] in "!?" and _WIDE.match(character) is not None
        return not character.islower() and not (end["stop"] == "." and self._abbreviated())

    def _abbreviated(self) -> bool:
        if _NUMBER_AND_STOP.fullmatch(self.text):
            return True
        word = _WORD_AND_STOP.search(self.text[-_TAIL:])
        return word is not None and (word[1].lower() in _ABBREVIATIONS or bool(_INITIALS.fullmatch(word[1])))


def bare(sentence: str) -> str:
    """A sentence without the marker of the list or quote that it begins with."""
    found = _MARKER.match(sentence)
    return sentence[found.end() :] if found else sentence


def sentences(text: str) -> list[str]:
    """The sentences of a whole text, without the markers of lists."""
    reader = SentenceReader()
    found: list[str] = []
    for part in re.finditer(r"(\s*)(\S)", text):
        if reader.ends(part[1], part[2]):
            found.append(bare(reader.text))
            reader.close()
        reader.take(part[1], part[2])
    return [*found, bare(reader.text)] if reader.text else found
