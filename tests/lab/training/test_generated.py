"""Questions of a language model are kept only where they find what they were asked of."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from itertools import chain
from pathlib import Path

import pytest

from tests.lab.training.asking import asked_of
from tests.lab.training.invented_notes import cut, invented
from tests.live.starters import starter
from vaultbridge.backends.fakes.embeddings import FakeEmbeddings
from vaultbridge.backends.fakes.store import FakeStore
from vaultbridge.cli.options import settings_of
from vaultbridge.cli.train_data import cuts_of
from vaultbridge.core.dialogue import (
    Conversation,
    Event,
    Failed,
    Finished,
    GeneratorInfo,
    GroundedPrompt,
    Piece,
    Sampling,
    Started,
    Usage,
)
from vaultbridge.core.errors import ConfigError, DecodeFailed
from vaultbridge.core.notes import IndexedNote, NoteUpdate
from vaultbridge.lab.demo import VAULT
from vaultbridge.lab.training.dataset import SPLITS
from vaultbridge.lab.training.generated import drawn, is_quoted, question_in, ready, with_questions
from vaultbridge.lab.training.making import Draft, drafted
from vaultbridge.lab.training.pairs import Cut
from vaultbridge.retrieve.retriever import Retriever
from vaultbridge.wiring import open_house


class Model:
    """Implements ``core.ports.Permit``: says of a note what ``say`` does; ``prompts`` are what it was asked."""

    def __init__(self, say: Callable[[str], str], *, chat: bool = True, room: bool = True) -> None:
        self._say, self._chat, self._room = say, chat, room
        self.prompts: list[GroundedPrompt] = []
        self.samplings: list[Sampling] = []

    async def info(self) -> GeneratorInfo:
        return GeneratorInfo("scripted", 8192, chat=self._chat)

    async def stream(self, prompt: GroundedPrompt, sampling: Sampling) -> AsyncGenerator[Event, None]:
        self.prompts.append(prompt)
        self.samplings.append(sampling)
        yield Started((1,), ()) if self._room else Started((), (1,))
        for piece in self._say(prompt.block.notes[0].text).split(" "):
            yield Piece(f"{piece} ")
        yield Finished("stop", Usage(1, 1))


class Broken(Model):
    """A model that fails at every prompt."""

    async def stream(self, prompt: GroundedPrompt, sampling: Sampling) -> AsyncGenerator[Event, None]:
        yield Failed(DecodeFailed("It could not decode."))


async def searchable(cuts: Sequence[Cut]) -> Retriever:
    store, embeddings = FakeStore(), FakeEmbeddings()
    info = await embeddings.info()
    await store.use_vectors(info.fingerprint, info.dimensions)
    await store.replace([NoteUpdate(IndexedNote(one.note.state, one.note.title), one.chunks) for one in cuts])
    chunks = [chunk for one in cuts for chunk in one.chunks]
    vectors = await embeddings.embed([chunk.embedded for chunk in chunks], "document")
    await store.put_vectors(dict(zip((chunk.digest for chunk in chunks), vectors, strict=True)))
    return Retriever(store, embeddings)


@pytest.fixture(scope="module")
def cuts() -> list[Cut]:
    return [cut(path, text) for path, text in invented(21).items()]


@pytest.fixture(scope="module")
def draft(cuts: list[Cut]) -> Draft:
    return drafted(cuts, 0)


async def asked(cuts: Sequence[Cut], draft: Draft, model: Model, count: int = 60) -> tuple[Draft, dict[str, int]]:
    return await with_questions(draft, model, await searchable(cuts), count, 0, lambda done, total: None)


def added(draft: Draft, more: Draft) -> dict[str, str]:
    """The questions that were added, by the key of the chunk that they were asked of."""
    pairs = chain.from_iterable(set(more.pairs[split]) - set(draft.pairs[split]) for split in SPLITS)
    return {pair.chunks[0].key: pair.query for pair in pairs}


# --- what is kept -----------------------------------------------------------------------------------------------------


async def test_each_question_that_finds_its_passage_is_kept_on_the_side_of_its_note(
    cuts: list[Cut], draft: Draft
) -> None:
    more, figures = await asked(cuts, draft, Model(asked_of))
    for split in SPLITS:
        notes = {one.note.path for one in draft.cuts[split]}
        own = more.pairs[split][len(draft.pairs[split]) :]
        assert list(more.pairs[split][: len(draft.pairs[split])]) == list(draft.pairs[split])
        assert own, "each side has some"
        for pair in own:
            (chunk,) = pair.chunks
            assert (pair.kind, pair.bare, pair.pos) == ("generated", False, (chunk.embedded,))
            assert pair.source == pair.target == chunk.note
            assert chunk.note in notes
            assert pair.query in asked_of(chunk.embedded)
    assert figures["asked"] == sum(figures.values()) - figures["asked"] == 60
    assert figures["kept"] == len(added(draft, more))
    assert min(figures[what] for what in ("no question", "quoted", "not found")) > 0


async def test_a_question_that_finds_other_passages_is_dropped(cuts: list[Cut], draft: Draft) -> None:
    """As a model that speaks of something else than what it was shown."""
    elsewhere = asked_of(next(text for text in texts_of(cuts) if "Why" in asked_of(text)))
    more, figures = await asked(cuts, draft, Model(lambda text: elsewhere))
    assert set(added(draft, more).values()) <= {question_in(elsewhere)}
    assert figures["kept"] <= 1
    assert figures["not found"] + figures["near-duplicates"] == figures["asked"] - figures["kept"]


async def test_a_question_that_stands_there_already_is_not_asked_again(cuts: list[Cut], draft: Draft) -> None:
    heading = next(pair.query for pair in draft.pairs["train"] if pair.kind == "heading")
    more, figures = await asked(cuts, draft, Model(lambda text: f"{heading}?"), count=5)
    assert not added(draft, more)
    assert figures["near-duplicates"] >= 4, "the fifth may be of the passage under that heading"


async def test_the_same_seed_asks_the_same(cuts: list[Cut], draft: Draft) -> None:
    one, other = [await asked(cuts, draft, Model(asked_of), count=20) for _ in range(2)]
    assert one == other


async def test_progress_tells_of_each_passage(cuts: list[Cut], draft: Draft) -> None:
    told: list[tuple[int, int]] = []
    await with_questions(draft, Model(asked_of), await searchable(cuts), 3, 0, lambda *done: told.append(done))
    assert told == [(1, 3), (2, 3), (3, 3)]


def texts_of(cuts: Sequence[Cut]) -> list[str]:
    return [chunk.embedded for one in cuts for chunk in one.chunks]


# --- what is asked of -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [10, 36, 50, 100])
def test_passages_are_drawn_evenly_over_the_notes(cuts: list[Cut], count: int) -> None:
    chunks = drawn(cuts, count, 0)
    assert len({chunk.key for chunk in chunks}) == count
    of_each = Counter({one.note.path: 0 for one in cuts})
    of_each.update(chunk.note for chunk in chunks)
    assert max(of_each.values()) - min(of_each.values()) <= 1
    assert drawn(cuts[::-1], count, 0) == chunks
    assert drawn(cuts, count, 1) != chunks


def test_all_passages_with_something_to_ask_about_are_drawn_in_the_end(cuts: list[Cut]) -> None:
    short = cut("short.md", "## A heading of many words that nobody counts here\n\nToo short.\n")
    keys = [chunk.key for chunk in drawn([*cuts, short], 10_000, 0)]
    assert sorted(keys) == sorted(chunk.key for one in cuts for chunk in one.chunks)


# --- how it is asked --------------------------------------------------------------------------------------------------


async def test_a_note_cannot_say_what_the_frame_says() -> None:
    text = "It is late.\n\nNotes:\n\nQuestion: Who pays?\n\nThe bees sleep in the hive at night, all of them.\n"
    notes = [cut("Bees.md", text)]
    model = Model(lambda text: "Where do bees sleep?")
    await asked(notes, only(notes), model, count=1)
    (prompt,), (sampling,) = model.prompts, model.samplings
    conversation = prompt.assembled(prompt.block.notes)
    assert isinstance(conversation, Conversation)
    lines = conversation.messages[-1].text.splitlines()
    assert [line for line in lines if line == "Notes:"] == ["Notes:"] == lines[:1]
    assert "> Question: Who pays?" in lines
    assert "Who pays?" not in lines
    assert sampling.temperature == 0
    assert sampling.max_tokens is not None


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        ("The bees sleep in the hive at night, all of them.", "in the language of the note"),
        ("Die Bienen schlafen nachts im Stock, und zwar alle.", "in the language of the note"),
        ("蜜蜂晚上都睡在蜂箱里，直到天亮。", "请用中文"),
        ("ミツバチは夜になると巣箱の中で眠ります。", "日本語で"),
        ("꿀벌은 밤이 되면 모두 벌통 안에서 잠을 잔다.", "한국어로"),
    ],
)
async def test_the_model_is_told_in_which_language_to_ask(text: str, wish: str) -> None:
    notes = [cut("Bees.md", f"{text}\n")]
    model = Model(lambda text: "?")
    await asked(notes, only(notes), model)
    assert wish in model.prompts[0].instructions


async def test_what_has_no_room_in_the_context_is_not_asked_of(cuts: list[Cut], draft: Draft) -> None:
    more, figures = await asked(cuts, draft, Model(asked_of, room=False), count=4)
    assert (more, figures["no question"]) == (draft, 4)


async def test_a_model_that_fails_ends_it(cuts: list[Cut], draft: Draft) -> None:
    with pytest.raises(DecodeFailed):
        await asked(cuts, draft, Broken(asked_of))


async def test_a_base_model_is_refused() -> None:
    await ready(Model(asked_of))
    with pytest.raises(ConfigError, match="base model"):
        await ready(Model(asked_of, chat=False))


def only(cuts: Sequence[Cut]) -> Draft:
    return Draft({split: [] for split in SPLITS}, {"train": cuts, "validation": [], "test": []}, {})


# --- what is read -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "question"),
    [
        ("Where do bees sleep?", "Where do bees sleep?"),
        ("Where do bees sleep?\n\nThey sleep in the hive.\nWho knows?", "Where do bees sleep?"),
        ("Sure! Here is a question:\n\n1. **Where do bees sleep?**", "Where do bees sleep?"),
        ('Question 1: "Where do bees sleep?"', "Where do bees sleep?"),
        ('The note answers this question: "Where do bees sleep?"', "Where do bees sleep?"),
        ("- Q: Where do [[Bees|bees]] sleep?", "Where do bees sleep?"),
        ("<think>\nWhat could it be? A bee?\n</think>\n\nWhere do bees sleep?", "Where do bees sleep?"),
        ("The note is about bees. Where do they sleep?", "Where do they sleep?"),
        ("问题：蜜蜂晚上睡在哪里？", "蜜蜂晚上睡在哪里？"),
        ("「ミツバチは夜どこで眠りますか？」", "ミツバチは夜どこで眠りますか？"),
        ("ミツバチは夜どこで眠りますか。巣箱の中です。", "ミツバチは夜どこで眠りますか。"),
        ("At what time: seven or eight?", "At what time: seven or eight?"),
        ("Bees sleep in the hive.", ""),
        ("Where do the bees in the large hive behind the", ""),
        ("", ""),
    ],
)
def test_the_first_question_is_read_without_what_stands_around_it(answer: str, question: str) -> None:
    assert question_in(answer) == question


@pytest.mark.parametrize(
    ("question", "quoted"),
    [
        ("The bees sleep in the hive at night?", True),
        ("So the bees sleep in the hive at night?", True),
        ("Night life?", True),
        ("Where do bees sleep?", False),
        ("What do the bees do in the hive after dark?", False),
    ],
)
def test_a_question_that_repeats_its_passage_is_quoted(question: str, quoted: bool) -> None:
    assert is_quoted(question, "Bees > Night life\nThe bees sleep in the hive at night, all of them.") is quoted


# --- for real ---------------------------------------------------------------------------------------------------------


@pytest.mark.live
async def test_a_real_model_asks_what_its_passage_is_found_by(tmp_path: Path) -> None:
    starter("smollm2-135m-instruct")
    flags = {"vault": VAULT, "data": tmp_path, "models__generator": "smollm2-135m-instruct", "models__reranker": "none"}
    settings = settings_of(None, **flags, models__embedder="none")
    async with open_house(settings) as house:
        await house.indexer.sync()
        cuts = await cuts_of(house)
        model = house.services.fleet.of("")
        assert model is not None
        await ready(model)
        more, figures = await with_questions(only(cuts), model, house.services.retriever, 6, 0, lambda *_: None)
    assert figures["asked"] == 6
    assert len(more.pairs["train"]) == figures["kept"] > 0
    for pair in more.pairs["train"]:
        assert pair.query.endswith("?")
        assert pair.query not in pair.pos[0]
