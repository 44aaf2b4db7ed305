"""Plain text: bytes to characters, and a text file to a ``Note``."""

from __future__ import annotations

from vaultbridge.core.errors import NoteUnreadable
from vaultbridge.core.notes import FileState, Note, note_name


def decoded(content: bytes) -> str:
    """Decode UTF-8; a byte order mark is left out, line ends stay as they are. Raises NoteUnreadable."""
    try:
        return content.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise NoteUnreadable(f"not UTF-8 at byte {error.start}", "Save it as UTF-8.") from error


def well_formed(text: str) -> str:
    """The text with its surrogates joined, and those that stand alone replaced: only so can it be stored."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def parse(text: str, state: FileState) -> tuple[Note, str]:
    """Take a text file as it is: no front matter, headings, links or tags. Never raises; there is no problem."""
    return plain_note(text, state), ""


def plain_note(text: str, state: FileState) -> Note:
    """A note that is one part and has nothing but its text."""
    return Note(
        path=state.path,
        title=note_name(state.path),
        text=text,
        frontmatter={},
        headings=(),
        links=(),
        tags=(),
        aliases=(),
        blocks=(),
        state=state,
        parts=(0,),
    )
