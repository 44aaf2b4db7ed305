"""From which cosine on a chunk speaks of a question, as the vault itself says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.retrieve.rows import chunk, embed_all, update
from vaultbridge.backends.fakes.embeddings import FakeEmbeddings
from vaultbridge.backends.fakes.store import FakeStore
from vaultbridge.core.search import UNMEASURED, EmbedderInfo, Query
from vaultbridge.retrieve.floors import FEWEST_VECTORS, FILE, STRAY_QUESTIONS, Floor, Floors, floor_over
from vaultbridge.retrieve.retriever import Retriever

CHUNKS = 2 * FEWEST_VECTORS


@pytest.fixture
async def store() -> FakeStore:
    """A vault whose notes hold words that are in many a question."""
    store = FakeStore()
    await store.replace([update(chunk(f"{n}.md", f"How is the w{n} of v{n} made?")) for n in range(CHUNKS)])
    await embed_all(store, FakeEmbeddings())
    return store


def test_the_floor_lies_above_what_stray_questions_reach_and_outliers_do_not_lift_it() -> None:
    reached = [0.10, 0.14, 0.18, 0.20, 0.22, 0.26, 0.30]
    floor = floor_over(reached)
    assert floor.stray == 0.20
    assert max(reached) < floor.sure < 0.5
    assert floor_over([*reached[:5], 0.8, 0.9]) == floor, "the vault speaks of two of the questions"
    assert floor_over([0.4] * 9) == Floor(0.4, 0.4)


def test_nearness_grows_from_stray_to_sure() -> None:
    floor = Floor(0.2, 0.4)
    assert [floor.nearness(cosine) for cosine in (-1.0, 0.2, 0.4, 0.9)] == [0.0, 0.0, 1.0, 1.0]
    assert 0 < floor.nearness(0.25) < floor.nearness(0.35) < 1
    assert [Floor(0.3, 0.3).nearness(cosine) for cosine in (0.29, 0.3)] == [0.0, 1.0]


async def test_estimated_once_for_each_script_and_remembered(store: FakeStore, tmp_path: Path) -> None:
    embeddings = FakeEmbeddings()
    info = await embeddings.info()
    floors = Floors(tmp_path, store, embeddings)
    assert floors.of(info, "What?") == Floor(info.floor, info.floor), "the catalogue's, until there is one"
    await floors.renew(CHUNKS)
    assert sorted(embeddings.questions) == sorted(sum(STRAY_QUESTIONS.values(), ()))
    latin, cjk = floors.of(info, "How is glass made?"), floors.of(info, "玻璃是怎么做出来的？")
    assert latin.stray > cjk.stray, "the notes are English"
    again = Floors(tmp_path, store, embeddings)
    assert (again.of(info, "What?"), again.of(info, "什么？")) == (latin, cjk)
    await again.renew(CHUNKS + 1)
    assert len(embeddings.questions) == 2 * len(STRAY_QUESTIONS["latin"]), "nothing is asked twice"
    other = replace(info, fingerprint="another")
    assert again.of(other, "What?") == Floor(info.floor, info.floor), "each embedder has its own"


@pytest.mark.parametrize("chunks", [CHUNKS * 2, CHUNKS // 2])
async def test_a_vault_of_another_size_is_asked_again(store: FakeStore, tmp_path: Path, chunks: int) -> None:
    embeddings = FakeEmbeddings()
    floors = Floors(tmp_path, store, embeddings)
    await floors.renew(CHUNKS)
    embeddings.questions.clear()
    await floors.renew(chunks)
    assert embeddings.questions


async def test_a_few_notes_say_nothing(store: FakeStore, tmp_path: Path) -> None:
    embeddings = FakeEmbeddings()
    await Floors(tmp_path, store, embeddings).renew(FEWEST_VECTORS - 1)
    await Floors(tmp_path, store, None).renew(CHUNKS)
    assert embeddings.questions == []
    assert not (tmp_path / FILE).exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"fake-1": 3}', '{"fake-1": {"chunks": 9, "latin": ["a", 2]}}'])
async def test_a_broken_file_is_written_anew(store: FakeStore, tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    embeddings = FakeEmbeddings()
    floors = Floors(tmp_path, store, embeddings)
    await floors.renew(CHUNKS)
    info = await embeddings.info()
    assert floors.of(info, "What?") != Floor(info.floor, info.floor)
    assert Floors(tmp_path, store, embeddings).of(info, "What?") == floors.of(info, "What?")


async def test_what_all_questions_share_is_no_relevance_any_more(store: FakeStore, tmp_path: Path) -> None:
    embeddings = FakeEmbeddings()
    floors = Floors(tmp_path, store, embeddings)
    retriever = Retriever(store, embeddings, floors=floors)
    stray = Query("What is the biggest lake of Peru?")
    assert (await retriever.relevant(stray)).hits, "the catalogue's floor is too low for this vault"
    await floors.renew(CHUNKS)
    assert not (await retriever.relevant(stray)).hits
    assert (await retriever.relevant(Query("How is the w7 of v7 made?"))).hits[0].chunk.note == "7.md"


class Unmeasured(FakeEmbeddings):
    """An embedder of whose cosines the catalogue knows nothing."""

    async def info(self) -> EmbedderInfo:
        return replace(await super().info(), floor=UNMEASURED)


async def test_a_small_vault_is_asked_if_nobody_measured_the_embedder(store: FakeStore, tmp_path: Path) -> None:
    embeddings = Unmeasured()
    floors = Floors(tmp_path, store, embeddings)
    assert floors.of(await embeddings.info(), "What?").nearness(0.99) == 0, "until then words alone decide"
    await floors.renew(FEWEST_VECTORS - 1)
    assert floors.of(await embeddings.info(), "What?").nearness(0.99) == 1
