from __future__ import annotations

from dataclasses import replace

from vaultbridge.core.notes import Chunk, NotePath, Span

CHUNK = Chunk(NotePath("Garden/Bees.md"), 3, Span(0, 4, 1, 1), "Text", ("Bees",), "Bees > Hive")


def test_a_vector_belongs_to_what_is_embedded_and_to_nothing_else() -> None:
    assert replace(CHUNK, note=NotePath("Archive/Bees.md"), ordinal=9).digest == CHUNK.digest
    assert replace(CHUNK, context="Ants > Hive").digest != CHUNK.digest
    assert replace(CHUNK, text="Texts").digest != CHUNK.digest


def test_row_keys_are_unique_even_for_paths_with_the_separator_in_them() -> None:
    one = replace(CHUNK, note=NotePath("a#1"), ordinal=2)
    other = replace(CHUNK, note=NotePath("a"), ordinal=12)
    assert one.key != other.key != CHUNK.key
