"""Passages: neighbouring chunks as one, and whole sections, always the note's own text."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.retrieve.rows import chunk
from vaultbridge.core.notes import Chunk, FileState, NotePath
from vaultbridge.core.search import Hit
from vaultbridge.retrieve.passages import LONGEST, joined, section
from vaultbridge.vault.chunking import chunk as cut
from vaultbridge.vault.markdown import parse
from vaultbridge.vault.measure import measure

PATH = NotePath("Note.md")
PARAGRAPH = "The hive stands behind the shed and the bees fly out at noon. " * 14


def chunks(text: str) -> tuple[Chunk, ...]:
    return cut(parse(text, FileState(PATH, 1, len(text), "0"))[0])


def hits(found: Sequence[Chunk]) -> list[Hit]:
    return [Hit(piece, 1 - place / 100, {"dense": 0.5}) for place, piece in enumerate(found)]


def test_neighbours_become_one_passage_with_the_notes_text() -> None:
    text = f"# Bees\n\n{PARAGRAPH}one.\n\n{PARAGRAPH}two.\n\n\n{PARAGRAPH}three.\n"
    found = chunks(text)
    assert len(found) > 1
    (passage,) = joined(hits(found[:2][::-1]))
    assert passage.chunk.text == text[passage.chunk.span.start : passage.chunk.span.end]
    assert passage.chunk.span.end == found[1].span.end
    assert passage.score == 1.0, "it stands where its best chunk stood"


def test_a_section_is_shown_whole_if_it_fits() -> None:
    text = f"# Bees\n\n{PARAGRAPH}one.\n\n{PARAGRAPH}two.\n\n{PARAGRAPH}three.\n\n## Hive\n\nWood.\n"
    found = [piece for piece in chunks(text) if piece.heading == ("Bees",)]
    assert len(found) > 1
    whole = section(found[1], chunks(text))
    fits = measure(text[found[0].span.start : found[-1].span.end]) <= LONGEST
    assert (whole.span.start, whole.span.end) == (
        (found[0].span.start, found[-1].span.end) if fits else (found[1].span.start, found[1].span.end)
    )
    assert whole.text == text[whole.span.start : whole.span.end]


def test_sections_stay_apart_and_so_do_notes() -> None:
    text = "# Bees\n\nThey fly.\n\n# Hive\n\nOf wood.\n"
    found = chunks(text)
    assert [hit.chunk for hit in joined(hits(found))] == list(found)
    assert section(found[0], found) == found[0]
    elsewhere = [chunk("a.md", "x"), chunk("b.md", "y", 1)]
    assert [hit.chunk for hit in joined(hits(elsewhere))] == elsewhere


@pytest.mark.parametrize("between", ["\n\n%% a comment %%\n\n", "\r\n\r\n", "\n \n"])
def test_where_the_text_between_is_not_known_chunks_stay_apart(between: str) -> None:
    found = chunks(f"{PARAGRAPH}one.{between}{PARAGRAPH}two.")
    assert len(found) == 2
    assert len(joined(hits(found))) == 2


def test_a_note_that_was_rewritten_since_keeps_the_chunk_that_was_found() -> None:
    old = chunks(f"{PARAGRAPH}one.\n\n{PARAGRAPH}two.")[0]
    assert section(old, chunks("Something else.")) == old


@given(
    st.lists(
        st.sampled_from(["word ", "Sentence. ", "\n\n", "\n", "# Head\n", "- item\n", "\r\n", "蜂 "]), max_size=200
    )
)
def test_every_passage_is_the_notes_text_at_its_span(parts: list[str]) -> None:
    text = PARAGRAPH.join(parts)
    found = chunks(text)
    for passage in (*(hit.chunk for hit in joined(hits(found))), *(section(piece, found) for piece in found)):
        assert passage.text == text[passage.span.start : passage.span.end]
        assert passage.span.start_line <= passage.span.end_line
