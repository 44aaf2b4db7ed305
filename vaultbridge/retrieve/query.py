"""Reads a conversation: what is asked, of which notes, and which note is being edited."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from vaultbridge.core.dialogue import Prompt
from vaultbridge.core.search import Scope
from vaultbridge.retrieve.draft import read_draft, user_texts

TAIL_CHARACTERS = 600
"""How much of the last message is the question: editors send everything above the cursor."""
SHORT_WORDS = 5
"""A question of fewer words leans on the turn before it."""

_OPERATOR = re.compile(r"(?<!\S)(?P<name>tag|path):(?:\"(?P<quoted>[^\"]+)\"|(?P<plain>\S+))")
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Question:
    """What to look for. ``editing`` is the title of the note that the text comes from, which must not answer itself."""

    text: str
    scope: Scope
    editing: str = ""


def read_question(prompt: Prompt, scope: Scope) -> Question:
    """The question of a prompt, narrowed to ``scope`` and to what ``tag:`` and ``path:`` in the text say.

    A question of a few words leans on the turn before it, operators included.
    """
    texts = user_texts(prompt)
    if not texts:
        return Question("", scope)
    question = _read(texts[-1], scope)
    if len(texts) > 1 and 0 < len(_WORD.findall(question.text)) < SHORT_WORDS and not _has_cjk(question.text):
        earlier = _read(texts[-2], scope)
        narrowed = question.scope if question.scope != scope else earlier.scope
        question = replace(question, text=f"{earlier.text}\n{question.text}".strip(), scope=narrowed)
    return question


def _read(text: str, scope: Scope) -> Question:
    draft = read_draft(text)
    text, scope = _operators(_tail(draft.text), scope)
    return Question(text, scope, draft.title)


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
    tags: list[str] = []
    folders: list[str] = []
    for match in _OPERATOR.finditer(text):
        value = match["quoted"] or match["plain"]
        if match["name"] == "tag":
            tags.append(value.lstrip("#"))
        else:
            folders.append(value.strip("/"))
    if not tags and not folders:
        return text, scope
    narrowed = replace(scope, tags=_narrowed(scope.tags, tags), folders=_narrowed(scope.folders, folders))
    return _OPERATOR.sub("", text).strip(), narrowed


def _narrowed(given: Sequence[str], asked: Sequence[str]) -> tuple[str, ...]:
    """The asked names that lie within a given one, and the other way round; the given ones if none does.

    A text never sees more than its caller lets it.
    """
    if not given or not asked:
        return tuple(given or asked)
    inside = [name for name in asked if any(_within(name, outer) for outer in given)]
    inside += [name for name in given if any(_within(name, outer) for outer in asked)]
    return tuple(dict.fromkeys(inside)) or tuple(given)


def _within(name: str, outer: str) -> bool:
    """Whether a folder or tag is ``outer`` or below it."""
    outer = outer.strip("/#")
    return not outer or f"{name.strip('/#')}/".startswith(f"{outer}/")


def _has_cjk(text: str) -> bool:
    return any("\u3040" <= character <= "\u9fff" or "\uac00" <= character <= "\ud7a3" for character in text)
