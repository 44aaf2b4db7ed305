"""PDFs: their pages, what is wrong with them, and that none of them hurts."""

from __future__ import annotations

import zlib
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.vault.pdfs import encrypted, pdf, written
from vaultbridge.core.errors import NoteUnreadable
from vaultbridge.core.notes import FileState, Note, NotePath
from vaultbridge.vault import pdf as reader
from vaultbridge.vault.chunking import chunk
from vaultbridge.vault.pdf import parse

STATE = FileState(NotePath("papers/Soil report.pdf"), 1, 2, "0" * 64)
SENTENCES = "\n".join(
    f"Sentence {number} tells what the soil of bed {number} is like in spring." for number in range(60)
)
THREE = pdf(["Clay holds water.\nSand does not.", "", SENTENCES])


def parsed(content: bytes) -> Note:
    note, problem = parse(content, STATE)
    assert problem == ""
    return note


def check(note: Note) -> None:
    """What holds for every PDF that can be read."""
    pages = [note.text[heading.span.start : heading.span.end] for heading in note.headings]
    assert [heading.text for heading in note.headings] == [f"page={number}" for number in range(1, len(pages) + 1)]
    assert "\n\n".join(filter(None, pages)) == note.text
    for heading in note.headings:
        assert heading.span.start_line == note.text.count("\n", 0, heading.span.start) + 1
        assert heading.span.end_line == note.text.count("\n", 0, heading.span.end) + 1
    note.text.encode()
    found = chunk(note)
    for piece in found:
        assert piece.text == note.text[piece.span.start : piece.span.end]
        [name] = piece.heading
        page = next(heading for heading in note.headings if heading.text == name)
        assert page.span.start <= piece.span.start < piece.span.end <= page.span.end
    assert all(one.span.end <= two.span.start for one, two in pairwise(found))
    assert "".join("".join(piece.text for piece in found).split()) == "".join(note.text.split())


def test_a_chunk_knows_its_page_and_crosses_none() -> None:
    note = parsed(THREE)
    check(note)
    assert note.title == "Soil report.pdf"
    assert (note.links, note.tags, note.aliases, note.frontmatter) == ((), (), (), {})
    first, *others = chunk(note)
    assert (first.text, first.heading) == ("Clay holds water.\nSand does not.", ("page=1",))
    assert len(others) > 1
    assert {piece.heading for piece in others} == {("page=3",)}
    assert first.context == "Soil report.pdf > page=1"


def test_what_looks_like_markdown_is_text() -> None:
    text = "---\ntags: no\n---\n# No heading #no [[No link]]\n%%\nnot hidden\n%%\n```\nnot closed"
    note = parsed(pdf([text, "After"]))
    check(note)
    assert [heading.text for heading in note.headings] == ["page=1", "page=2"]
    assert (note.links, note.tags, note.frontmatter) == ((), (), {})
    assert "not hidden" in chunk(note)[0].text


def test_what_setting_did_to_words_is_undone() -> None:
    note = parsed(pdf(["The compo-\nsition of the soil  \nis 3-\n4 parts clay."]))
    assert note.text == "The composition of the soil\nis 3-\n4 parts clay."


def test_shapes_of_letters_are_letters() -> None:
    cmap = b"1 begincodespacerange <00> <ff> endcodespacerange 4 beginbfchar <41> <fb01> <42> <2f2c> <43> <00650301>"
    cmap += b" <44> <d835> endbfchar"
    page = b"BT /F1 11 Tf 72 720 Td (ABCD) Tj ET"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /Resources << /Font << /F1 5 0 R >> >> /Contents 4 0 R >>",
        b"<< /Length %d >>\nstream\n%b\nendstream" % (len(page), page),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /ToUnicode 6 0 R >>",
        b"<< /Length %d >>\nstream\n%b\nendstream" % (len(cmap), cmap),
    ]
    note = parsed(written(objects))
    # The ligature, the radical, the accent; half a character is none.
    assert note.text == "fi\u5c6e\u00e9\ufffd"


# --- what cannot be read ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["RC4-128", "AES-128", "AES-256"])
def test_a_password_is_the_reason_and_the_text_is_not_kept(algorithm: str) -> None:
    note, problem = parse(encrypted(THREE, "secret", algorithm=algorithm), STATE)
    assert problem == "encrypted: it needs a password"
    assert (note.text, note.headings, chunk(note)) == ("", (), ())


@pytest.mark.parametrize("algorithm", ["RC4-128", "AES-128", "AES-256"])
def test_a_file_that_only_its_owner_may_change_is_read(algorithm: str) -> None:
    assert parsed(encrypted(THREE, "", algorithm=algorithm)).text == parsed(THREE).text


