"""Related notes: by vectors, words and links."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.retrieve.rows import chunk, embed_all, update
from vaultbridge.backends.fakes.embeddings import FakeEmbeddings
from vaultbridge.backends.fakes.store import FakeStore
from vaultbridge.core.notes import NotePath
from vaultbridge.retrieve.floors import Floor
from vaultbridge.retrieve.related import Related

BEES = NotePath("Bees.md")


@pytest.fixture
async def store() -> FakeStore:
    store = FakeStore()
    bees = update(chunk("Bees.md", "Bees sleep in the hive.", 0), chunk("Bees.md", "Smoke calms them.", 1))
    await store.replace(
        [
            replace(bees, note=replace(bees.note, links=("Shed",))),
            update(chunk("Hive.md", "The hive of the bees is of wood.")),
            update(chunk("Smoke.md", "Smoke calms nobody.")),
            update(chunk("Shed.md", "Zinc and nails.")),
            update(chunk("Far.md", "Quarterly revenue.")),
        ]
    )
    return store


async def test_each_note_comes_once_with_the_passage_that_relates(store: FakeStore) -> None:
    embeddings = FakeEmbeddings()
    await embed_all(store, embeddings)
    embeddings.documents.clear()
    found = await Related(store).to_note(BEES, "Bees", 10)
    notes = [hit.chunk.note for hit in found.hits]
    assert set(notes[:2]) == {"Hive.md", "Smoke.md"}, "one for each of its chunks"
    assert len(notes) == len(set(notes))
    assert BEES not in notes
    assert embeddings.documents == embeddings.questions == []


async def test_a_linked_note_is_related_whatever_it_says(store: FakeStore) -> None:
    found = await Related(store).to_note(BEES, "Bees", 10)
    assert [hit.chunk.note for hit in found.hits] == ["Hive.md", "Shed.md"]
    assert found.linked == {"Shed.md": BEES}
    backlink = await Related(store).to_note(NotePath("Shed.md"), "Shed", 10)
    assert [hit.chunk.note for hit in backlink.hits] == [BEES]


async def test_what_is_hardly_alike_is_not_related(store: FakeStore) -> None:
    embeddings = FakeEmbeddings()
    await embed_all(store, embeddings)
    everything = [hit.chunk.note for hit in (await Related(store).to_note(BEES, "Bees", 10)).hits]
    assert "Far.md" in everything, "all of a small vault is among the nearest"
    found = await Related(store).to_note(BEES, "Bees", 10, floor=Floor(0.5, 0.5))
    lanes = {str(hit.chunk.note): hit.lanes for hit in found.hits}
    assert set(lanes) == {"Hive.md", "Smoke.md", "Shed.md"}, "a link is enough"
    assert lanes["Hive.md"]["dense"] >= 0.5
    assert "dense" not in lanes["Shed.md"], "that it is linked is why it is there"


async def test_a_note_that_holds_the_name_is_related_however_far_it_is(store: FakeStore) -> None:
    await embed_all(store, FakeEmbeddings())
    words = "the price of zinc in spring and of copper and tin too, as the paper says"
    await store.replace([update(chunk("Paper.md", f"Quarterly revenue: {words}"))])
    found = await Related(store).to_note(NotePath("Shed.md"), "Quarterly revenue", 10, floor=Floor(1, 1))
    assert {hit.chunk.note for hit in found.hits} == {BEES, "Far.md", "Paper.md"}


async def test_excluded_notes_and_the_limit_hold(store: FakeStore) -> None:
    found = await Related(store).to_note(BEES, "Bees", 10, [NotePath("Shed.md")])
    assert [hit.chunk.note for hit in found.hits] == ["Hive.md"]
    assert len((await Related(store).to_note(BEES, "Bees", 1)).hits) == 1
    assert (await Related(store).to_note(NotePath("Nowhere.md"), "Nowhere", 5)).hits == ()
