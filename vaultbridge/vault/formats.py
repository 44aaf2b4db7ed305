"""Which files are notes, and what each kind of them says."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from types import MappingProxyType

from vaultbridge.core.notes import FileState, Note
from vaultbridge.vault import canvas, markdown, pdf, plain

MARKDOWN, PDF = ".md", ".pdf"
_TEXTS: Mapping[str, Callable[[str, FileState], tuple[Note, str]]] = MappingProxyType(
    {MARKDOWN: markdown.parse, ".canvas": canvas.parse, ".txt": plain.parse}
)
NOTE_SUFFIXES = frozenset({*_TEXTS, PDF})
"""The files that are notes, by their suffix in lower case."""
MAX_TEXT_BYTES = 4_000_000
MAX_PDF_BYTES = 50_000_000


def suffix(path: str) -> str:
    """A path's suffix in lower case, with its dot."""
    return os.path.splitext(path)[1].lower()  # noqa: PTH122  a walk asks for every file, and this is ten times as fast


def is_note(path: str) -> bool:
    """Whether a file is a note, by its name."""
    return suffix(path) in NOTE_SUFFIXES


def most_bytes(path: str) -> int:
    """How long a note of that name may be."""
    return MAX_PDF_BYTES if suffix(path) == PDF else MAX_TEXT_BYTES


def read_note(content: bytes, state: FileState) -> tuple[Note, str]:
    """Read a note out of its file's bytes; the second value says what of it could not be read, empty if all is well.

    Raises NoteUnreadable if nothing could, as for text that is not UTF-8 or a file that is not what its name says.
    """
    if suffix(state.path) == PDF:
        return pdf.parse(content, state)
    return _TEXTS[suffix(state.path)](plain.decoded(content), state)
