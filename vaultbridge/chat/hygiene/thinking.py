"""Thinking text, whichever reader did not catch it."""

from __future__ import annotations

import re

from vaultbridge.chat.stream import InlineFilter


class ThinkingFilter(InlineFilter):
    """Drops what stands between ``<think>`` and ``</think>``, closed or not, and the white space behind it at the
    beginning of an answer."""

    TOKEN = r"<(?P<end>/?)(?P<name>(?i:think|thinking|reasoning))>"
    HELD = r"<(?:/?[a-zA-Z]{0,9})"

    def __init__(self) -> None:
        super().__init__()
        self._inside = ""
        self._thought = self._shown = False

    def replaced(self, token: re.Match[str]) -> str:
        """Nothing; an end without a beginning is one that the template wrote."""
        if not token["end"]:
            self._inside, self._thought = token["name"].lower(), True
        return ""

    def passed(self, text: str) -> str:
        """What is no thinking."""
        if self._inside:
            return ""
        if self._thought and not self._shown:
            text = text.lstrip()
        self._shown = self._shown or bool(text.strip())
        return text

    def _read(self, token: re.Match[str]) -> str:
        if not self._inside:
            return super()._read(token)
        if token["end"] and token["name"].lower() == self._inside:
            self._inside = ""
        return ""
