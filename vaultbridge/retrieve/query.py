"""Reads a conversation: what is asked, of which notes, of what time, and which note is being edited."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from vaultbridge.core.dialogue import Continuation, Prompt
from vaultbridge.core.search import Period, Scope
from vaultbridge.retrieve.dates import read_periods
from vaultbridge.retrieve.draft import read_draft, user_texts
from vaultbridge.retrieve.relevance import Asked
from vaultbridge.retrieve.timing import within

TAIL_CHARACTERS = 600
"""How much of the last message is the question: editors send everything above the cursor."""
SHORT_WORDS = 5
"""A question of fewer words leans on the turn before it."""
POINTING_WORDS = 12
POINTING_CHARACTERS = 20
"""One with a pronoun may have so many words, or Chinese characters, and still lean."""
MOST_TURNS = 3
"""Turns that are read together at the most."""
SEARCH_CHARACTERS = 200
"""A line that is longer is prose: its quotes, dashes and ``#tags`` are meant as they stand."""

_OPERATOR = re.compile(r"(?<!\S)(?P<name>tag|path|file):(?:\"(?P<quoted>[^\"]+)\"|(?P<plain>\S+))")
_HASHTAG = r"#(?P<tag>[^\W\d_][\w/-]*)"
# In the middle of a sentence a tag is what the sentence speaks of.
_HASHTAG_AT_AN_END = re.compile(rf"\A\s*{_HASHTAG}(?=\s|\Z)|(?<!\S){_HASHTAG.replace('tag>', 'last>')}\s*\Z")
# Likewise ``ls -all dir``: only what stands at the end is left out of the search.
_WITHOUT = re.compile(
    r"(?:\A|\s+)-(?:\"(?P<quoted>[^\"]+)\"|\[\[(?P<note>[^\[\]|#]+)\]\]|(?P<plain>[^\W\d_]\w{2,}))\s*\Z"
)
_PHRASE = re.compile(r"(?<!\w)\"([^\"\n]{2,60})\"|“([^”\n]{2,60})”|「([^」\n]{2,60})」")
_WORD = re.compile(r"[^\W_]+")
_CJK = re.compile("[\u3040-\u9fff\uac00-\ud7a3]")

