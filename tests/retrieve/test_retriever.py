"""The lanes together: what is found, by which lane, and what is relevant."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from tests.retrieve.rows import chunk, embed_all, update
from vaultbridge.backends.fakes.embeddings import FakeEmbeddings
from vaultbridge.backends.fakes.store import FakeStore
from vaultbridge.core.errors import ConfigError, NotReady, StoreMismatch, VaultbridgeError, WorkerLost
from vaultbridge.core.notes import NotePath, Span
from vaultbridge.core.search import EmbedderInfo, Embedding, Lane, Mode, Query, Scope
from vaultbridge.retrieve import lanes as lanes_module
from vaultbridge.retrieve.meaning import BARE_QUESTIONS
from vaultbridge.retrieve.retriever import Found, Retriever
from vaultbridge.retrieve.weights import FusionWeights

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


def notes(found: Found) -> list[str]:
    return [hit.chunk.note for hit in found.hits]


async def test_both_lanes_find_and_say_so(store: FakeStore, embeddings: FakeEmbeddings) -> None:
    found = await Retriever(store, embeddings).search(Query("where do bees sleep"))
    assert found.hits[0].chunk.note == "Garden/Bees.md"
    assert set(found.hits[0].lanes) == {"keyword", "dense"}
    assert found.degraded == {}


async def test_a_question_is_embedded_once_and_what_all_have_in_common_only_with_the_first(
    store: FakeStore, embeddings: FakeEmbeddings
) -> None:
    retriever = Retriever(store, embeddings)
    await retriever.search(Query("where do bees sleep"))
    await retriever.search(Query("where do nettles grow"))
    assert embeddings.questions == ["where do bees sleep", *BARE_QUESTIONS["latin"], "where do nettles grow"]


@pytest.mark.parametrize(("mode", "lanes"), [("keyword", {"keyword"}), ("dense", {"dense"})])
async def test_one_lane_alone(store: FakeStore, embeddings: FakeEmbeddings, mode: Mode, lanes: set[str]) -> None:
    found = await Retriever(store, embeddings).search(Query("nettle tea", mode=mode))
    assert found.hits
    assert all(set(hit.lanes) == lanes for hit in found.hits)
    assert bool(embeddings.questions) == (mode == "dense")


async def test_limit_and_scope_hold(store: FakeStore, embeddings: FakeEmbeddings) -> None:
    search = Retriever(store, embeddings).search
    assert len((await search(Query("nettle tea bees", limit=2))).hits) == 2
    assert notes(await search(Query("nettle tea", Scope(folders=("Old",))))) == ["Old/Nettles.md"]


@pytest.mark.parametrize("text", ["", " \n "])
async def test_no_question_no_hits_and_no_work(store: FakeStore, embeddings: FakeEmbeddings, text: str) -> None:
    retriever = Retriever(store, embeddings)
    assert await retriever.search(Query(text)) == await retriever.relevant(Query(text)) == Found()
    assert embeddings.questions == []


# --- an embedder that is away -----------------------------------------------------------------------------------------

FAILURES: list[VaultbridgeError] = [WorkerLost("It died."), NotReady("It loads."), ConfigError("It is not there.")]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.code)
async def test_while_the_embedder_is_away_words_answer_alone(store: FakeStore, failure: VaultbridgeError) -> None:
    embeddings = FakeEmbeddings()
    embeddings.failure = failure
    retriever = Retriever(store, embeddings)
    found = await retriever.search(Query("nettle tea gout"))
    assert notes(found)[0] == "Garden/Nettles.md"
    assert found.degraded == {"dense": failure.code}
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

    monkeypatch.setattr(lanes_module, "PATIENCE_SECONDS", 0.01)
    retriever = Retriever(store, Loading())
    assert notes(await retriever.search(Query("nettle tea gout")))[0] == "Garden/Nettles.md"
    with pytest.raises(NotReady):
        await retriever.search(Query("nettle tea", mode="dense"))


# --- relevance --------------------------------------------------------------------------------------------------------


async def test_what_the_vault_does_not_know_finds_nothing(store: FakeStore, embeddings: FakeEmbeddings) -> None:
    query = Query("quantum chromodynamics lattice tea")
    assert notes(await Retriever(store, embeddings).search(query))
    assert notes(await Retriever(store, None).relevant(query)) == []


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
    assert notes(await retriever.relevant(Query("紫菜虾皮汤怎么做"))) == []
    assert notes(await retriever.relevant(Query("番茄汤怎么做"))) == ["Kitchen/番茄汤.md"]


async def test_the_note_that_is_edited_does_not_answer_itself(store: FakeStore, embeddings: FakeEmbeddings) -> None:
    retriever = Retriever(store, embeddings)
    assert "Garden/Bees.md" in notes(await retriever.relevant(Query("bees sleep hive nectar")))
    assert "Garden/Bees.md" not in notes(await retriever.relevant(Query("bees sleep hive nectar"), editing="Bees"))
    scope = Scope(exclude=(NotePath("Garden/Bees.md"),))
    assert "Garden/Bees.md" not in notes(await retriever.relevant(Query("bees sleep hive nectar", scope)))


# --- phrases, words that are not wanted, links ------------------------------------------------------------------------


async def test_a_phrase_must_stand_in_every_hit_and_an_unwanted_word_in_none(
    store: FakeStore, embeddings: FakeEmbeddings
) -> None:
    search = Retriever(store, embeddings).search
    assert notes(await search(Query("tea", phrases=("Winter Colds",)))) == ["Garden/Nettles.md"]
    assert notes(await search(Query("", phrases=("winter colds",)))) == ["Garden/Nettles.md"]
    assert "Old/Nettles.md" not in notes(await search(Query("nettle tea", without=("CHEAP",))))
    assert "Old/Nettles.md" in notes(await search(Query("nettle tea", without=("chea",)))), "words, not their parts"
    assert notes(await search(Query("汤", without=("番茄",)))) == [
        note for note in notes(await search(Query("汤"))) if note != "Kitchen/番茄汤.md"
    ]


async def test_an_embedder_that_does_not_know_the_script_is_not_asked(store: FakeStore) -> None:
    class English(FakeEmbeddings):
        async def info(self) -> EmbedderInfo:
            return replace(await super().info(), languages=("en",))

    embeddings = English()
    await embed_all(store, embeddings)
    retriever = Retriever(store, embeddings)
    found = await retriever.search(Query("番茄汤怎么做"))
    assert notes(found) == notes(await Retriever(store, None).search(Query("番茄汤怎么做")))
    assert found.degraded == {}
    assert {lane for hit in (await retriever.search(Query("nettle tea"))).hits for lane in hit.lanes} == {
        "keyword",
        "dense",
    }


async def test_links_lift_who_is_linked_with_the_best_and_say_so(embeddings: FakeEmbeddings) -> None:
    store = FakeStore()
    texts = {"Best.md": "nettle tea gout", "Linked.md": "tea in winter", "Alike.md": "tea in winter"}
    updates = [update(chunk(path, text)) for path, text in texts.items()]
    linking = replace(updates[0], note=replace(updates[0].note, links=("Linked",)))
    await store.replace([linking, *updates[1:]])
    without = await Retriever(store, None).search(Query("nettle tea gout"))
    assert notes(without) == ["Best.md", "Alike.md", "Linked.md"]
    found = await Retriever(store, None, FusionWeights(links=0.2)).search(Query("nettle tea gout"))
    assert notes(found) == ["Best.md", "Linked.md", "Alike.md"]
    assert found.linked["Linked.md"] == "Best.md"  # type: ignore[index]
    assert "linked" in found.hits[1].lanes


async def test_hits_of_one_section_are_one_passage(store: FakeStore) -> None:
    first = chunk("Long.md", "Comfrey heals bruises.")
    second = replace(
        chunk("Long.md", "Comfrey grows in ditches.", 1), span=Span(first.span.end + 2, first.span.end + 27, 11, 12)
    )
    await store.replace([update(replace(first, span=replace(first.span, end_line=9)), second)])
    (hit,) = (await Retriever(store, None).relevant(Query("comfrey heals bruises"))).hits
    assert hit.chunk.text == "Comfrey heals bruises.\n\nComfrey grows in ditches."
