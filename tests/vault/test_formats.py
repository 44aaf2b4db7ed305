"""Which files are notes, and which kind of note each is."""

from __future__ import annotations

import pytest

from tests.vault.pdfs import pdf
from vaultbridge.core.errors import NoteUnreadable
from vaultbridge.core.notes import FileState, Note, NotePath
from vaultbridge.vault.chunking import chunk
from vaultbridge.vault.formats import is_note, read_note


def read(path: str, content: bytes) -> Note:
    note, problem = read_note(content, FileState(NotePath(path), 1, 2, "0" * 64))
    assert problem == ""
    return note


@pytest.mark.parametrize("path", ["a.md", "b/A.MD", "c.canvas", "d.pdf", "D.PDF", "e.txt", "日本.md", "x.tar.txt"])
def test_these_are_notes(path: str) -> None:
    assert is_note(path)


@pytest.mark.parametrize("path", ["a.png", "b.jpg", "md", "a", "pdf/a", "a.md.bak", "a.base", ".md", "a.markdown", ""])
def test_these_are_not(path: str) -> None:
    assert not is_note(path)


@pytest.mark.parametrize(
    ("path", "content", "text", "title"),
    [
        ("a/Bees.MD", b"# Bees\nsting.", "# Bees\nsting.", "Bees"),
        ("a/Board.canvas", b'{"nodes": [{"type": "text", "text": "Bees sting."}]}', "Bees sting.", "Board.canvas"),
        ("a/bees.pdf", pdf(["Bees sting."]), "Bees sting.", "bees.pdf"),
        ("a/bees.txt", b"# Bees [[sting]].", "# Bees [[sting]].", "bees.txt"),
    ],
)
def test_each_kind_is_read_as_what_it_is(path: str, content: bytes, text: str, title: str) -> None:
    note = read(path, content)
    assert (note.text, note.title, note.path) == (text, title, path)
    assert [piece.text for piece in chunk(note)] == [text]


def test_plain_text_is_only_text() -> None:
    content = "---\ntags: no\n---\n\n# No heading\n\n%%\nnot hidden [[No link]] #no ^no\n%%\n\n- one\n- two"
    note = read("log.txt", content.encode())
    assert (note.frontmatter, note.headings, note.links, note.tags, note.blocks) == ({}, (), (), (), ())
    found = chunk(note)
    assert [piece.heading for piece in found] == [()]
    assert "".join(found[0].text.split()) == "".join(content.split())


@pytest.mark.parametrize("suffix", ["md", "txt"])
def test_line_ends_stay_and_a_byte_order_mark_goes(suffix: str) -> None:
    assert read(f"a.{suffix}", b"\xef\xbb\xbfone\r\ntwo\rthree\n\xe2\x80\xa8").text == "one\r\ntwo\rthree\n\u2028"


def test_a_canvas_may_begin_with_a_byte_order_mark() -> None:
    assert read("a.canvas", b'\xef\xbb\xbf{"nodes": [{"type": "text", "text": "Bees"}]}').text == "Bees"


@pytest.mark.parametrize("suffix", ["md", "txt", "canvas"])
def test_what_is_not_utf_8_says_where(suffix: str) -> None:
    with pytest.raises(NoteUnreadable, match="byte 2"):
        read(f"latin.{suffix}", "na\xefve".encode("latin-1"))


@pytest.mark.parametrize(
    "written",
    [
        "![[bed.png|Roses in the upper bed]]",
        "![Roses in the upper bed](bed.png)",
        "![[bed.png]]\n*Roses in the upper bed*",
    ],
)
def test_an_image_is_known_by_its_caption_and_its_link(written: str) -> None:
    note = read("Garden.md", f"# June\n\n{written}\n".encode())
    assert [(link.target, link.embed) for link in note.links] == [("bed.png", True)]
    [piece] = chunk(note)
    assert "Roses in the upper bed" in piece.embedded
    assert "bed.png" in piece.embedded


def test_an_embedded_section_is_a_link_to_it() -> None:
    [link] = read("Garden.md", b"![[Bees#The hive]]").links
    assert (link.target, link.fragment, link.embed) == ("Bees", "The hive", True)
