"""Whatever becomes of the files of the index, the next start makes it equal to the vault again."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from tests.index.history import History
from tests.index.test_replay import check, opened
from tests.index.worlds import Realm
from vaultbridge.backends.lance_mending import FOLDER, set_damaged_aside
from vaultbridge.core.errors import StoreDamaged
from vaultbridge.core.search import Scope
from vaultbridge.index.sweep import CHECK_SECONDS

Harm = Callable[[Path], None]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a vault and an index that has seen some days."""
    return tmp_path_factory.mktemp("whole")


@pytest.fixture
async def place(whole: Path, tmp_path: Path) -> Path:
    """A copy of it, to be damaged."""
    if not (whole / "vault").exists():
        (whole / "vault").mkdir()
        history = History(whole / "vault", seed=5)
        async with opened(whole / "index") as store:
            realm = Realm(whole / "vault", store)
            async with realm.watching():
                for turn in range(6):
                    await realm.follow(*history.revise(), *history.revise(), None)
                    if turn == 3:
                        await store.maintain()
    shutil.copytree(whole, tmp_path / "home")
    return tmp_path / "home"


def newest(table: Path) -> Path:
    """The manifest of the newest version: their names count downwards."""
    return min((table / "_versions").glob("*.manifest"))


def oldest(table: Path) -> Path:
    return max((table / "_versions").glob("*.manifest"))


def zeros(file: Path) -> None:
    """As a power cut leaves a file whose length was written and whose bytes were not."""
    file.write_bytes(bytes(file.stat().st_size))


def half(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def junk(file: Path) -> None:
    file.write_bytes(Random(1).randbytes(file.stat().st_size))


def in_all(folder: str, harm: Harm) -> Harm:
    def harmed(table: Path) -> None:
        for file in (table / folder).rglob("*"):
            if file.is_file():
                harm(file)

    return harmed


def in_manifest(which: Callable[[Path], Path], harm: Harm) -> Harm:
    return lambda table: harm(which(table))


HARMS: dict[str, Harm] = {
    "the newest commit is lost": in_manifest(newest, Path.unlink),
    "the newest commit is empty": in_manifest(newest, zeros),
    "the newest commit is torn": in_manifest(newest, half),
    "the newest commit is something else": in_manifest(newest, junk),
    "an old commit is empty": in_manifest(oldest, zeros),
    "the data are gone": in_all("data", Path.unlink),
    "the data are empty": in_all("data", zeros),
    "the data are torn": in_all("data", half),
    "the data are something else": in_all("data", junk),
    "the indices are gone": in_all("_indices", Path.unlink),
    "the indices are empty": in_all("_indices", zeros),
    "the indices are torn": in_all("_indices", half),
    "the table is gone": shutil.rmtree,
}


@pytest.mark.parametrize("table", ["chunks", "notes", "vectors_*"])
@pytest.mark.parametrize("harm", HARMS)
async def test_a_damaged_table_is_made_whole_by_the_next_start(place: Path, table: str, harm: str) -> None:
    (folder,) = (place / "index").glob(f"{table}.lance")
    HARMS[harm](folder)
    async with opened(place / "index") as store:
        realm = Realm(place / "vault", store)
        await realm.sync()
        await store.maintain()
        await check(realm)
        aside = [*(place / FOLDER).glob("*")] if (place / FOLDER).exists() else []
        assert bool(aside) == bool(store.damage)
        for kept in aside:
            assert kept.name[:2] == "20", "its name begins with the date"
            assert str(kept) in store.damage


async def test_data_that_cannot_be_read_are_set_aside_and_words_are_found_before_vectors_are_made(place: Path) -> None:
    in_all("data", half)(place / "index" / "chunks.lance")
    async with opened(place / "index") as store:
        assert "chunks could not be read" in store.damage
        realm = Realm(place / "vault", store)
        await realm.indexer.sync()
        counts = await store.counts()
        assert (counts.chunks, counts.vectors) == (len(await realm.rebuilt()), 0)
        await realm.sync()
        assert realm.backfill.embedded == 0, "the vectors had no damage"


async def test_an_index_that_is_damaged_while_it_is_used_is_mended_without_a_restart(place: Path) -> None:
    async with opened(place / "index") as store:
        realm = Realm(place / "vault", store)
        async with realm.watching():
            await realm.indexer.settled()
            shutil.rmtree(place / "index" / "chunks.lance")
            await realm.follow(realm.write("New.md", "# New\n\nWritten after it happened."))
            assert await store.keyword("happened", Scope(), 5) == [], "nothing can be read, which is noticed now"
            assert store.damage
            await realm.clock.advance(CHECK_SECONDS)
            await realm.indexer.settled()
            assert [hit.chunk.note for hit in await store.keyword("happened", Scope(), 5)] == ["New.md"]
        await check(realm)


async def test_what_a_bucket_holds_is_left_where_it_is() -> None:
    with pytest.raises(StoreDamaged):
        await set_damaged_aside("memory://index")
