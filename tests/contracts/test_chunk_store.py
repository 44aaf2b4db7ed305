"""What every ChunkStore promises, asked of the fake and of LanceDB."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vaultbridge.backends.fakes.store import FakeStore
from vaultbridge.backends.lance import LanceStore
from vaultbridge.backends.lance_memory import Bounds
from vaultbridge.backends.lance_tables import guarded
from vaultbridge.core.errors import DiskFull, StoreMismatch
from vaultbridge.core.notes import Chunk, FileState, IndexedNote, NotePath, NoteUpdate, Span
from vaultbridge.core.ports import ChunkStore
from vaultbridge.core.search import Embedding, Scope, Scored, StoreCounts, Vector

Store = LanceStore | FakeStore
DIMENSIONS = 8
AWKWARD = [
    'it\'s "quoted" `back`.md',
    "番茄/日本語 한국어.md",
    "emoji 😀/👩‍👩‍👧.md",
    "C# 100% \\ back\\slash#3.md",
    "new\nline\ttab.md",
    "'; DROP TABLE notes; --.md",
    "e\u0301 decomposed and é composed.md",
    "$(x) {y} [z] *?.md",
]


def make_note(
    path: str,
    *,
    mtime: float = 1.0,
    tags: Sequence[str] = (),
    reason: str = "",
    links: Sequence[str] = (),
    aliases: Sequence[str] = (),
) -> IndexedNote:
    state = FileState(NotePath(path), int(mtime * 1e9), 10, "ab" * 32)
    return IndexedNote(
        state, path, tuple(tags), tuple(aliases), links=tuple(links), reason=reason, attempts=1 if reason else 0
    )


def update(
    path: str,
    *texts: str,
    mtime: float = 1.0,
    tags: Sequence[str] = (),
    aliases: Sequence[str] = (),
    origin: str | None = None,
    context: str = "",
) -> NoteUpdate:
    chunks = tuple(
        Chunk(NotePath(path), n, Span(n * 10, n * 10 + 9, n + 1, n + 2), text, (), context)
        for n, text in enumerate(texts)
    )
    note = replace(make_note(path, mtime=mtime, tags=tags, aliases=aliases), chunks=len(chunks))
    return NoteUpdate(note, chunks, NotePath(origin) if origin else None)


def embedding(dense: Vector) -> Embedding:
    return Embedding((dense / np.linalg.norm(dense)).astype(np.float32))


def random_embedding(rng: np.random.Generator, dimensions: int = DIMENSIONS) -> Embedding:
    return embedding(rng.standard_normal(dimensions).astype(np.float32))


async def embed_all(store: Store, rng: np.random.Generator) -> None:
    chunks = await store.unembedded(100_000)
    await store.put_vectors({chunk.digest: random_embedding(rng) for chunk in chunks})


def paths(hits: Sequence[Scored]) -> list[str]:
    return [hit.chunk.note for hit in hits]


def texts(chunks: Sequence[Chunk]) -> list[str]:
    return [chunk.text for chunk in chunks]


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture(params=["fake", "lance", "lance without memory"])
async def bare(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    bounds = Bounds(0, 0, 0) if request.param == "lance without memory" else Bounds()
    store: Store = FakeStore() if request.param == "fake" else await LanceStore.open(str(tmp_path / "index"), bounds)
    yield store
    await store.close()


@pytest.fixture
async def store(bare: Store) -> Store:
    await bare.use_vectors("space", DIMENSIONS)
    return bare


def test_both_are_chunk_stores() -> None:
    stores: list[type[ChunkStore]] = [FakeStore, LanceStore]
    assert len(stores) == 2


# --- rows -------------------------------------------------------------------------------------------------------------


async def test_everything_comes_back_as_it_was(store: Store) -> None:
    path = NotePath("a/b.md")
    chunk = Chunk(path, 0, Span(3, 2**33, 1, 9), "text\r\n\n ends ", ("One", "番茄 # x"), "b > One")
    other = Chunk(path, 1, Span(5, 6, 2, 2), "", (), "")
    state = FileState(path, 1_700_000_000_123_456_789, 2**40, "f" * 64)
    note = IndexedNote(state, "B", ("x/y", "Z"), ("alias", ""), ("One",), ("c", "d"), 2, 12.5, "why", 3)
    await store.replace([NoteUpdate(note, (other, chunk))])
    assert await store.notes() == [note]
    assert await store.receipts([path, NotePath("a")]) == {path: note}
    assert await store.chunks(path) == [chunk, other]
    assert await store.chunks(NotePath("a")) == []


async def test_awkward_paths_are_replaced_moved_and_removed_exactly(store: Store) -> None:
    await store.replace([update(path, "one", "two") for path in AWKWARD])
    assert [note.state.path for note in await store.notes()] == sorted(AWKWARD)
    for path in AWKWARD:
        await store.replace([update(path, "three")])
        assert texts(await store.chunks(NotePath(path))) == ["three"]
        assert paths(await store.keyword("three", Scope(notes=(NotePath(path),)), 50)) == [path]
        assert path not in paths(await store.keyword("three", Scope(exclude=(NotePath(path),)), 50))
        await store.replace([update("moved/" + path, "three", origin=path)])
        assert await store.chunks(NotePath(path)) == []
    assert sorted(paths(await store.keyword("three", Scope(folders=("moved",)), 50))) == sorted(
        "moved/" + path for path in AWKWARD
    )
    for path in AWKWARD:
        await store.replace([], [NotePath("moved/" + path)])
        assert await store.receipts([NotePath("moved/" + path)]) == {}
    assert await store.counts() == StoreCounts(0, 0, 0, 0)


async def test_a_note_shrinks_and_grows_and_its_neighbours_stay(store: Store) -> None:
    await store.replace([update("a.md", "1", "2", "3"), update("b.md", "x", "y")])
    await store.replace([update("a.md", "1")])
    assert texts(await store.chunks(NotePath("a.md"))) == ["1"]
    await store.replace([update("a.md", "0", "1", "2", "3", "4")])
    assert texts(await store.chunks(NotePath("a.md"))) == ["0", "1", "2", "3", "4"]
    await store.replace([update("a.md")])
    assert await store.chunks(NotePath("a.md")) == []
    assert [note.state.path for note in await store.notes()] == ["a.md", "b.md"]
    assert texts(await store.chunks(NotePath("b.md"))) == ["x", "y"]


async def test_no_chunks_given_leaves_the_rows_but_writes_the_receipt(store: Store) -> None:
    await store.replace([update("a.md", "good"), update("b.md", "old")])
    unreadable = NoteUpdate(make_note("a.md", mtime=5, reason="bad bytes"), None)
    await store.replace([unreadable, update("b.md", "new")])
    assert texts(await store.chunks(NotePath("a.md"))) == ["good"]
    assert texts(await store.chunks(NotePath("b.md"))) == ["new"]
    assert await store.receipts([NotePath("a.md")]) == {"a.md": unreadable.note}
    assert (await store.counts()).unreadable == 1
    # A touched note alone, and one that was never readable.
    await store.replace([NoteUpdate(make_note("a.md", mtime=9), None)])
    await store.replace([NoteUpdate(make_note("c.md", reason="no"), None)])
    assert texts(await store.chunks(NotePath("a.md"))) == ["good"]
    assert await store.chunks(NotePath("c.md")) == []
    assert paths(await store.keyword("good", Scope(since=8.0), 9)) == ["a.md"]


async def test_a_move_leaves_nothing_behind_and_needs_no_embedding(store: Store, rng: np.random.Generator) -> None:
    await store.replace([update("old/a.md", "alpha", "beta"), update("b.md", "gamma")])
    await embed_all(store, rng)
    await store.replace([update("new/a.md", "alpha", "beta", origin="old/a.md")])
    assert await store.receipts([NotePath("old/a.md")]) == {}
    assert await store.chunks(NotePath("old/a.md")) == []
    assert await store.unembedded(10) == []
    assert await store.counts() == StoreCounts(2, 0, 3, 3)
    assert paths(await store.keyword("alpha", Scope(), 9)) == ["new/a.md"]


async def test_two_notes_swap_their_paths_in_one_batch(store: Store) -> None:
    await store.replace([update("a.md", "first"), update("b.md", "second")])
    await store.replace([update("a.md", "second", origin="b.md"), update("b.md", "first", origin="a.md")])
    assert texts(await store.chunks(NotePath("a.md"))) == ["second"]
    assert texts(await store.chunks(NotePath("b.md"))) == ["first"]
    assert (await store.counts()).notes == 2


async def test_removals_alone_and_of_what_is_not_there(store: Store) -> None:
    await store.replace([update("a.md", "x"), update("b.md", "y")])
    await store.replace([], [NotePath("a.md"), NotePath("never.md")])
    await store.replace([], [])
    assert [note.state.path for note in await store.notes()] == ["b.md"]
    assert await store.chunks(NotePath("a.md")) == []


async def test_a_large_batch(store: Store) -> None:
    await store.replace([update(f"{n}'s.md", f"word{n}", "second") for n in range(600)])
    await store.replace([update(f"{n}'s.md", f"other{n}") for n in range(500)], [NotePath("599's.md")])
    counts = await store.counts()
    assert (counts.notes, counts.chunks) == (599, 500 + 99 * 2)
    assert paths(await store.keyword("other77", Scope(), 5)) == ["77's.md"]
    assert await store.keyword("word77", Scope(), 5) == []


# --- keyword ----------------------------------------------------------------------------------------------------------


async def test_words_are_found_in_many_languages_before_there_are_vectors(bare: Store) -> None:
    await bare.replace(
        [
            update("zh.md", "今天我们用番茄和鸡蛋做汤。"),
            update("ja.md", "東京で新しい図書館を訪れた。"),
            update("en.md", "The Naïve tomatoes RUNNING home", context="Recipes > Summer"),
        ]
    )
    for question, path in {
        "番茄": "zh.md",
        "怎么做番茄汤": "zh.md",
        "図書館": "ja.md",
        "naive": "en.md",
        "running": "en.md",
        "summer": "en.md",
    }.items():
        assert paths(await bare.keyword(question, Scope(), 5))[:1] == [path], question
    assert await bare.keyword("ketchup", Scope(), 5) == []
    assert await bare.dense(np.ones(DIMENSIONS, np.float32), Scope(), 5) == []
    assert await bare.unembedded(5) == []
    assert await bare.vectors(["x"]) == {}
    assert (await bare.counts()).vectors == 0
    with pytest.raises(StoreMismatch):
        await bare.put_vectors({"x": embedding(np.ones(DIMENSIONS, np.float32))})


async def test_better_matches_come_first_and_the_limit_holds(store: Store) -> None:
    await store.replace([update(f"{n}.md", "common words here") for n in range(20)])
    await store.replace([update("best.md", "common rare rare words")])
    hits = await store.keyword("rare common", Scope(), 7)
    assert len(hits) == 7
    assert hits[0].chunk.note == "best.md"
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert await store.keyword("rare", Scope(), 0) == []


async def test_every_chunk_is_found_by_its_notes_names(store: Store) -> None:
    await store.replace(
        [
            update("a.md", "one", "two", tags=["project/alpha"], aliases=["Big Apple"], context="New York > History"),
            update("b.md", "a long text that only mentions an apple, alpha, history and york among very many others"),
        ]
    )
    for question in ["apple", "alpha", "history", "york", "#project", "project/alpha", "#project/alpha"]:
        assert paths(await store.keyword(question, Scope(), 2)) == ["a.md", "a.md"], question
    (note,) = [note for note in await store.notes() if note.state.path == "a.md"]
    await store.replace([NoteUpdate(replace(note, state=replace(note.state, mtime_ns=9)), None)])  # touched
    assert len(await store.keyword("project", Scope(), 9)) == 2
    await store.replace([update("a.md", "one", "two", aliases=["Gotham"])])
    assert await store.keyword("project", Scope(), 9) == []
    assert len(await store.keyword("gotham", Scope(), 9)) == 2


IDENTIFIERS = {
    "the DiffExecutor runs": ["DiffExecutor", "diffexecutor", "executor", "diff"],
    "call run_target_once now": ["run_target_once", "target", "RUN_TARGET_ONCE"],
    "written in C++ by hand": ["C++", "c++"],
    "written in C# by hand": ["C#", "c#"],
    "since v1.2.3 it works": ["v1.2.3", "1.2.3", "1.2", "V1.2"],
    "met on 2024-03-01 there": ["2024-03-01", "2024-03", "2024"],
    "marked #errand/shop here": ["#errand/shop", "#errand", "shop", "errand/shop"],
    "标记为 #差事/买菜 了": ["#差事/买菜", "#差事", "买菜"],
    "see os.path.join there": ["os.path.join", "path"],
    "the well-known one": ["well-known", "known"],
    "don\u2019t panic": ["don't", "panic"],
    "使用HttpClient发送": ["HttpClient", "client", "发送"],
    "1,000 metres": ["1,000"],
}


async def test_identifiers_are_found_whole_and_in_part(store: Store) -> None:
    await store.replace([update(f"{n}.md", text) for n, text in enumerate(IDENTIFIERS)])
    for n, (text, questions) in enumerate(IDENTIFIERS.items()):
        for question in questions:
            assert paths(await store.keyword(question, Scope(), 9))[:1] == [f"{n}.md"], (text, question)


async def test_an_identifier_as_a_whole_counts_more_than_its_parts(store: Store) -> None:
    await store.replace(
        [
            update("parts.md", "run the target, run it once, and run the target of 1.3 and 2.3 or C"),
            update("whole.md", "run_target in C++ 1.2.3, some words that make the text as long as that"),
        ]
    )
    for question in ["run_target", "C++", "v1.2.3"]:
        assert paths(await store.keyword(question, Scope(), 2))[:1] == ["whole.md"], question


async def test_english_notes_are_found_by_other_forms_of_a_word_and_others_only_by_the_word(store: Store) -> None:
    await store.replace(
        [
            update("en.md", "The connections were reset by the peer."),
            update("short.md", "Walking holidays"),
            update("de.md", "Die Mieten sind hoch, und das ist ein Problem der organisations."),
            update("zh.md", "今天 connections 很慢"),
        ]
    )
    assert set(paths(await store.keyword("connected", Scope(), 9))) == {"en.md", "zh.md"}
    assert paths(await store.keyword("walk holiday", Scope(), 9)) == ["short.md"]
    assert paths(await store.keyword("Mieten", Scope(), 9)) == ["de.md"]
    assert paths(await store.keyword("organisations", Scope(), 9)) == ["de.md"]
    assert await store.keyword("organisation", Scope(), 9) == []


async def test_new_rows_are_found_and_old_ones_gone_at_once(store: Store) -> None:
    await store.replace([update("a.md", "before")])
    await store.maintain()
    await store.replace([update("a.md", "after")])
    assert await store.keyword("before", Scope(), 5) == []
    assert paths(await store.keyword("after", Scope(), 5)) == ["a.md"]
    await store.replace([], [NotePath("a.md")])
    assert await store.keyword("after", Scope(), 5) == []


async def test_what_holds_no_word_finds_nothing(store: Store) -> None:
    await store.replace([update("a.md", "plain words")])
    for question in ["", "  \n", "()!?*", '"', "'", "\\", "😀", "\x00", "\ud83d", "..", "-", "+", ":", "\u200b"]:
        assert await store.keyword(question, Scope(), 5) == [], repr(question)


async def test_a_question_is_never_query_syntax(store: Store) -> None:
    await store.replace([update("a.md", "plain words"), update("b.md", "others")])
    for question in [
        '"plain',
        "plain AND (",
        "plain OR NOT",
        "+plain -words",
        "title:plain",
        "plain~2^3",
        "{plain}",
        "plain\ud83d",
    ]:
        assert paths(await store.keyword(question, Scope(), 5)) == ["a.md"], repr(question)


async def test_a_very_long_question(store: Store) -> None:
    await store.replace([update("a.md", "plain words"), update("b.md", "others")])
    question = " ".join(f"w{n}" for n in range(3_000)) + " plain"
    assert paths(await store.keyword(question, Scope(), 5)) == ["a.md"]


# --- scope ------------------------------------------------------------------------------------------------------------

SCOPES: list[tuple[Scope, set[str]]] = [
    (Scope(), {"a.md", "d/b.md", "d/e/c.md", "dd/f.md"}),
    (Scope(folders=("d",)), {"d/b.md", "d/e/c.md"}),
    (Scope(folders=("d/e/", "dd")), {"d/e/c.md", "dd/f.md"}),
    (Scope(folders=("/",)), {"a.md", "d/b.md", "d/e/c.md", "dd/f.md"}),
    (Scope(folders=("nowhere",)), set()),
    (Scope(tags=("project",)), {"a.md", "d/b.md"}),
    (Scope(tags=("#PROJECT/one",)), {"a.md"}),
    (Scope(tags=("proj",)), set()),
    (Scope(tags=("project", "其他")), {"a.md", "d/b.md", "dd/f.md"}),
    (Scope(notes=(NotePath("a.md"), NotePath("gone.md"))), {"a.md"}),
    (Scope(names=("B", "f")), {"d/b.md", "dd/f.md"}),
    (Scope(names=("md",)), set()),
    (Scope(names=("d/",)), set()),
    (Scope(exclude=(NotePath("a.md"),)), {"d/b.md", "d/e/c.md", "dd/f.md"}),
    (Scope(since=200.0), {"d/b.md", "d/e/c.md", "dd/f.md"}),
    (Scope(until=300.0), {"a.md", "d/b.md", "d/e/c.md"}),
    (Scope(since=200.0, until=200.5), {"d/b.md"}),
    (Scope(folders=("d",), tags=("project",), exclude=(NotePath("d/e/c.md"),), since=1.0), {"d/b.md"}),
]


@pytest.mark.parametrize("compacted", [False, True])
async def test_every_lane_sees_exactly_the_scope(store: Store, rng: np.random.Generator, compacted: bool) -> None:
    await store.replace(
        [
            update("a.md", "word one", mtime=100, tags=["Project/One"]),
            update("d/b.md", "word two", mtime=200, tags=["project"]),
            update("d/e/c.md", "word three", mtime=300, tags=["projects", "x/project"]),
            update("dd/f.md", "word four", mtime=400, tags=["其他"]),
        ]
    )
    await store.put_vectors(
        {chunk.digest: replace(random_embedding(rng), sparse={1: 0.5}) for chunk in await store.unembedded(9)}
    )
    if compacted:
        await store.maintain()
    for scope, expected in SCOPES:
        assert set(paths(await store.sparse({1: 1.0}, scope, 9))) == expected, scope
        assert set(paths(await store.keyword("word", scope, 9))) == expected, scope
        assert set(paths(await store.dense(random_embedding(rng).dense, scope, 9))) == expected, scope


@pytest.mark.parametrize("compacted", [False, True])
async def test_a_scope_is_applied_before_the_limit(store: Store, rng: np.random.Generator, compacted: bool) -> None:
    # Ten wanted chunks rank below thousands of unwanted ones, in both lanes.
    target = embedding(np.eye(DIMENSIONS, dtype=np.float32)[0]).dense
    await store.replace(
        [update(f"loud/{n}.md", *(f"apple apple apple {n} {i}" for i in range(100))) for n in range(25)]
        + [update(f"quiet/{n}.md", f"apple among very many other words {n}", tags=["wanted"]) for n in range(10)]
    )
    near = {
        chunk.digest: replace(
            embedding(target + 0.1 * rng.standard_normal(DIMENSIONS).astype(np.float32)), sparse={1: 1.0}
        )
        for chunk in await store.unembedded(10_000)
        if chunk.note.startswith("loud")
    }
    await store.put_vectors(near)
    far = replace(embedding(-target), sparse={1: 0.1})
    await store.put_vectors({chunk.digest: far for chunk in await store.unembedded(100)})
    if compacted:
        await store.maintain()
    wanted = {f"quiet/{n}.md" for n in range(10)}
    loud = tuple(NotePath(f"loud/{n}.md") for n in range(25))
    for scope in (Scope(folders=("quiet",)), Scope(tags=("wanted",)), Scope(exclude=loud)):
        assert set(paths(await store.keyword("apple", scope, 10))) == wanted
        assert set(paths(await store.dense(target, scope, 10))) == wanted
        assert set(paths(await store.sparse({1: 1.0}, scope, 10))) == wanted
    # More than LanceDB is given as a filter, and still none from outside.
    some = Scope(exclude=loud[:5])
    assert not {*paths(await store.dense(target, some, 50))} & {*loud[:5]}
    assert len(await store.dense(target, some, 50)) == 50


# --- vectors ----------------------------------------------------------------------------------------------------------


async def test_dense_is_exact(store: Store, rng: np.random.Generator) -> None:
    await store.replace([update(f"{n}.md", *(f"text {n} {i}" for i in range(20))) for n in range(20)])
    await embed_all(store, rng)
    rows = [chunk for note in await store.notes() for chunk in await store.chunks(note.state.path)]
    stored = await store.vectors([chunk.digest for chunk in rows])
    matrix = np.stack([stored[chunk.digest] for chunk in rows])
    assert matrix.dtype == np.float32
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    for _ in range(10):
        vector = random_embedding(rng).dense
        cosines = matrix @ vector
        hits = await store.dense(vector, Scope(), 15)
        best = -np.sort(-cosines)[:15]
        np.testing.assert_allclose([hit.score for hit in hits], best, atol=5e-4)  # float16's precision
        np.testing.assert_allclose([cosines[rows.index(hit.chunk)] for hit in hits], best, atol=5e-4)
        assert len({hit.chunk.key for hit in hits}) == 15
    assert await store.dense(vector, Scope(), 0) == []
    assert len(await store.dense(vector, Scope(), 10_000)) == 400


async def test_vectors_come_back_and_the_first_one_stays(store: Store, rng: np.random.Generator) -> None:
    first, second = random_embedding(rng), random_embedding(rng)
    await store.replace([update("a.md", "x")])
    (chunk,) = await store.unembedded(5)
    await store.put_vectors({chunk.digest: first})
    await store.put_vectors({chunk.digest: second, "unused": second})
    await store.put_vectors({})
    stored = await store.vectors([chunk.digest, chunk.digest, "unknown"])
    assert list(stored) == [chunk.digest]
    np.testing.assert_allclose(stored[chunk.digest], first.dense, atol=1e-3)
    assert await store.vector_tables() == {"space": 2}
    assert len(await store.dense(first.dense, Scope(), 5)) == 1


async def test_the_same_text_twice_has_one_vector_and_two_hits(store: Store, rng: np.random.Generator) -> None:
    await store.replace([update("a.md", "same", "other"), update("b.md", "same")])
    chunks = await store.unembedded(9)
    assert sorted(texts(chunks)) == ["other", "same"]
    await embed_all(store, rng)
    assert await store.counts() == StoreCounts(2, 0, 3, 3)
    same = next(chunk for chunk in chunks if chunk.text == "same")
    vector = (await store.vectors([same.digest]))[same.digest]
    assert sorted(paths((await store.dense(vector, Scope(), 9))[:2])) == ["a.md", "b.md"]
    assert paths(await store.dense(vector, Scope(exclude=(NotePath("a.md"),)), 9)) == ["b.md"]


async def test_vectors_without_a_chunk_do_not_eat_the_limit(store: Store, rng: np.random.Generator) -> None:
    target = random_embedding(rng).dense
    await store.replace([update("gone.md", *(f"gone {i}" for i in range(300))), update("a.md", "1", "2", "3")])
    gone = {chunk.digest: embedding(target) for chunk in await store.chunks(NotePath("gone.md"))}
    await store.put_vectors(gone)
    await embed_all(store, rng)
    await store.replace([], [NotePath("gone.md")])
    assert len(await store.dense(target, Scope(), 3)) == 3
    before = await store.dense(target, Scope(), 9)
    assert await store.vector_tables() == {"space": 303}
    await store.maintain()
    assert await store.vector_tables() == {"space": 3}
    assert await store.dense(target, Scope(), 9) == before


async def test_the_newest_notes_are_embedded_first(store: Store, rng: np.random.Generator) -> None:
    await store.replace([update("old.md", "o1", "o2", mtime=1), update("new.md", "n1", "n2", mtime=3)])
    await store.replace([update("mid.md", "n1", "m", mtime=2)])
    chunks = await store.unembedded(9)
    assert texts(chunks) == ["n1", "n2", "m", "o1", "o2"]
    assert texts(await store.unembedded(2)) == ["n1", "n2"]
    await store.put_vectors({chunk.digest: random_embedding(rng) for chunk in chunks[:2]})
    assert texts(await store.unembedded(9)) == ["m", "o1", "o2"]
    assert await store.counts() == StoreCounts(3, 0, 6, 3)
    await store.replace([NoteUpdate(make_note("old.md", mtime=9), None)])  # touched
    assert texts(await store.unembedded(1)) == ["o1"]


async def test_the_most_linked_notes_are_embedded_in_turns_with_the_newest(store: Store) -> None:
    def written(path: str, mtime: float, *links: str) -> NoteUpdate:
        plain = update(path, f"{path} one", f"{path} two", mtime=mtime)
        return replace(plain, note=replace(plain.note, links=links))

    await store.replace(
        [
            written("hub.md", 1),
            written("old.md", 2, "hub"),
            written("spoke.md", 3, "hub", "second"),
            written("second.md", 4, "hub"),
            written("new.md", 5),
            written("newest.md", 6),
        ]
    )
    order = list(dict.fromkeys(chunk.note for chunk in await store.unembedded(100)))
    assert order == ["newest.md", "hub.md", "new.md", "second.md", "spoke.md", "old.md"]
    assert texts(await store.unembedded(3)) == ["newest.md one", "newest.md two", "hub.md one"]


async def test_an_edit_embeds_only_what_changed(store: Store, rng: np.random.Generator) -> None:
    await store.replace([update("a.md", "1", "2", "3")])
    await embed_all(store, rng)
    await store.replace([update("a.md", "0", "1", "2!", "3")])
    assert texts(await store.unembedded(9)) == ["0", "2!"]
    assert (await store.counts()).vectors == 2


async def test_spaces_do_not_meet(store: Store, rng: np.random.Generator) -> None:
    await store.replace([update("a.md", "x")])
    await embed_all(store, rng)
    await store.use_vectors("other/space: v2 'é", 4)
    assert texts(await store.unembedded(9)) == ["x"]
    await store.put_vectors({chunk.digest: random_embedding(rng, 4) for chunk in await store.unembedded(9)})
    assert await store.vector_tables() == {"space": 1, "other/space: v2 'é": 1}
    with pytest.raises(StoreMismatch):
        await store.put_vectors({"x": random_embedding(rng, 5)})
    with pytest.raises(StoreMismatch):
        await store.use_vectors("space", DIMENSIONS + 1)
    await store.use_vectors("space", DIMENSIONS)
    assert await store.unembedded(9) == []
    await store.replace([], [NotePath("a.md")])
    await store.maintain()  # of every space, the present one or not
    assert await store.vector_tables() == {"space": 0, "other/space: v2 'é": 0}


async def test_a_space_may_be_asked_for_by_many_at_once(bare: Store, rng: np.random.Generator) -> None:
    await asyncio.gather(*(bare.use_vectors("space", DIMENSIONS) for _ in range(5)))
    await bare.put_vectors({"x": random_embedding(rng)})
    await bare.use_vectors("space", DIMENSIONS)
    assert await bare.vector_tables() == {"space": 1}


async def test_maintenance_changes_no_answer(store: Store, rng: np.random.Generator) -> None:
    for n in range(8):
        await store.replace([update(f"{n}.md", f"apple {n}", f"pear {n % 3}", mtime=n)])
        await store.replace([update(f"{n // 2}.md", f"apple {n} again")])
        await embed_all(store, rng)
    target = random_embedding(rng).dense

    async def answers() -> tuple[object, ...]:
        return (
            await store.notes(),
            await store.counts(),
            {(hit.chunk.note, hit.chunk.text) for hit in await store.keyword("apple", Scope(), 99)},
            await store.dense(target, Scope(), 99),
            await store.chunks(NotePath("3.md")),
        )

    before = await answers()
    await store.maintain()
    await store.maintain()
    assert await answers() == before


# --- all at once ------------------------------------------------------------------------------------------------------


async def test_writers_readers_and_maintenance_may_overlap(store: Store, rng: np.random.Generator) -> None:
    await store.replace([update(f"{n}.md", "steady", f"text {n}") for n in range(20)])
    target = random_embedding(rng).dense

    async def write(n: int) -> None:
        for turn in range(4):
            await store.replace([update(f"{n}.md", "steady", *(f"turn {turn} {i}" for i in range(turn)))])

    async def search() -> None:
        for _ in range(8):
            # A replaced note is never seen half: one chunk of each says "steady" at any moment.
            assert len(await store.keyword("steady", Scope(), 99)) == 20
            await store.dense(target, Scope(folders=("/",)), 5)
            await store.counts()

    async def embed() -> None:
        for _ in range(8):
            await embed_all(store, rng)

    async def maintain() -> None:
        for _ in range(3):
            await store.maintain()

    await asyncio.gather(*(write(n) for n in range(3)), search(), search(), embed(), maintain())
    await embed_all(store, rng)
    counts = await store.counts()
    assert counts == StoreCounts(20, 0, 3 * 4 + 17 * 2, 3 * 4 + 17 * 2)
    assert await store.unembedded(9) == []


@pytest.mark.parametrize("seed", range(3))
async def test_the_fake_and_lancedb_agree_after_any_history(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vaultbridge.backends.lance_chunks.FRESH", 5)
    rng = np.random.default_rng(seed)
    twins: list[Store] = [FakeStore(), await LanceStore.open(str(tmp_path))]
    for store in twins:
        await store.use_vectors("space", DIMENSIONS)
    for step in range(25):
        names = [f"{n}.md" for n in rng.choice(6, size=3, replace=False)]
        words = [f"text {n}" for n in rng.choice(9, size=rng.integers(0, 5))]
        batch = [update(names[0], *words, mtime=step, tags=[f"t{step % 3}"])]
        if step % 4 == 1:
            batch[0] = update(names[0], *words, mtime=step, origin=names[1])
        if step % 5 == 2:
            batch.append(NoteUpdate(make_note(names[2], mtime=step, reason="no"), None))
        removed = [NotePath(names[1])] if step % 6 == 3 else []
        vector = random_embedding(rng).dense
        made = {chunk.digest: random_embedding(rng) for chunk in await twins[0].unembedded(2)}
        seen = []
        for store in twins:
            await store.put_vectors(made)
            await store.replace(batch, removed)
            if step % 7 == 5:
                await store.maintain()
            dense = await store.dense(vector, Scope(tags=("t1",)) if step % 2 else Scope(), 4)
            rows = [await store.chunks(NotePath(f"{n}.md")) for n in range(6)]
            found = {hit.chunk.key for hit in await store.keyword("text", Scope(since=5.0), 99)}
            nearest = [hit.chunk.key for hit in dense]
            missing = [chunk.embedded for chunk in await store.unembedded(9)]
            spaces = await store.vector_tables()
            seen.append((await store.notes(), rows, await store.counts(), missing, found, nearest, spaces))
        assert seen[0] == seen[1], step
    await twins[1].close()


# --- learned sparse vectors -------------------------------------------------------------------------------------------


def random_sparse(rng: np.random.Generator) -> dict[int, float]:
    tokens = rng.choice(40, size=rng.integers(0, 12), replace=False) * 6_000
    return {int(token): float(np.float32(weight)) for token, weight in zip(tokens, rng.random(12), strict=False)}


async def test_sparse_scores_are_the_products_whatever_was_written_before(
    store: Store, rng: np.random.Generator
) -> None:
    weights: dict[str, dict[int, float]] = {}
    for step in range(12):
        names = rng.choice(9, size=3, replace=False)
        await store.replace([update(f"{n}.md", *(f"text {rng.integers(60)}" for _ in range(5))) for n in names])
        for chunk in await store.unembedded(7):
            weights[chunk.digest] = random_sparse(rng)
            await store.put_vectors({chunk.digest: replace(random_embedding(rng), sparse=weights[chunk.digest])})
        if step % 5 == 4:
            await store.maintain()
        asked = random_sparse(rng)
        rows = [chunk for note in await store.notes() for chunk in await store.chunks(note.state.path)]
        embedded = await store.vectors([chunk.digest for chunk in rows])
        products = {
            chunk.key: sum(weights[chunk.digest].get(token, 0.0) * weight for token, weight in asked.items())
            for chunk in rows
            if chunk.digest in embedded
        }
        expected = {key: product for key, product in products.items() if product > 0}
        hits = await store.sparse(asked, Scope(), 100)
        assert {hit.chunk.key: hit.score for hit in hits} == pytest.approx(expected, rel=1e-5)
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
        best = await store.sparse(asked, Scope(), 4)
        assert [hit.score for hit in best] == pytest.approx(sorted(expected.values(), reverse=True)[:4], rel=1e-5)


async def test_without_sparse_vectors_nothing_is_found(store: Store, rng: np.random.Generator) -> None:
    await store.replace([update("a.md", "x", "y")])
    await embed_all(store, rng)
    assert await store.sparse({1: 1.0}, Scope(), 5) == []
    assert await store.sparse({}, Scope(), 5) == []
    assert await store.sparse({1: 1.0}, Scope(), 0) == []


async def test_an_old_text_that_returns_after_maintenance_needs_its_vector_again(
    store: Store, rng: np.random.Generator
) -> None:
    await store.replace([update("a.md", "old", "stays", "other")])
    await embed_all(store, rng)
    await store.replace([update("a.md", "new", "stays")])
    await embed_all(store, rng)
    await store.maintain()
    await store.replace([update("a.md", "old", "stays")])
    assert texts(await store.unembedded(9)) == ["old"]
    again = random_embedding(rng)
    await store.put_vectors({chunk.digest: again for chunk in await store.unembedded(9)})
    (best, _) = await store.dense(again.dense, Scope(), 9)
    assert best.chunk.text == "old"


# --- multi-vectors ----------------------------------------------------------------------------------------------------


def random_multi(rng: np.random.Generator, tokens: int, dimensions: int = 64) -> Vector:
    multi = rng.standard_normal((tokens, dimensions)).astype(np.float32)
    return np.asarray(multi / np.linalg.norm(multi, axis=1, keepdims=True), np.float32)


async def test_multi_vectors_come_back_nearly_as_they_were(store: Store, rng: np.random.Generator) -> None:
    made = {digest: random_multi(rng, tokens) for digest, tokens in (("one", 1), ("many", 300), ("none", 0))}
    await store.put_vectors({digest: replace(random_embedding(rng), multi=multi) for digest, multi in made.items()})
    await store.put_vectors({"dense": random_embedding(rng), "one": replace(random_embedding(rng), multi=made["many"])})
    kept = await store.multi(["many", "one", "one", "none", "dense", "unknown"])
    assert kept.keys() == {"one", "many"}
    question = random_multi(rng, 12)
    for digest, multi in kept.items():
        assert multi.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(multi, axis=1), 1, atol=1e-6)
        np.testing.assert_allclose(question @ multi.T, question @ made[digest].T, atol=5e-3)
    assert await store.multi([]) == {}


async def test_multi_vectors_go_with_their_chunk(bare: Store, rng: np.random.Generator) -> None:
    assert await bare.multi(["x"]) == {}
    await bare.use_vectors("space", DIMENSIONS)
    await bare.replace([update("a.md", "x")])
    (chunk,) = await bare.unembedded(1)
    await bare.put_vectors({chunk.digest: replace(random_embedding(rng), multi=random_multi(rng, 3))})
    await bare.maintain()
    assert len((await bare.multi([chunk.digest]))[chunk.digest]) == 3
    await bare.replace([], [NotePath("a.md")])
    await bare.maintain()
    assert await bare.multi([chunk.digest]) == {}


# --- links ------------------------------------------------------------------------------------------------------------

LINKS = {
    "Hub.md": ["b", "Sub/c", "D", "nick name", "gone", "Hub", "b", "picture.png"],
    "x/b.md": [],
    "x/Sub/C.md": ["../b.md", "./c"],
    "y/d.md": ["E#Heading", "/top.md"],
    "z/D.md": ["d"],
    "y/e.md": ["E\u0301te"],
    "z/deep/e.md": ["e"],
    "top.md": ["z/deep/e"],
    "z/top.md": ["top"],
    "named.md": [],
    "\u00e9te.md": [],
}
ALIASES = {"named.md": ["Nick Name", "top"]}
NEIGHBOURS = {
    "Hub.md": ["x/b.md", "x/Sub/C.md", "y/d.md", "named.md"],
    "x/b.md": ["Hub.md", "x/Sub/C.md"],
    "x/Sub/C.md": ["x/b.md", "Hub.md"],
    "y/d.md": ["y/e.md", "top.md", "Hub.md"],  # of equally long paths the first; the one beside the source is nearer
    "z/D.md": [],
    "y/e.md": ["\u00e9te.md", "y/d.md"],
    "z/deep/e.md": ["top.md"],
    "top.md": ["z/deep/e.md", "y/d.md", "z/top.md"],  # a path from the root goes first, and a name before an alias
    "z/top.md": ["top.md"],
    "named.md": ["Hub.md"],
    "nowhere.md": [],
}


def linking(path: str, links: Sequence[str]) -> NoteUpdate:
    return NoteUpdate(make_note(path, links=links, aliases=ALIASES.get(path, ())), ())


async def test_links_lead_where_obsidian_leads(bare: Store) -> None:
    await bare.replace([linking(path, links) for path, links in LINKS.items()])
    linked = await bare.linked([NotePath(path) for path in NEIGHBOURS])
    assert linked == {path: tuple(notes) for path, notes in NEIGHBOURS.items()}


async def test_links_to_other_files_have_their_suffix(bare: Store) -> None:
    links = ["soil", "Soil.PDF#page=3", "board", "Board.canvas", "notes/log.txt", "Cafe\u0301.canvas"]
    found = ["soil.md", "papers/soil.pdf", "x/board.canvas", "notes/log.txt", "caf\u00e9.canvas"]
    await bare.replace([linking("a.md", links), *(linking(path, []) for path in found)])
    assert await bare.linked([NotePath("a.md")]) == {"a.md": tuple(found)}
    assert await bare.linked([NotePath("papers/soil.pdf")]) == {"papers/soil.pdf": ("a.md",)}


async def test_names_are_those_that_links_are_written_with(bare: Store) -> None:
    paths = ["Bees.md", "x/BEES.MD", "papers/Soil.PDF", "Cafe\u0301.canvas"]
    await bare.replace([linking(path, []) for path in paths])
    assert await bare.names() == {
        "bees": ("Bees.md", "x/BEES.MD"),
        "soil.pdf": ("papers/Soil.PDF",),
        "caf\u00e9.canvas": ("Cafe\u0301.canvas",),
    }
    await bare.replace([replace(linking("Wasps.md", []), origin=NotePath("Bees.md"))], [NotePath("papers/Soil.PDF")])
    assert await bare.names() == {
        "bees": ("x/BEES.MD",),
        "caf\u00e9.canvas": ("Cafe\u0301.canvas",),
        "wasps": ("Wasps.md",),
    }


async def test_links_follow_what_is_written_moved_and_removed(bare: Store) -> None:
    async def linked(path: str) -> list[str]:
        return list((await bare.linked([NotePath(path)]))[NotePath(path)])

    await bare.replace([linking("a.md", ["b"]), linking("far/away/b.md", [])])
    assert await linked("a.md") == ["far/away/b.md"]
    await bare.replace([linking("b.md", ["a"])])  # a nearer one takes the link
    assert await linked("a.md") == ["b.md"]
    assert await linked("far/away/b.md") == []
    await bare.replace([replace(linking("c.md", ["a"]), origin=NotePath("b.md"))])
    assert await linked("a.md") == ["far/away/b.md", "c.md"]
    await bare.replace([linking("a.md", [])])
    assert await linked("far/away/b.md") == []
    await bare.replace([], [NotePath("c.md")])
    assert await linked("a.md") == []


# --- what is compared with the vault ----------------------------------------------------------------------------------


async def test_rows_are_sorted_and_say_what_has_a_vector(bare: Store, rng: np.random.Generator) -> None:
    await bare.replace([update("b.md", "one", "two"), update("a.md", "three")])
    rows = await bare.rows()
    assert [(row.note, row.ordinal, row.embedded) for row in rows] == [
        ("a.md", 0, False),
        ("b.md", 0, False),
        ("b.md", 1, False),
    ]
    chunks = [chunk for path in ("a.md", "b.md") for chunk in await bare.chunks(NotePath(path))]
    assert [(row.span, row.digest) for row in rows] == [(chunk.span, chunk.digest) for chunk in chunks]
    await bare.use_vectors("space", DIMENSIONS)
    await bare.put_vectors({chunks[1].digest: random_embedding(rng)})
    assert [row.embedded for row in await bare.rows()] == [False, True, False]


async def test_every_chunk_is_found_by_its_own_words(bare: Store) -> None:
    await bare.replace([update(path, path, "***", "a" * 60, "番茄要浇水", "to be or not") for path in AWKWARD])
    await bare.maintain()
    assert await bare.unfound([*map(NotePath, AWKWARD), NotePath("nowhere.md")]) == []


# --- LanceDB alone ----------------------------------------------------------------------------------------------------


async def test_everything_is_there_after_reopening(tmp_path: Path, rng: np.random.Generator) -> None:
    uri = str(tmp_path / "My Vault #1 100% 番茄" / "index")
    first = await LanceStore.open(uri)
    await first.use_vectors("space", DIMENSIONS)
    await first.replace([update("a.md", "apple", "pear"), update("b.md", "plum")])
    await embed_all(first, rng)
    notes, chunks = await first.notes(), await first.chunks(NotePath("a.md"))
    vectors = await first.vectors([chunk.digest for chunk in chunks])
    await first.close()

    second = await LanceStore.open(uri)
    assert await second.vector_tables() == {"space": 3}
    assert await second.notes() == notes
    assert await second.chunks(NotePath("a.md")) == chunks
    assert paths(await second.keyword("plum", Scope(), 5)) == ["b.md"]
    with pytest.raises(StoreMismatch):
        await second.use_vectors("space", DIMENSIONS * 2)
    await second.use_vectors("space", DIMENSIONS)
    assert await second.unembedded(9) == []
    again = await second.vectors(list(vectors))
    assert all(np.array_equal(again[digest], vectors[digest]) for digest in vectors)
    await second.close()


async def test_sparse_weights_are_kept(tmp_path: Path, rng: np.random.Generator) -> None:
    store = await LanceStore.open(str(tmp_path))
    await store.use_vectors("space", DIMENSIONS)
    dense = random_embedding(rng).dense
    await store.put_vectors({"a": Embedding(dense, {5: 0.5, 250_001: 0.25}), "b": Embedding(dense)})
    assert store._spaces.filled is not None
    rows = await store._spaces.filled.table.query().select(["digest", "ids", "weights"]).to_list()
    assert {row["digest"]: (row["ids"], row["weights"]) for row in rows} == {
        "a": ([5, 250_001], [0.5, 0.25]),
        "b": (None, None),
    }
    await store.close()


async def test_a_crash_between_the_commits_is_seen_by_the_next_diff(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await LanceStore.open(str(tmp_path))
    await store.replace([update("a.md", "old", mtime=1)])
    with monkeypatch.context() as patch:

        def die(key: str) -> None:
            raise RuntimeError("lance error: No space left on device (os error 28)")

        patch.setattr(store._notes, "merge_insert", die)
        with pytest.raises(DiskFull):
            await store.replace([update("a.md", "new", mtime=2), update("b.md", "b", mtime=2)])
    assert [(note.state.path, note.state.mtime_ns) for note in await store.notes()] == [
        ("a.md", 1_000_000_000),
        ("b.md", 0),  # rows without a receipt: if the file goes meanwhile, they must go as well
    ]
    assert texts(await store.chunks(NotePath("a.md"))) == ["new"]
    await store.replace([update("a.md", "new", mtime=2), update("b.md", "b", mtime=2)])
    assert await store.counts() == StoreCounts(2, 0, 2, 0)
    await store.close()


async def test_a_write_that_is_cancelled_happened_or_did_not(tmp_path: Path, rng: np.random.Generator) -> None:
    store = await LanceStore.open(str(tmp_path))
    await store.use_vectors("space", DIMENSIONS)
    for turn in range(12):
        await store.replace([update("a.md", "before")])
        writing = asyncio.ensure_future(store.replace([update("a.md", f"after {turn}", "more")]))
        await asyncio.sleep(turn * 0.002)
        writing.cancel()
        await asyncio.wait([writing])
        rows = texts(await store.chunks(NotePath("a.md")))
        assert rows in (["before"], [f"after {turn}", "more"])
        assert (await store.counts()).chunks == len(rows)
        embedding_all = asyncio.ensure_future(embed_all(store, rng))
        await asyncio.sleep(turn * 0.002)
        embedding_all.cancel()
        await asyncio.wait([embedding_all])
    await embed_all(store, rng)
    assert store._spaces.filled is not None
    assert await store.vector_tables() == {"space": await store._spaces.filled.table.count_rows()}
    await store.close()


async def test_an_index_of_another_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await (await LanceStore.open(str(tmp_path))).close()
    monkeypatch.setattr("vaultbridge.backends.lance_tables.VERSION", "next")
    with pytest.raises(StoreMismatch, match="--rebuild"):
        await LanceStore.open(str(tmp_path))


async def test_a_damaged_table_is_set_aside_and_begun_anew(tmp_path: Path) -> None:
    uri = str(tmp_path / "index")
    store = await LanceStore.open(uri)
    await store.replace([update("a.md", "text")])
    await store.close()
    shutil.rmtree(tmp_path / "index" / "chunks.lance" / "data")
    mended = await LanceStore.open(uri)
    assert "chunks could not be read" in mended.damage
    assert await mended.chunks(NotePath("a.md")) == []
    assert [note.state.sha256 for note in await mended.notes()] == [""], "it is to be read again"
    await mended.replace([update("a.md", "text")])
    assert (await mended.rows())[0].note == "a.md"
    await mended.close()
    (kept,) = (tmp_path / "damaged").iterdir()
    assert kept.name.endswith("chunks.lance")


@pytest.mark.parametrize("sign", ["No space left on device (os error 28)", "Disk quota exceeded (os error 122)"])
def test_a_full_disk_is_called_so(sign: str) -> None:
    with pytest.raises(DiskFull), guarded():
        raise RuntimeError(f"lance error: LanceError(IO): Generic LocalFileSystem error: {sign}, commit.rs:1663")


async def test_a_relative_folder_is_not_taken_for_the_cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    await (await LanceStore.open("db")).close()
    assert (tmp_path / "db" / "chunks.lance").is_dir()
