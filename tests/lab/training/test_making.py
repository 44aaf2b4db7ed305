"""What is taught and what is examined never meet, and no wrong passage is right."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.lab.training.invented_notes import cut, invented
from vaultbridge.backends.fakes.embeddings import FakeEmbeddings
from vaultbridge.backends.fakes.store import FakeStore
from vaultbridge.core.errors import ConfigError
from vaultbridge.core.notes import IndexedNote, NoteUpdate
from vaultbridge.core.ports import RerankService
from vaultbridge.lab.training.dataset import SPLITS, Example, Split
from vaultbridge.lab.training.making import Draft, drafted, examples
from vaultbridge.lab.training.near import are_near, shingles
from vaultbridge.lab.training.negatives import Miner
from vaultbridge.lab.training.pairs import Cut, passage_of
from vaultbridge.retrieve.retriever import Retriever

COUNT = 4
EVERY = 8
"""Of so many pairs, one is mined."""


class Suspicious:
    """A reranker that finds one passage as good as the right one."""

    name = "suspicious"

    def __init__(self, text: str) -> None:
        self._text = text

    async def ready(self) -> None:
        """It is."""

    async def score(self, question: str, passages: Sequence[str]) -> list[float]:
        return [0.9, *(0.9 if self._text in passage else 0.1 for passage in passages[1:])]


def vault(seed: int) -> list[Cut]:
    return [cut(path, text) for path, text in invented(seed).items()]


async def mined(
    cuts: Sequence[Cut], draft: Draft, reranker: RerankService | None = None, splits: Sequence[Split] = SPLITS
) -> dict[Split, list[Example]]:
    store, embeddings = FakeStore(), FakeEmbeddings()
    info = await embeddings.info()
    await store.use_vectors(info.fingerprint, info.dimensions)
    await store.replace([NoteUpdate(IndexedNote(one.note.state, one.note.title), one.chunks) for one in cuts])
    chunks = [chunk for one in cuts for chunk in one.chunks]
    vectors = await embeddings.embed([chunk.embedded for chunk in chunks], "document")
    await store.put_vectors(dict(zip((chunk.digest for chunk in chunks), vectors, strict=True)))
    retriever = Retriever(store, embeddings)
    made: dict[Split, list[Example]] = {}
    for split in splits:
        miner = Miner(store, retriever, reranker, draft.cuts[split], margin=0.95, seed=0)
        made[split] = await examples(draft.pairs[split][::EVERY], miner, COUNT, lambda _: None)
    return made


@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 10_000))
def test_no_note_is_in_two_splits_and_no_positive_is_a_negative(seed: int) -> None:
    cuts = vault(seed)
    draft = drafted(cuts, seed)
    made = asyncio.run(mined(cuts, draft))
    notes = {split: {one.note.path for one in draft.cuts[split]} for split in SPLITS}
    assert set().union(*notes.values()) == {one.note.path for one in cuts}
    for one, other in combinations(SPLITS, 2):
        assert not notes[one] & notes[other]
    for split, several in made.items():
        assert {note for pair in draft.pairs[split] for note in (pair.source, pair.target)} <= notes[split]
        assert len(several) == len(draft.pairs[split][::EVERY])
        own = passages_of(draft, split)
        for example in several:
            assert 0 < len(example.neg) == len(set(example.neg)) <= COUNT
            for wrong in example.neg:
                note, bare = own[example.bare][wrong]
                assert note not in (example.source, example.target), "a passage of another note of the same split"
                assert not any(are_near(shingles(bare), shingles(right)) for right in example.pos)


def passages_of(draft: Draft, split: Split) -> Mapping[bool, Mapping[str, tuple[str, str]]]:
    """The note and the bare text of each passage of a split, by how it is shown: bare, or as it is embedded."""
    passages = [passage_of(chunk) for one in draft.cuts[split] for chunk in one.chunks]
    return {
        True: {passage.bare: (passage.note, passage.bare) for passage in passages},
        False: {passage.embedded: (passage.note, passage.bare) for passage in passages},
    }


def test_notes_that_share_a_passage_share_a_split() -> None:
    cuts = vault(1)
    draft = drafted(cuts, 0)
    split_of = {one.note.path: split for split in SPLITS for one in draft.cuts[split]}
    assert split_of[cuts[0].note.path] == split_of[cuts[1].note.path]


def test_no_query_is_asked_twice() -> None:
    texts = invented(2)
    first = next(iter(texts))
    texts["again.md"] = "## " + texts[first].split("## ")[1]
    draft = drafted([cut(path, text) for path, text in texts.items()], 0)
    queries = [shingles(pair.query) for split in SPLITS for pair in draft.pairs[split]]
    assert not any(are_near(one, other) for one, other in combinations(queries, 2))
    assert draft.dropped["near-duplicates"] > 0


def test_what_stands_beside_its_answer_is_taught_and_never_examined() -> None:
    texts = invented(3)
    for path in texts:
        texts[path] += f"\n> [!tip] Remember {path.split('/')[1][:-3]} always\n> {texts[path][:150]}\n"
    draft = drafted([cut(path, text) for path, text in texts.items()], 0)
    kinds = {split: {pair.kind for pair in draft.pairs[split]} for split in SPLITS}
    assert "callout" in kinds["train"]
    assert "callout" not in kinds["validation"] | kinds["test"]


def test_the_same_notes_and_seed_make_the_same_data_in_any_order() -> None:
    cuts = vault(4)
    one, other = drafted(cuts, 7), drafted(cuts[::-1], 7)
    assert asyncio.run(mined(cuts, one)) == asyncio.run(mined(cuts[::-1], other))


def test_a_reranker_vetoes_what_may_be_right() -> None:
    cuts = vault(5)
    draft = drafted(cuts, 0)
    for pair in draft.pairs["test"][:3]:
        one = replace(draft, pairs={"test": [pair]})
        (plain,) = asyncio.run(mined(cuts, one, splits=["test"]))["test"]
        (vetoed,) = asyncio.run(mined(cuts, one, Suspicious(plain.neg[0]), ["test"]))["test"]
        assert plain.neg[0] not in vetoed.neg
        assert vetoed.neg[0] == plain.neg[1], "the next best takes its place"


@pytest.mark.parametrize("notes", [0, 5])
def test_a_vault_of_five_notes_is_refused(notes: int) -> None:
    with pytest.raises(ConfigError, match=f"{notes} notes"):
        drafted([cut(path, text) for path, text in list(invented(6).items())[:notes]], 0)


def test_a_vault_of_notes_that_say_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="0 pairs for train"):
        drafted([cut(f"{number}.md", "x\n") for number in range(40)], 0)
