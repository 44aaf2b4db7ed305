"""What is purged from an index is no longer on the disk: in no file, in no version, in no index."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from tests.contracts.disk import words_indexed, written
from tests.contracts.test_chunk_store import DIMENSIONS, embed_all, texts, update
from vaultbridge.backends.lance import LanceStore
from vaultbridge.core.notes import NotePath, NoteUpdate
from vaultbridge.core.search import Scope

TELLING = [f"zq{number}xylograph" for number in range(40)]
SECRET = f"The {' '.join(TELLING)} are nobody's business."
OTHERS = [f"Note {number} is about apples, pears and plum {number}." for number in range(60)]


def others() -> list[NoteUpdate]:
    return [update(f"n{number}.md", text) for number, text in enumerate(OTHERS)]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[LanceStore]:
    store = await LanceStore.open(str(tmp_path / "index"))
    await store.use_vectors("space", DIMENSIONS)
    await store.replace(others())
    yield store
    await store.close()


@pytest.mark.parametrize("compacted", [False, True])
async def test_a_note_that_is_gone_leaves_neither_text_nor_words_nor_names_nor_vectors(
    store: LanceStore, tmp_path: Path, compacted: bool
) -> None:
    rng = np.random.default_rng(3)
    secret = update("Secret plan.md", SECRET, "Second paragraph.", tags=["qqhidden"], aliases=["Qqcode"])
    await store.replace([secret])
    await embed_all(store, rng)
    if compacted:
        await store.maintain()
    digests = [chunk.digest for chunk in await store.chunks(NotePath("Secret plan.md"))]
    told = ("zq7xylograph", "zq39xylograph", "Second paragraph.", "qqhidden", "Qqcode", "Secret plan", *digests)
    before = written(tmp_path)
    assert [word for word in told if word in before] == list(told), "the control: all of it can be seen on the disk"

    await store.replace([], [NotePath("Secret plan.md")])
    assert "zq7xylograph" in written(tmp_path), "the control: LanceDB only marks it as deleted"
    await store.purge()
    after = written(tmp_path)
    assert [word for word in told if word in after] == []

    assert await store.names() == {f"n{number}": (f"n{number}.md",) for number in range(60)}
    assert [hit.chunk.note for hit in await store.keyword("plum 17", Scope(), 1)] == ["n17.md"]
    assert await store.unembedded(99) == []
    await store.replace([update("new.md", "A late quince.")])
    assert [hit.chunk.note for hit in await store.keyword("quince", Scope(), 1)] == ["new.md"]


async def test_the_keyword_index_forgets_the_words(store: LanceStore, tmp_path: Path) -> None:
    await store.purge()
    without = words_indexed(tmp_path)
    await store.replace([update("secret.md", SECRET)])
    await store.maintain()
    assert words_indexed(tmp_path) >= without + len(TELLING)
    await store.replace([], [NotePath("secret.md")])
    await store.purge()
    assert words_indexed(tmp_path) == without


async def test_an_edited_text_goes_too_and_the_new_one_stays(store: LanceStore, tmp_path: Path) -> None:
    await store.replace([update("diary.md", SECRET)])
    await store.replace([update("diary.md", "Nothing happened.")])
    await store.purge()
    assert "zq7xylograph" not in written(tmp_path)
    assert texts(await store.chunks(NotePath("diary.md"))) == ["Nothing happened."]


async def test_everything_can_be_purged(tmp_path: Path) -> None:
    store = await LanceStore.open(str(tmp_path / "index"))
    await store.replace([update("only.md", SECRET)])
    await store.replace([], [NotePath("only.md")])
    await store.purge()
    assert "zq7xylograph" not in written(tmp_path)
    assert await store.notes() == []
    await store.close()


async def test_what_was_set_aside_as_damaged_is_purged(store: LanceStore, tmp_path: Path) -> None:
    aside = tmp_path / "damaged" / "chunks.lance" / "data"
    aside.mkdir(parents=True)
    (aside / "a.lance").write_text(SECRET)
    await store.purge()
    assert not aside.exists()


async def test_maintenance_purges_deleted_notes(store: LanceStore, tmp_path: Path) -> None:
    await store.replace([update("secret.md", SECRET)])
    await store.maintain()
    await store.replace([], [NotePath("secret.md")])
    await store.maintain()
    assert "zq7xylograph" not in written(tmp_path)


async def test_questions_are_answered_while_it_is_purged(store: LanceStore) -> None:
    done = False

    async def ask(number: int) -> int:
        asked = 0
        while not done:
            path = f"n{(number * 7 + asked) % 60}.md"
            hits = await store.keyword(f"plum {path[1:-3]}", Scope(notes=(NotePath(path),)), 3)
            assert [hit.chunk.note for hit in hits] == [path]
            assert (await store.receipts([NotePath(path)])).keys() == {path}
            asked += 1
        return asked

    asking = [asyncio.create_task(ask(number)) for number in range(3)]
    for _ in range(4):
        await store.purge()
    done = True
    assert min(await asyncio.gather(*asking)) > 0


async def test_vectors_that_are_opened_while_it_is_purged_can_be_read_and_written(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    for opened in (0, 1):  # turns of the loop that the purge is ahead
        uri = str(tmp_path / f"index{opened}")
        store = await LanceStore.open(uri)
        await store.use_vectors("space", DIMENSIONS)
        await store.replace([*others(), update("secret.md", SECRET)])
        await embed_all(store, rng)
        await store.close()
        store = await LanceStore.open(uri)
        await store.replace([], [NotePath("secret.md")])
        purging = asyncio.create_task(store.purge())
        for _ in range(opened):
            await asyncio.sleep(0)
        await store.use_vectors("space", DIMENSIONS)
        await purging
        assert sum(row.embedded for row in await store.rows()) == len(OTHERS)
        await store.replace([update("new.md", "A late quince.")])
        await embed_all(store, rng)
        assert (await store.counts()).vectors == len(OTHERS) + 1
        assert store.damage == ""
        await store.close()


async def test_what_the_index_takes_is_weighed_anew_after_each_change(store: LanceStore, tmp_path: Path) -> None:
    def lies_there() -> int:
        return sum(file.stat().st_size for file in (tmp_path / "index").rglob("*") if file.is_file())

    assert (await store.storage()).bytes == lies_there()
    await store.replace([update("more.md", "A late quince.")])
    assert (await store.storage()).bytes == lies_there()
    await embed_all(store, np.random.default_rng(3))
    assert (await store.storage()).bytes == lies_there()
    await store.purge()
    assert (await store.storage()).bytes == lies_there()