_GO_ON = re.compile(
    r"\A\s*(?:(?:please )?(?:continue|complete|finish|extend)\b[^\n:]{0,80}:"
    r"|请?(?:继续写|接着写|续写|补全)[^\n：:]{0,20}[：:])\s*",
    re.IGNORECASE,
)
"""An order to go on, which says nothing of what the text below is about."""
_POINTS = re.compile(
    r"\b(?:it|its|they|them|their|he|she|him|her|this|these|those)\b|\b(?:that|ones?)\W*\Z", re.IGNORECASE
)
_POINTS_CJK = re.compile(
    r"\A\W*(?:那|还有|然后|另外|再)|呢\W*\Z|\A\W*(?:为什么|怎么说|具体|例如|比如|继续)\W*\Z"
    r"|它|他们|她们|其中|(?:这|那)(?:个|些|种)|上述|前者|后者"
)
# What was written when, not what is written about a time.
_TIME_OF_NOTES = re.compile(
    r"\b(?:notes?|entries|entry|pages?|journals?)\s+(?:that (?:i|we)\s+\w+\s+)?(?:written |made |added |changed |"
    r"|edited |updated |created |modified )?(?:from|of|since|in|during|before|until|last|this|yesterday|today)\b"
    r"|\b(?:did|have|had)\s+(?:i|we)\s+(?:\w+\s+)?(?:write|note|add|change|edit|update|create)(?:n|d|ten)?\b"
    r"|\b(?:i|we)\s+(?:wrote|noted|added|changed|edited|updated|created)\b"
    r"|(?:写|记|改|更新|新增|添加|编辑|创建|修改)(?:了|过|的|下)|的(?:所有)?(?:笔记|日记)",
    re.IGNORECASE,
)
_OF_DAYS = re.compile(
    r"\b(?:i|me|my|we|us|our|notes?|journals?|diary|happen(?:s|ed|ing)?)\b|我|发生|日记|笔记|日志", re.IGNORECASE
)
"""What daily notes tell."""
_ABOUT_A_TIME = re.compile(r"\b(?:about|mention\w*|regarding|concerning|say|says)\b|关于|提到|有关", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Question:
    """What to look for. ``editing`` is the title of the note that the text comes from, which must not answer itself.

    ``phrases``, ``without``, ``period`` and ``diary`` are those of a Query. Where only notes of the period are asked
    for, the scope says so.
    """

    text: str
    scope: Scope
    editing: str = ""
    phrases: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    period: Period | None = None
    diary: bool = False


def read_question(prompt: Prompt, scope: Scope, now: datetime | None = None) -> Question:
    """The question of a prompt, narrowed to ``scope`` and to what the operators and dates in the text say.

    Operators: ``tag:``, ``#tag``, ``path:``, ``file:``, ``-word``, ``"a phrase"``. Dates are read as seen from ``now``,
    in its time zone; without it they are only words. A question of a few words, or one that points back, is completed
    by the turns before it, operators included.
    """
    texts = user_texts(prompt)[-MOST_TURNS:]
    if not texts:
        return Question("", scope)
    if isinstance(prompt, Continuation):
        draft = read_draft(texts[-1])
        text, narrowed = _operators(_tail(draft.text), scope)
        return Question(text, narrowed, draft.title)
    question = _read(texts.pop(), scope, now)
    newest = question
    while texts and _leans(newest.text):
        newest = earlier = _read(texts.pop(), scope, now)
        question = replace(
            question,
            text=f"{earlier.text}\n{question.text}".strip(),
            scope=question.scope if question.scope != scope else earlier.scope,
            without=question.without or earlier.without,
            period=question.period or earlier.period,
            diary=question.diary if question.period else earlier.diary,
        )
    return question


def _leans(text: str) -> bool:
    """Whether a question needs the turn before it to be understood."""
    if characters := len(_CJK.findall(text)):
        points = _POINTS_CJK.search(text) is not None
        return characters <= POINTING_CHARACTERS and (points or not Asked(text).tells)
    words = len(_WORD.findall(text))
    return 0 < words < SHORT_WORDS or (words <= POINTING_WORDS and _POINTS.search(text) is not None)


def _read(text: str, scope: Scope, now: datetime | None) -> Question:
    draft = read_draft(text)
    text, scope = _operators(_tail(_GO_ON.sub("", draft.text)), scope)
    phrases: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    if "\n" not in text and len(text) <= SEARCH_CHARACTERS:
        text, without = _excluded(text)
        text, scope = _hashtags(text, scope)
        phrases = tuple(dict.fromkeys(next(filter(None, groups)).strip() for groups in _PHRASE.findall(text)))
    periods = read_periods(text, now) if now is not None else []
    period = periods[0] if periods else None
    if period is not None and not period.named and _TIME_OF_NOTES.search(text) and not _ABOUT_A_TIME.search(text):
        scope = within(scope, period)
    diary = period is not None and not period.newest and (period.named or _OF_DAYS.search(text) is not None)
    return Question(text, scope, draft.title, tuple(filter(None, phrases)), without, period, diary)


def _tail(text: str) -> str:
    """The end of a text, begun at a paragraph, a line or a word."""
    text = text.strip()
    if len(text) <= TAIL_CHARACTERS:
        return text
    tail = text[-TAIL_CHARACTERS:]
    for border in ("\n\n", "\n", " "):
        if border in tail:
            return tail[tail.index(border) :].strip()
    return tail


def _operators(text: str, scope: Scope) -> tuple[str, Scope]:
    said: dict[str, list[str]] = {"tag": [], "path": [], "file": []}
    for match in _OPERATOR.finditer(text):
        said[match["name"]].append((match["quoted"] or match["plain"]).strip())
    if not any(said.values()):
        return text, scope
    narrowed = replace(
        scope,
        tags=_narrowed(scope.tags, [tag.lstrip("#") for tag in said["tag"]], _below),
        folders=_narrowed(scope.folders, [folder.strip("/") for folder in said["path"]], _below),
        names=_narrowed(scope.names, [name for name in said["file"] if name], _holds),
    )
    return _OPERATOR.sub("", text).strip(), narrowed


def _excluded(text: str) -> tuple[str, tuple[str, ...]]:
    """The text without the exclusions at its end, and these; a text of nothing else is left as it is."""
    words: list[str] = []
    rest = text
    while match := _WITHOUT.search(rest):
        words.insert(0, (match["quoted"] or match["note"] or match["plain"]).strip())
        rest = rest[: match.start()]
    return (rest.strip(), tuple(filter(None, words))) if rest.strip() else (text, ())


def _hashtags(text: str, scope: Scope) -> tuple[str, Scope]:
    """The text without the tags at its ends, and the scope that they narrow; a text of tags alone is left as it is."""
    tags: list[str] = []
    rest = text
    while match := _HASHTAG_AT_AN_END.search(rest):
        tags.append(match["tag"] or match["last"])
        rest = f"{rest[: match.start()]}{rest[match.end() :]}".strip()
    return (rest, replace(scope, tags=_narrowed(scope.tags, tags, _below))) if tags and rest else (text, scope)


def _narrowed(given: Sequence[str], asked: Sequence[str], within: Callable[[str, str], bool]) -> tuple[str, ...]:
    """The asked names that lie within a given one, and the other way round; the given ones if none does.

    A text never sees more than its caller lets it.
    """
    if not given or not asked:
        return tuple(given or asked)
    inside = [name for name in asked if any(within(name, outer) for outer in given)]
    inside += [name for name in given if any(within(name, outer) for outer in asked)]
    return tuple(dict.fromkeys(inside)) or tuple(given)


def _below(name: str, outer: str) -> bool:
    """Whether a folder or tag is ``outer`` or below it."""
    outer = outer.strip("/#")
    return not outer or f"{name.strip('/#')}/".startswith(f"{outer}/")


def _holds(name: str, outer: str) -> bool:
    """Whether a note whose name has ``name`` in it has ``outer`` in it too."""
    return outer.casefold() in name.casefold()
