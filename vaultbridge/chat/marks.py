"""The marks in an answer that point to its notes: those that hold are kept, those that lack are set."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set

from vaultbridge.chat.events import Unsupported
from vaultbridge.chat.sentences import SentenceReader, bare
from vaultbridge.chat.stream import InlineFilter
from vaultbridge.chat.support import CLEAR, MARKED, Support, best, tells
from vaultbridge.core.notes import note_name
from vaultbridge.core.search import Citation
from vaultbridge.retrieve.draft import in_a_sentence
from vaultbridge.vault.measure import WIDE

_NUMBER = r"\^?(?:(?:[Nn]otes?|[Ss]ources?|笔记|来源|ノート|出典|노트|출처)[:：]? ?)?#?[1-9]\d{0,2}"
_NUMBERS = rf"{_NUMBER}(?: ?(?:[,;，、；&–—~-]|and|和|と) ?{_NUMBER}){{0,5}}"
# What may become one, character by character; a little more, but not words.
_WORD_BEGUN = r"(?:[Nn]o?t?e?s?|[Ss]o?u?r?c?e?s?|笔记?|来源?|ノー?ト?|出典?|노트?|출처?)?[:：]? ?"
_NUMBERS_BEGUN = (
    rf"\^?{_WORD_BEGUN}#?(?:[1-9][\d #^,;:：，、；&–—~\-andotesurcNS和と笔记来源ノート出典노트출처]{{0,110}})?"
)
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_SHOWN_SUPERSCRIPT = re.compile(rf"(?:[^\W\d_]{{4}}|[{WIDE}.,;!?)\]\"”’])\Z")
_RANGE = re.compile(r"(\d+)(?: ?[–—~-] ?(\d+))?")
_LONGEST_RANGE = 10

_NO_CLAIM = re.compile(r"[?？:：][\"'*_)”’」』）]*\Z")
_REFERS = re.compile(
    r"(?:\b(?:to|in|by|from|per|see|of|notes?|sources?|documents?|passages?)|根据|参见|笔记|来源|在|ノート|노트)\Z",
    re.IGNORECASE,
)
_WIDE_END = re.compile(rf"[{WIDE}”’]\Z")


class MarkFilter(InlineFilter):
    """Decides on an answer's marks, and sets those that are missing.

    A mark stays, in one form whatever the model's was, if its note stands and holds enough of the sentence in front of
    it. A sentence without one gets one behind its end if a note clearly holds it. ``own`` says how the model's marks
    are shown, ``inserted`` how those that we set are. Code and an answer that is a JSON object are left alone, and
    headings have no marks. White space is held until what follows it is known, so that a mark can stand in front of it.
    Notes that are in ``gone`` by the time that a mark is due are not cited.

    ``credit`` says how much of the answer each cited note holds, in characters; ``unsupported`` are the sentences that
    none does. ``cut``: the text ends where its tokens did.
    """

    TOKEN = (
        rf"(?P<mark>(?<!\[)\[{_NUMBERS}\](?![\](])|【{_NUMBERS}(?:†[^】\n]{{0,30}})?】|［{_NUMBERS}］"
        r"|<sup>\[?[1-9]\d{0,2}(?:, ?[1-9]\d{0,2}){0,5}\]?</sup>|(?P<raised>[¹²³⁴-⁹][⁰¹²³⁴-⁹]{0,2}))"
    )
    HELD = (
        rf"\[{{1,2}}{_NUMBERS_BEGUN}\]{{0,2}}|【{_NUMBERS_BEGUN}(?:†[^】\n]{{0,30}})?|［{_NUMBERS_BEGUN}"
        r"|<(?:s(?:u(?:p(?:>(?:\[?(?:[1-9][\d, ]{0,30})?\]?(?:<(?:/(?:s(?:up?)?)?)?)?)?)?)?)?)?|[⁰¹²³⁴-⁹]{1,3}"
    )

    def __init__(
        self,
        citations: Sequence[Citation],
        support: Support,
        own: Mapping[int, str],
        inserted: Mapping[int, str],
        gone: Set[str] = frozenset(),
    ) -> None:
        super().__init__()
        self._citations = {citation.number: citation for citation in citations}
        self._support = support
        self._own = own
        self._inserted = inserted
        self._gone = gone
        self._reader = SentenceReader()
        self._white = ""  # space that is held
        self._swallows = False  # the space behind a mark that vanished at the beginning of a line
        self._coded = ""  # the code in which the last character stood
        self._object = False  # the answer is one, asked for in words
        self._sent = 0
        self._start = 0  # of the open sentence
        self._marked: list[int] = []  # in the open sentence
        self.credit: Counter[int] = Counter()
        self.unsupported: list[Unsupported] = []
        self.cut = False

    def passed(self, text: str) -> str:
        """Text and code as they are, with the marks that lack."""
        return "".join(self._passed(text))

    def replaced(self, token: re.Match[str]) -> str:
        """The marks that hold."""
        said = bare(self._reader.text)
        if self._object or (token["raised"] and not (_SHOWN_SUPERSCRIPT.search(said) and not self._white)):
            return self.passed(token[0])
        numbers = [number for number in _numbers(token["mark"]) if self._stands(number)]
        if self._reader.line == "heading":
            numbers = []
        elif numbers and _REFERS.search(said) and not tells(said):
            return self.passed(note_name(self._citations[numbers[0]].path))
        held = self._support.of(said)
        numbers = [number for number in numbers if held.get(number, 0.0) >= MARKED and number not in self._marked]
        self._marked += numbers
        return self._shown("".join(self._own[number] for number in numbers))

    def finish(self) -> str:
        """What was still held back, and the last mark."""
        rest = super().finish()
        if self._reader.text:
            rest += self._emit(self._ended(whole=not (self.cut and in_a_sentence(self._reader.text))))
        white, self._white = self._white, ""
        return rest + self._emit(white)

    def _passed(self, text: str) -> Iterator[str]:
        for character in text:
            if character.isspace():
                if not (self._swallows and character == " "):
                    self._white += character
                continue
            self._swallows = False
            if not self._coded and self._ends(character):
                yield self._emit(self._ended())
            white, self._white = self._white, ""
            self._object = self._object or (character == "{" and not self._sent)
            if not self._object and len(self._code) < 3 and len(self._coded) < 3:
                if not self._reader.text:
                    self._start = self._sent + len(white)
                self._reader.take(white, character)
            yield self._emit(white + character)
        self._coded = self._code

    def _ends(self, character: str) -> bool:
        """Whether the open sentence ends in front of the held space; a fence ends any."""
        if len(self._code) >= 3:
            return bool(self._reader.text)
        return self._reader.ends(self._white, character)

    def _ended(self, *, whole: bool = True) -> str:
        """Judge the open sentence; the mark that it lacks."""
        said = self._reader.text
        line, claim = self._reader.line, bare(said)
        marked, self._marked = self._marked, []
        self._reader.close()
        judged = whole and line != "heading" and self._citations and not _NO_CLAIM.search(said)
        held = self._support.of(claim)
        missing = ""
        if judged and not marked and tells(claim):
            number, support = best(held, [number for number in held if self._stands(number)])
            if support >= CLEAR and line != "row":
                marked = [number]
                if shown := self._inserted[number]:
                    missing = shown if _WIDE_END.search(said) else f" {shown}"
            elif support < MARKED:
                start = self._start + len(said) - len(claim)
                self.unsupported.append(Unsupported(start, self._sent, support))
        for number in marked:
            self.credit[number] += max(1, round(held[number] * len(claim)))
        return missing

    def _shown(self, marks: str) -> str:
        """Marks behind the held space; without any, one space goes too."""
        white, self._white = self._white, ""
        if marks:
            return self._emit(white + (marks.replace("|", r"\|") if self._reader.line == "row" else marks))
        self._white = white.rstrip(" ")
        self._swallows = not self._reader.text or bool(self._white)
        return ""

    def _stands(self, number: int) -> bool:
        return number in self._citations and self._citations[number].path not in self._gone

    def _emit(self, text: str) -> str:
        self._sent += len(text)
        return text


def _numbers(mark: str) -> list[int]:
    """The numbers of a mark, each once; ``1-3`` are three."""
    found: dict[int, None] = {}
    for first, last in _RANGE.findall(mark.translate(_SUPERSCRIPTS).partition("†")[0]):
        end = int(last) if last and int(last) - int(first) in range(_LONGEST_RANGE) else int(first)
        found.update(dict.fromkeys(range(int(first), end + 1)))
        if last:
            found[int(last)] = None
    return list(found)
