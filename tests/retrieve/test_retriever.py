"""The lanes together: what is found, by which lane, and what is relevant."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from tests.retrieve.rows import chunk, embed_all, update
from vaultbridge.backends.fakes.embeddings import FakeEmbeddings
from vaultbridge.backends.fakes.store import FakeStore
from vaultbridge.core.errors import ConfigError, NotReady, StoreMismatch, VaultbridgeError, WorkerLost
from vaultbridge.core.notes import NotePath
from vaultbridge.core.search import EmbedderInfo, Embedding, Hit, Lane, Mode, Query, Scope
from vaultbridge.retrieve import retriever as retriever_module
from vaultbridge.retrieve.retriever import Retriever

NOTES = {
    "Garden/Bees.md": "Bees sleep in the hive and drink nectar.",
    "Garden/Nettles.md": "Nettle tea cures gout and winter colds.",
    "Kitchen/番茄汤.md": "番茄汤的做法：番茄和鸡蛋。",
    "Old/Nettles.md": "Nettle tea was cheap.",
}


@pytest.fixture
async def store() -> FakeStore:
    store = FakeStore()
    await store.replace([update(chunk(path, text)) for path, text in NOTES.items()])
    return store


@pytest.fixture
async def embeddings(store: FakeStore) -> FakeEmbeddings:
    embeddings = FakeEmbeddings()
    await embed_all(store, embeddings)
    return embeddings


def notes(hits: Sequence[Hit]) -> list[str]:
    return [hit.chunk.note for hit in hits]


async def test_both_lanes_find_and_say_so(store: FakeStore, embeddings: FakeEmbeddings) -> None:
    hits = await Retriever(store, embeddings).search(Query("where do bees sleep"))
    assert hits[0].chunk.note == "Garden/Bees.md"
    assert set(hits[0].lanes) == {"keyword", "dense"}
    assert embeddings.questions == ["where do bees sleep"]


@pytest.mark.parametrize(("mode", "lanes"), [("keyword", {"keyword"}), ("dense", {"dense"})])
async def test_one_lane_alone(store: FakeStore, embeddings: FakeEmbeddings, mode: Mode, lanes: set[str]) -> None:
    hits = await Retriever(store, embeddings).search(Query("nettle tea", mode=mode))
    assert hits
    assert all(set(hit.lanes) == lanes for hit in hits)
    assert len(embeddings.questions) == (mode == "dense")


async def test_limit_and_scope_hold(store: FakeStore, embeddings: FakeEmbeddings) -> None:
    search = Retriever(store, embeddings).search
    assert len(await search(Query("nettle tea bees", limit=2))) == 2
    assert notes(await search(Query("nettle tea", Scope(folders=("Old",))))) == ["Old/Nettles.md"]


@pytest.mark.parametrize("text", ["", " \n "])
async def test_no_question_no_hits_and_no_work(store: FakeStore, embeddings: FakeEmbeddings, text: str) -> None:
    retriever = Retriever(store, embeddings)
    assert await retriever.search(Query(text)) == await retriever.relevant(Query(text)) == []
    assert embeddings.questions == []


# --- an embedder that is away -----------------------------------------------------------------------------------------

FAILURES: list[VaultbridgeError] = [WorkerLost("It died."), NotReady("It loads."), ConfigError("It is not there.")]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.code)
async def test_while_the_embedder_is_away_words_answer_alone(store: FakeStore, failure: VaultbridgeError) -> None:
    embeddings = FakeEmbeddings()
    embeddings.failure = failure
    retriever = Retriever(store, embeddings)
    assert notes(await retriever.search(Query("nettle tea gout")))[0] == "Garden/Nettles.md"
    assert notes(await retriever.relevant(Query("nettle tea gout"))) == ["Garden/Nettles.md", "Old/Nettles.md"]
    with pytest.raises(type(failure)):
        await retriever.search(Query("nettle tea", mode="dense"))


async def test_without_an_embedder_words_answer_alone(store: FakeStore) -> None:
    retriever = Retriever(store, None)
    assert notes(await retriever.relevant(Query("nettle tea gout"))) == ["Garden/Nettles.md", "Old/Nettles.md"]
    with pytest.raises(ConfigError):
        await retriever.search(Query("nettle tea", mode="dense"))


async def test_an_embedder_that_dies_between_two_steps_takes_only_its_lane_along(store: FakeStore) -> None:
    class Dying(FakeEmbeddings):
        async def info(self) -> EmbedderInfo:
            raise NotReady("It is being restarted.")

    assert notes(await Retriever(store, Dying()).relevant(Query("nettle tea gout")))[0] == "Garden/Nettles.md"


async def test_vectors_of_another_size_take_only_their_lane_along(store: FakeStore) -> None:
    await store.use_vectors("fake-1", 3)
    retriever = Retriever(store, FakeEmbeddings())
    assert notes(await retriever.search(Query("nettle tea gout")))[0] == "Garden/Nettles.md"
    with pytest.raises(StoreMismatch):
        await retriever.search(Query("nettle tea", mode="dense"))


async def test_a_question_does_not_wait_forever_for_a_loading_embedder(
    store: FakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Loading(FakeEmbeddings):
        async def embed(self, texts: Sequence[str], lane: Lane) -> list[Embedding]:
            await asyncio.Event().wait()
            raise AssertionError("it never loads")

    monkeypatch.setattr(retriever_module, "PATIENCE_SECONDS", 0.01)
    retriever = Retriever(store, Loading())
    assert notes(await retriever.search(Query("nettle tea gout")))[0] == "Garden/Nettles.md"
    with pytest.raises(NotReady):
        await retriever.search(Query("nettle tea", mode="dense"))


# --- relevance --------------------------------------------------------------------------------------------------------


async def test_what_the_vault_does_not_know_finds_nothing(store: FakeStore, embeddings: FakeEmbeddings) -> None:
    query = Query("quantum chromodynamics lattice tea")
    assert await Retriever(store, embeddings).search(query)
    assert await Retriever(store, None).relevant(query) == []


async def test_near_by_meaning_is_enough_without_many_words(store: FakeStore, embeddings: FakeEmbeddings) -> None:
    # One of three words: too few for words alone, near enough by cosine.
    query = Query("nectar bees hummingbirds flamingos sleep")
    assert "Garden/Bees.md" not in notes(await Retriever(store, None).relevant(Query("nectar flamingos zebras")))
    assert notes(await Retriever(store, embeddings).relevant(query)) == ["Garden/Bees.md"]


async def test_most_words_are_enough_for_a_chunk_without_a_vector(store: FakeStore, embeddings: FakeEmbeddings) -> None:
    await store.replace([update(chunk("New.md", "Comfrey poultice for bruises."))])
    hits = await Retriever(store, embeddings).relevant(Query("comfrey poultice bruises"))
    assert notes(hits)[0] == "New.md"


async def test_chinese_questions_find_chinese_notes_by_words_alone(store: FakeStore) -> None:
    retriever = Retriever(store, None)
    assert notes(await retriever.relevant(Query("番茄鸡蛋汤怎么做"))) == []
    assert notes(await retriever.relevant(Query("番茄汤怎么做"))) == ["Kitchen/番茄汤.md"]


async def test_the_note_that_is_edited_does_not_answer_itself(store: FakeStore, embeddings: FakeEmbeddings) -> None:
    retriever = Retriever(store, embeddings)
    assert "Garden/Bees.md" in notes(await retriever.relevant(Query("bees sleep hive nectar")))
    assert "Garden/Bees.md" not in notes(await retriever.relevant(Query("bees sleep hive nectar"), editing="Bees"))
    scope = Scope(exclude=(NotePath("Garden/Bees.md"),))
    assert "Garden/Bees.md" not in notes(await retriever.relevant(Query("bees sleep hive nectar", scope)))
