"""PDF: a file's bytes to a ``Note`` whose headings are its pages."""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from time import monotonic
from typing import TYPE_CHECKING

from vaultbridge.core.errors import NoteUnreadable
from vaultbridge.core.notes import FileState, Heading, Note, Span
from vaultbridge.vault.plain import plain_note, well_formed

if TYPE_CHECKING:
    from pypdf import PageObject, PdfReader

MAX_PAGES = 5_000
MAX_CHARACTERS = 4_000_000
MAX_SECONDS = 60.0
MAX_STREAM_BYTES = 20_000_000
"""What one stream of a file may grow to when it is unpacked; that of a page of text has some thousands."""
MAX_OPERATIONS = 1_000_000
"""Drawing instructions and their operands that one page may have."""

_BETWEEN_PAGES = "\n\n"
_NAMED_PAGES = 5
_HYPHENATED = re.compile(r"(?<=[^\W\d_])[-\u2010\u00ad]\n(?=[^\W\d_])")
_CONTROL = re.compile(r"[\0-\x08\x0b-\x1f\x7f\u00ad]")
# Shapes that fonts have and nobody types: Latin ligatures, and radicals in the place of whole Chinese characters.
_SHAPES = {code: unicodedata.normalize("NFKC", chr(code)) for code in (*range(0xFB00, 0xFB07), *range(0x2F00, 0x2FD6))}


class _Late(Exception):
    """The time for a file is over."""


def parse(content: bytes, state: FileState) -> tuple[Note, str]:
    """Read the text of a PDF, page by page; the second value says what of it could not be read.

    The text is of our making: the pages in their order, with an empty line between them. Each of them is a heading,
    ``page=3``, as Obsidian links to it. A password, pages without text, broken ones, and whatever is beyond the limits
    of this file, are such a problem. Raises NoteUnreadable if the file cannot be opened.

    The file may be hostile: what its streams unpack to is bounded, and the clock is looked at before each drawing
    instruction. A page whose fonts alone take minutes would hold up its reader for that long.
    """
    from pypdf import PdfReader, apply_configuration
    from pypdf.errors import FileNotDecryptedError

    # It warns of every oddity of a file, at times with words of its text.
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    with apply_configuration(
        maximum_declared_stream_length=len(content),
        array_based_stream_maximum_output_length=MAX_STREAM_BYTES,
        lzw_maximum_output_length=MAX_STREAM_BYTES,
        run_length_maximum_output_length=MAX_STREAM_BYTES,
        zlib_maximum_output_length=MAX_STREAM_BYTES,
        stream_parsing_work_maximum_count=MAX_OPERATIONS,
    ):
        try:
            texts, problem = _read(PdfReader(BytesIO(content)))
        except FileNotDecryptedError:
            return plain_note("", state), "encrypted: it needs a password"
        except Exception as error:  # a broken file raises whatever comes
            raise NoteUnreadable(f"cannot be read as a PDF ({type(error).__name__})") from error
    return _note(texts, state), problem


def _read(reader: PdfReader) -> tuple[list[str], str]:
    """The texts of the pages as far as they are read, and what is missing."""
    deadline = monotonic() + MAX_SECONDS
    pages = reader.pages
    texts: list[str] = []
    broken: list[int] = []
    problems: list[str] = []
    room = MAX_CHARACTERS
    for number in range(1, len(pages) + 1):
        if number > MAX_PAGES or room <= 0:
            problems.append(f"longer than {MAX_PAGES} pages or {MAX_CHARACTERS} characters: read to page {number - 1}")
            break
        try:
            text = _clean(_text(pages[number - 1], deadline))[:room]
        except _Late:
            problems.append(f"takes more than {MAX_SECONDS:.0f} seconds: read to page {number - 1}")
            break
        except Exception:  # noqa: BLE001  a broken page raises whatever comes, and the others may be well
            broken.append(number)
            text = ""
        texts.append(text)
        room -= len(text)
    if broken:
        problems.append(f"broken pages: {_listed(broken)}")
    if not any(texts) and not problems:
        problems.append("no text: it may be scanned")
    return texts, "; ".join(problems)


def _text(page: PageObject, deadline: float) -> str:
    def look(*_: object) -> None:
        if monotonic() > deadline:
            raise _Late

    look()
    return page.extract_text(visitor_operand_before=look)


def _clean(text: str) -> str:
    """A page's text with what belongs to its setting undone: line ends, broken words, shapes of letters."""
    lines = "\n".join(line.rstrip() for line in well_formed(text).translate(_SHAPES).splitlines())
    return unicodedata.normalize("NFC", _CONTROL.sub("", _HYPHENATED.sub("", lines))).strip()


def _note(texts: Sequence[str], state: FileState) -> Note:
    whole = _BETWEEN_PAGES.join(filter(None, texts))
    headings: list[Heading] = []
    parts: list[int] = []
    at, line = 0, 1
    for number, text in enumerate(texts, start=1):
        end, last = at + len(text), line + text.count("\n")
        headings.append(Heading(1, f"page={number}", Span(at, end, line, last)))
        if text:
            parts.append(at)
            at, line = end, last
            if end < len(whole):
                at, line = at + len(_BETWEEN_PAGES), line + len(_BETWEEN_PAGES)
    return replace(plain_note(whole, state), headings=tuple(headings), parts=tuple(parts) or (0,))


def _listed(numbers: Sequence[int]) -> str:
    named = ", ".join(map(str, numbers[:_NAMED_PAGES]))
    return named if len(numbers) <= _NAMED_PAGES else f"{named} and {len(numbers) - _NAMED_PAGES} more"
