"""Sources as text: the line of links under an answer, and how it is taken out of what clients send back."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from vaultbridge.chat.citations import MOST_SOURCES
from vaultbridge.chat.language import LANGUAGES, Phrases
from vaultbridge.core.dialogue import Continuation, Message, Prompt
from vaultbridge.core.search import Citation
from vaultbridge.vault.formats import NOTE_SUFFIXES

_BETWEEN = " · "
_LINK = r"(?:\[\[[^\[\]\n]+\]\]|\[[^\n]+?\]\([^()\s]+\))"
_LABELS = "|".join(re.escape(words.sources) for words in LANGUAGES)
_LINE = re.compile(
    rf"(?:^[> \t\r]*\n)?^[> \t]*(?:{_LABELS}){_LINK}(?:{_BETWEEN}{_LINK})*[ \t\r]*(?:\n|\Z)", re.MULTILINE
)
_SUFFIXES = "|".join(map(re.escape, sorted(NOTE_SUFFIXES)))
_MARK = re.compile(
    rf" ?(?<!!)(?:\[\[[^\[\]|\n]+\|\d{{1,3}}\]\]|\[\d{{1,3}}\]\([^()\s]+(?:{_SUFFIXES})(?:#[^()\s]*)?\))", re.IGNORECASE
)


def sources_line(words: Phrases, citations: Sequence[Citation], behind: str) -> str:
    """An empty line and a line of links to the first three places, to stand behind the text ``behind``."""
    blank = "\n" * max(0, 2 - (len(behind) - len(behind.rstrip("\n"))))
    links = list(dict.fromkeys(citation.link for citation in citations))[:MOST_SOURCES]
    return f"{blank}{words.sources}{_BETWEEN.join(links)}"


def without_sources(text: str) -> str:
    """A text without the lines of sources that we wrote into it, and without the links that marks became.

    Editors send our own answers back as the text above the cursor.
    """
    return _MARK.sub("", _LINE.sub("", text))


def as_written(prompt: Prompt) -> Prompt:
    """A prompt as people and models wrote it: our own sources are neither asked for nor read again."""
    if isinstance(prompt, Continuation):
        return replace(prompt, text=without_sources(prompt.text))
    return replace(prompt, messages=tuple(_as_written(message) for message in prompt.messages))


def _as_written(message: Message) -> Message:
    if message.role not in ("user", "assistant"):
        return message
    parts = tuple(without_sources(part) for part in message.parts)
    return message if parts == message.parts else replace(message, parts=parts)
