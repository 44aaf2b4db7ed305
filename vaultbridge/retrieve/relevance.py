"""Whether a chunk speaks of a question at all: no prompt is filled with notes that have nothing to do with it."""

from __future__ import annotations

import re

from vaultbridge.core.notes import Chunk

COVERAGE_FLOOR = 0.6
"""The part of a question's telling words that a chunk must hold to be relevant by its words alone."""
FEWEST_TERMS = 2

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
_TERM = re.compile(r"[\u3040-\u9fff\uac00-\ud7a3]+|[^\W_\u3040-\u9fff\uac00-\ud7a3]{2,}")
# The words that questions are made of. Chinese function words are single characters.
_COMMON = frozenset(
    "a about after all also am an and any are as at be been before but by can could did do does for from get give had "
    "has have how i if in into is it its just know let like list make many may me more most much my need no not of on "
    "one or our out please say should show so some tell than that the their them then there these they this to up us "
    "use using was we were what when where which who why will with would write you your".split()
)
_COMMON_CJK = frozenset("的了是在有和我你他她它们吗呢吧么什怎哪谁这那个与及或就都也很把被请问如何能可以要")


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


def coverage(question: frozenset[str], chunk: Chunk) -> float:
    """The part of the question's terms that the chunk holds, 0 to 1; 0 for a question with too few of them."""
    if len(question) < FEWEST_TERMS:
        return 0.0
    return len(question & terms(chunk.embedded)) / len(question)
