"""Which notes stay out of the index by what stands in them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from vaultbridge.core.notes import Note
from vaultbridge.vault import frontmatter

PROPERTY = "vaultbridge"
"""The property of a note's front matter that speaks to this program."""
WORD = "private"
"""Its value, or one of them, that keeps the note out."""
CHAT_KIND = "vaultbridge-chat"
"""What our Obsidian plugin writes as ``type`` into the notes that it keeps chats in."""

PRIVATE = f"private: its front matter says {PROPERTY}: {WORD}"
PERHAPS_PRIVATE = f"private: its front matter cannot be read, and names {PROPERTY} and {WORD}"
CHAT = f"a chat of the Obsidian plugin: its front matter says type: {CHAT_KIND}"

# Three dashes are a horizontal rule as well; a property in the next line tells that they are not.
_BEGUN = re.compile(r"---[ \t]*(?:\r\n?|\n)([ \t]*[\w-]+[ \t]*:.*?)(?:(?:\r\n?|\n)[ \t]*(?:\r|\n)|\Z)", re.DOTALL)
_PERHAPS = re.compile(rf"\b{PROPERTY}\b.*\b{WORD}\b", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class ContentRules:
    """What is asked of a note once it is parsed and before anything else sees it.

    ``tags``: excluded ones, folded and without ``#``, each with the reason that is told. A tag covers those below it.
    """

    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def reasons(self) -> frozenset[str]:
        """Everything that ``reason`` may say: what an older set of rules said is asked again."""
        return frozenset({PRIVATE, PERHAPS_PRIVATE, CHAT, *self.tags.values()})

    def reason(self, note: Note, problem: str = "") -> str:
        """Say which rule keeps a note out of the index; empty if none does.

        Front matter that has a ``problem``, or is never closed, says nothing for certain: then it is enough that it
        names what would keep the note out.
        """
        properties = {name.casefold(): value for name, value in note.frontmatter.items()}
        if WORD in _words(properties.get(PROPERTY)):
            return PRIVATE
        if CHAT_KIND in _words(properties.get("type")):
            return CHAT
        if tagged := self.tagged(note.tags):
            return tagged
        unread = _unread(note.text, problem)
        if _PERHAPS.search(unread):
            return PERHAPS_PRIVATE
        named = (reason for tag, reason in self.tags.items() if re.search(rf"(?<!\w){re.escape(tag)}(?!\w)", unread))
        return next(named, "")

    def tagged(self, tags: Iterable[str]) -> str:
        """Say which of a note's tags keeps it out; empty if none does."""
        folded = [tag.casefold() for tag in tags]
        taken = (
            reason
            for excluded, reason in self.tags.items()
            if any(tag == excluded or tag.startswith(f"{excluded}/") for tag in folded)
        )
        return next(taken, "")


def _words(value: object) -> frozenset[str]:
    """The texts of a property that is one or a list of them, folded."""
    values = value if isinstance(value, list) else [value]
    return frozenset(value.strip().casefold() for value in values if isinstance(value, str))


def _unread(text: str, problem: str) -> str:
    """Front matter that nobody could read: broken, or begun and not closed. Folded; empty if there is none."""
    source, end = frontmatter.split(text)
    if end:
        return source.casefold() if problem else ""
    begun = _BEGUN.match(text[: frontmatter.MAX_FRONTMATTER])
    return begun[1].casefold() if begun else ""
