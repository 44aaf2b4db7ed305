"""Links that an answer invents."""

from __future__ import annotations

import re

from vaultbridge.chat.known_links import KnownLinks
from vaultbridge.chat.stream import InlineFilter
from vaultbridge.vault.formats import is_note
from vaultbridge.vault.inline import local_link, wikilink


class LinkFilter(InlineFilter):
    """Leaves real links as they are written; an invented one becomes plain words, an invented heading goes.

    Markdown links are read if they lead to a file of the vault that is a note.
    """

    TOKEN = (
        r"(?P<mark>!?)(?:\[\[(?P<inner>[^\[\]\n]{1,300})\]\]|\[(?P<label>[^\[\]\n]{0,300})\]\((?P<to>[^()\s]{1,300})\))"
    )
    HELD = r"!?\[(?:\[(?:[^\[\]\n]{0,300}\]?)?|[^\[\]\n]{0,300}(?:\](?:\([^()\s]{0,300})?)?)|!"

    def __init__(self, known: KnownLinks) -> None:
        super().__init__()
        self._known = known

    def replaced(self, token: re.Match[str]) -> str:
        """The link, its words, or a shorter link."""
        return self._wikilink(token) if token["inner"] is not None else self._markdown(token)

    def _wikilink(self, token: re.Match[str]) -> str:
        target, fragment, alias = wikilink(token["inner"])
        real = self._known.real(target, fragment)
        if real == (target, fragment):
            return token[0]
        if real is None and target.isdigit():
            return f"[{target}]"  # a mark, which is not for us to decide on
        if real is None:
            return alias or " > ".join(filter(None, [target, *fragment.split("#")])) or token[0]
        place = "#".join(filter(None, real))
        if real[0] != target:
            alias = alias or target
        return f"{token['mark']}[[{place}{'|' + alias if alias else ''}]]"

    def _markdown(self, token: re.Match[str]) -> str:
        found = local_link(token["to"])
        if found is None or not is_note(found[0]):
            return token[0]
        real = self._known.real(*found)
        if real is None:
            return token["label"]
        return token[0] if real == found else f"{token['mark']}[{token['label']}]({token['to'].partition('#')[0]})"
