"""The frame of a prompt: what stands around the notes, and must not be said by a note itself."""

from __future__ import annotations

import re

from vaultbridge.chat.language import LANGUAGES

# Also behind a bullet, or characters that nobody sees.
_HEADER = re.compile(r"[^\w\[]*\[\s*\d{1,3}\s*\]")
# What a base model's document has in front of questions and answers.
_LABEL = re.compile(r"\W*(?:question|answer)\W*[:：]", re.IGNORECASE)
_LINES = frozenset(line.casefold() for words in LANGUAGES for line in (words.opening, words.closing))
_EDGES = re.compile(r"\A[^\w]+|[^\w:：]+\Z")


def framed(number: int, context: str, text: str) -> str:
    """A note as it stands in a prompt, under its number if that is not 0. A line of it that looks like one of the
    frame's becomes a quotation."""
    lines = f"{context}\n{text}".splitlines()
    header = f"[{number}] " if number else ""
    return header + "\n".join(f"> {line}" if _is_frame(line) else line for line in lines)


def _is_frame(line: str) -> bool:
    found = _HEADER.match(line) or _LABEL.match(line)
    return found is not None or _EDGES.sub("", line).casefold() in _LINES