@pytest.mark.parametrize(
    "content", [b"", b"%PDF-1.7", b"no pdf at all", THREE[:40], THREE[: len(THREE) // 2], b"\0" * 999]
)
def test_what_is_broken_is_one_reason(content: bytes) -> None:
    with pytest.raises(NoteUnreadable, match="cannot be read as a PDF"):
        parse(content, STATE)


def test_pages_without_text_may_be_scanned() -> None:
    note, problem = parse(pdf(["", ""]), STATE)
    assert problem == "no text: it may be scanned"
    assert [heading.text for heading in note.headings] == ["page=1", "page=2"]
    assert chunk(note) == ()


def test_a_broken_page_costs_that_page() -> None:
    broken = pdf(["Before."], operations=[b"BT (never closed", b"BT /F1 11 Tf (After.) Tj ET"])
    note, problem = parse(broken.replace(b"<< /Length 16 >>", b"<< /Filter /LZWDecode /Length 16 >>"), STATE)
    assert problem == "broken pages: 2"
    check(note)
    assert note.text == "Before.\n\nAfter."
    assert chunk(note)[-1].heading == ("page=3",)


# --- what is too much -------------------------------------------------------------------------------------------------


def test_pages_beyond_the_limit_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MAX_PAGES", 2)
    note, problem = parse(pdf(["One.", "Two.", "Three."]), STATE)
    assert problem.startswith("longer than 2 pages")
    assert problem.endswith("read to page 2")
    check(note)
    assert note.text == "One.\n\nTwo."


def test_characters_beyond_the_limit_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MAX_CHARACTERS", 6)
    note, problem = parse(pdf(["One.", "Two.", "Three."]), STATE)
    assert "6 characters: read to page 2" in problem
    check(note)
    assert note.text == "One.\n\nTw"


def test_a_file_that_takes_too_long_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MAX_SECONDS", -1.0)
    note, problem = parse(THREE, STATE)
    assert problem == "takes more than -1 seconds: read to page 0"
    assert note.text == ""


def test_a_stream_that_unpacks_to_gigabytes_costs_its_page() -> None:
    bomb = zlib.compress(b"0 " * 100_000_000, 9)
    content = pdf(["Before."], operations=[bomb])
    length = b"<< /Length %d >>" % len(bomb)
    note, problem = parse(content.replace(length, b"<< /Filter /FlateDecode /Length %d >>" % len(bomb)), STATE)
    assert problem == "broken pages: 2"
    assert note.text == "Before."


def test_a_tree_of_pages_in_itself_ends() -> None:
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R 2 0 R] /Count 9 >>",
        b"<< /Type /Pages /Kids [2 0 R 3 0 R] /Count 9 >>",
    ]
    with pytest.raises(NoteUnreadable):
        parse(written(objects), STATE)


def test_a_form_that_draws_itself_ends() -> None:
    form = b"/X1 Do BT (Drawn.) Tj ET"
    resources = b"/Resources << /XObject << /X1 4 0 R >> /Font << /F1 5 0 R >> >>"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R %b /Contents 4 0 R >>" % resources,
        b"<< /Type /XObject /Subtype /Form %b /Length %d >>\nstream\n%b\nendstream" % (resources, len(form), form),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    note, _ = parse(written(objects), STATE)
    check(note)


# --- any file ---------------------------------------------------------------------------------------------------------

SMALL = pdf(["Clay (wet) holds water.", "", "Sand does not.\nBut it drains."])


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_file_that_was_damaged_is_a_note_or_one_reason(data: st.DataObject) -> None:
    content = bytearray(SMALL)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(content) - 1))
        kind = data.draw(st.sampled_from(["change", "insert", "cut", "repeat"]))
        if kind == "change":
            content[at] = data.draw(st.integers(0, 255))
        elif kind == "insert":
            content[at:at] = data.draw(
                st.binary(max_size=8) | st.sampled_from([b"<<", b">>", b" R", b"[", b"(", b"999999999"])
            )
        elif kind == "cut":
            del content[at : at + data.draw(st.integers(1, 40))]
        else:
            content[at:at] = content[max(0, at - data.draw(st.integers(1, 200))) : at]
        if not content:
            break
    try:
        note, _ = parse(bytes(content), STATE)
    except NoteUnreadable as error:
        assert error.message
    else:
        check(note)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_bytes_are_no_pdf(content: bytes) -> None:
    for written_ in (content, b"%PDF-1.7\n" + content):
        with suppress(NoteUnreadable):
            check(parse(written_, STATE)[0])


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.text(st.characters(min_codepoint=32, max_codepoint=126) | st.just("\n"), max_size=400),
        min_size=1,
        max_size=5,
    )
)
def test_pages_are_what_stands_on_them(pages: list[str]) -> None:
    note, problem = parse(pdf(pages), STATE)
    check(note)
    assert problem == ("" if any(page.strip() for page in pages) else "no text: it may be scanned")
    for page, heading in zip(pages, note.headings, strict=True):
        read = note.text[heading.span.start : heading.span.end]
        # A word that ends in a hyphen goes on in the next line.
        assert "".join(read.split()).replace("-", "") == "".join(page.split()).replace("-", "")
