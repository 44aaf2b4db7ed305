"""Whether the index equals the vault: what a look at the files alone would not find is found, said and repaired."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from lancedb.expr import col

from tests.index.history import History
from tests.index.test_replay import check, opened
from tests.index.worlds import Realm
from vaultbridge.backends.lance import LanceStore
from vaultbridge.core.notes import NotePath
from vaultbridge.index.dump import dumped

VICTIM = "Garden/Tomatoes.md"
TEXT = "# Tomatoes\n\nWater them.\n\n## Soil\n\nLoose loam.\n\n## Sun\n\nAll day.\n"


@pytest.fixture
async def realm(tmp_path: Path) -> AsyncIterator[Realm]:
    (tmp_path / "vault").mkdir()
    History(tmp_path / "vault", seed=3)
    async with opened(tmp_path / "index") as store:
        realm = Realm(tmp_path / "vault", store)
        realm.write(VICTIM, TEXT)
        realm.write("Broken.md", b"\xff")
        async with realm.watching():
            await realm.indexer.settled()
            yield realm


def tables(realm: Realm) -> LanceStore:
    assert isinstance(realm.store, LanceStore)
    return realm.store


async def lose_a_row(realm: Realm) -> None:
    await tables(realm)._chunks.delete(col("key") == f"{VICTIM}#1")


async def lose_all_rows(realm: Realm) -> None:
    await tables(realm)._chunks.delete(col("note") == VICTIM)


async def lose_the_receipt(realm: Realm) -> None:
    await tables(realm)._notes.delete(col("path") == VICTIM)


async def add_a_row_twice(realm: Realm) -> None:
    chunks = tables(realm)._chunks
    await chunks.add(await chunks.query().where(col("key") == f"{VICTIM}#1").to_arrow())


async def change_a_text(realm: Realm) -> None:
    await tables(realm)._chunks.update({"text": "Never water them."}, where=f"key = '{VICTIM}#0'")


async def change_a_span(realm: Realm) -> None:
    await tables(realm)._chunks.update({"start": 1}, where=f"key = '{VICTIM}#1'")


async def change_the_receipt(realm: Realm) -> None:
    await tables(realm)._notes.update({"title": "Potatoes"}, where=f"path = '{VICTIM}'")


async def lose_a_vector(realm: Realm) -> None:
    vectors = tables(realm)._spaces.filled
    assert vectors is not None
    (_, second, _) = await realm.store.chunks(NotePath(VICTIM))
    await vectors.table.delete(col("digest") == second.digest)


async def hide_an_edit(realm: Realm) -> None:
    file = realm.root / VICTIM
    seen = file.stat()
    realm.write(VICTIM, TEXT.replace("Loose", "Heavy"))
    os.utime(file, ns=(seen.st_atime_ns, seen.st_mtime_ns))


HARMS: list[tuple[Callable[[Realm], Awaitable[None]], str]] = [
    (lose_a_row, "its chunks differ"),
    (lose_all_rows, "its chunks differ"),
    (lose_the_receipt, "its receipt and its chunks do not belong together"),
    (add_a_row_twice, "its chunks differ"),
    (change_a_text, "its chunks differ"),
    (change_a_span, "its chunks differ"),
    (change_the_receipt, "its receipt differs: title"),
    (lose_a_vector, "1 of its chunks have no vector"),
    (hide_an_edit, "its receipt differs: state"),
]


async def test_an_index_that_equals_the_vault_is_left_as_it_is(realm: Realm) -> None:
    before = [*dumped(await realm.store.rows())]
    verification = await realm.indexer.verify()
    assert verification.equal
    assert verification.found == verification.left
    notes, chunks = len([*realm.root.rglob("*.md")]), len(before)
    assert (verification.found.notes, verification.found.chunks) == (notes, chunks)
    assert [*dumped(await realm.store.rows())] == before


@pytest.mark.parametrize(("harm", "said"), HARMS, ids=[harm.__name__ for harm, _ in HARMS])
async def test_what_differs_is_said_and_written_again(
    realm: Realm, harm: Callable[[Realm], Awaitable[None]], said: str
) -> None:
    await harm(realm)
    verification = await realm.indexer.verify()
    (difference,) = verification.found.differences
    assert difference.note == VICTIM
    assert said in difference.what
    assert verification.equal
    await realm.indexer.settled()
    await check(realm)
    assert (await realm.indexer.verify()).found.differences == ()


async def test_rows_of_a_note_that_is_not_there_are_taken_out(realm: Realm) -> None:
    await lose_the_receipt(realm)
    realm.delete(VICTIM)
    verification = await realm.indexer.verify()
    assert [difference.note for difference in verification.found.differences] == [VICTIM]
    assert verification.equal
    assert VICTIM not in {row.note for row in await realm.store.rows()}


async def test_the_last_good_chunks_of_a_note_that_cannot_be_read_stay(realm: Realm) -> None:
    await realm.follow(realm.write(VICTIM, b"\xff\xfe"))
    verification = await realm.indexer.verify()
    assert verification.found.differences == ()
    assert "Loose loam." in await realm.text(VICTIM)


async def test_a_dump_is_a_sorted_json_line_for_each_row(realm: Realm) -> None:
    rows = [json.loads(line) for line in dumped(await realm.store.rows())]
    assert rows == sorted(rows, key=lambda row: (row["note"], row["ordinal"]))
    mine = [row for row in rows if row["note"] == VICTIM]
    assert [row["ordinal"] for row in mine] == [0, 1, 2]
    text = (realm.root / VICTIM).read_text()
    chunks = await realm.store.chunks(NotePath(VICTIM))
    for row, chunk in zip(mine, chunks, strict=True):
        start, end, first, last = row["span"]
        assert text[start:end] == chunk.text
        assert text.splitlines()[first - 1 : last] == chunk.text.splitlines()
        assert (row["digest"], row["vector"]) == (chunk.digest, True)
