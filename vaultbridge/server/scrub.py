"""No path of this computer's disk in what goes out over HTTP, whatever a message was made of."""

from __future__ import annotations

import re

# A folder's name ends before a quote; a space belongs to it unless a sentence ends there.
_FOLDER = r"(?:[^\s/\\'\"`]|(?<![.,;:!?\s])[ ](?=\S))+"
_ROOT = r"(?:file:/+|(?<![\w/.~:-])~?/(?!v1/|api/)(?=[^\s/])|(?<!\w)[A-Za-z]:[\\/]|(?<![\w\\])\\\\)"
_FOLDERS = re.compile(rf"{_ROOT}(?:{_FOLDER}[/\\]+)*")


def without_folders(text: str) -> str:
    """``text`` with every absolute path cut to its last name; the paths of notes and of our routes stay."""
    return _FOLDERS.sub("", text)
