"""Whether a chunk speaks of a question at all: no prompt is filled with notes that have nothing to do with it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from vaultbridge.core.notes import Chunk

COVERAGE_FLOOR = 0.6
"""The part of a question's telling words that a chunk must hold to be relevant by its words alone."""
COVERAGE_FLOOR_CJK = 0.5
"""The same for a question that is written in CJK characters, where more is left that tells little."""
FEWEST_WORDS = 1.5
WORD_CHARACTERS = 2
"""So many CJK characters count as a word."""

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
_TERM = re.compile(r"[\u3040-\u9fff\uac00-\ud7a3]+|[^\W_\u3040-\u9fff\uac00-\ud7a3]{2,}")
# The words that questions are made of. Chinese function words are single characters.
_COMMON = frozenset(
    "a about after all also am an and any are as at be been before but by can could did do does for from get give had "
    "has have how i if in into is it its just know let like list make many may me more most much my need no not of on "
    "one or our out please say should show so some tell than that the their them then there these they this to up us "
    "use using was we were what when where which who why will with would write you your".split()
)
# Orders say what to do with what is found, not what to find.
_ORDERS = frozenset(
    "brainstorm compare describe explain help idea ideas note notes rewrite suggest summarise summarize summary "
    "translate vault write".split()
)
_COMMON_CJK = frozenset("的了是在有和我你他她它们吗呢吧么什怎哪谁这那个与及或就都也很把被请问如何能可以要")
_COMMON_CJK_WORDS = re.compile(
    "什么时候|的时候|多长时间|时候|时间|多少|多久|多长|多大|多高|多远|几点|几个|几天|星期几|哪里|哪些|哪个|哪一|怎么样|怎么"
    "|为什么|什么|如何|现在|目前|当时|当前|应该|可以|能够|需要|一下|一些|一个|关于|根据|有关|介绍|解释|总结|整理|翻译成|翻译|英文|中文|头脑风暴|告诉|列出"
    "|帮我|帮忙|请问|问题|内容|情况|办法|方法|点子|我们|你们|他们|是否|有没有|没有|还有|以及|因为|所以|但是|如果|这个|那个"
    "|这些|那些|自己|已经|开始|可能|笔记"
)
_CJK_PART = re.compile(rf"[\u3040-\u9fff\uac00-\ud7a3]{{{WORD_CHARACTERS},}}")


def terms(text: str) -> frozenset[str]:
    """A text's telling words, folded: words of two letters or more, and pairs of neighbouring CJK characters."""
    found: set[str] = set()
    for run in _TERM.findall(text.casefold()):
        if run[0] >= "\u3040":
            found |= {run[i : i + 2] for i in range(len(run) - 1) if not _COMMON_CJK.intersection(run[i : i + 2])}
        elif run not in _COMMON:
            found.add(run)
    return frozenset(found)


def telling(text: str) -> str:
    """A question without the words that questions are made of, for the keyword lane; itself if nothing else is left.

    They are rare in notes full of code or tables, so BM25 would take them for the important ones.
    """
    kept = _WORD.sub(lambda word: "" if word[0].casefold() in _COMMON else word[0], text)
    return kept if _WORD.search(kept) else text


@dataclass(frozen=True)
class Asked:
    """The telling words of a question. A CJK character counts where a chunk holds it and its neighbour together: where
    words begin and end need not be known."""

    text: str

    @cached_property
    def _words(self) -> frozenset[str]:
        return frozenset(term for term in terms(self.text) - _ORDERS if term[0] < "\u3040")

    @cached_property
    def _parts(self) -> tuple[str, ...]:
        plain = "".join(" " if letter in _COMMON_CJK else letter for letter in _COMMON_CJK_WORDS.sub(" ", self.text))
        return tuple(dict.fromkeys(_CJK_PART.findall(plain)))

    @cached_property
    def _size(self) -> float:
        return len(self._words) + sum(map(len, self._parts)) / WORD_CHARACTERS

    @property
    def tells(self) -> bool:
        """Whether there is enough of them to find anything by."""
        return self._size >= FEWEST_WORDS

    def coverage(self, chunk: Chunk) -> float:
        """The part of the words that the chunk holds, 0 to 1; 0 for a question with too few of them."""
        if not self.tells:
            return 0.0
        held = len(self._words & terms(chunk.embedded)) if self._words else 0
        return (held + sum(_held(part, chunk.embedded) for part in self._parts) / WORD_CHARACTERS) / self._size

    def shown_by(self, chunk: Chunk) -> float:
        """How far the words alone show that the chunk speaks of the question; from 1 on they do."""
        return self.coverage(chunk) / (COVERAGE_FLOOR_CJK if len(self._parts) > len(self._words) else COVERAGE_FLOOR)


def _held(part: str, text: str) -> int:
    """How many characters of a run stand in the text beside a neighbour of theirs."""
    pairs = [part[at : at + 2] in text for at in range(len(part) - 1)]
    return sum(before or behind for before, behind in zip([False, *pairs], [*pairs, False], strict=True))
