"""A note that is edited, excluded or deleted leaves every memory at once, whoever holds it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.chat.houses import FETCH, FRESH, FakeGenerator, House, Only, grounding_of, links, make, talk, text_of
from tests.index.worlds import World
from tests.retrieve.rows import chunk, update
from vaultbridge.backends.fakes.clock import FakeClock
from vaultbridge.chat.service import ChatService, Grounding, Request, SourcesMode
from vaultbridge.core.dialogue import Event, GroundedPrompt, Sampling
from vaultbridge.core.notes import NotePath
from vaultbridge.core.search import Scope, Scored
from vaultbridge.retrieve.retriever import Retriever

BEES = "Where do bees sleep in the hive?"
FURTHER = "红烧肉的五花肉怎么切？"
SAID = "In the hive [1]."
GONE = NotePath("Bees.md")


@pytest.fixture
def generator() -> FakeGenerator:
    return FakeGenerator(SAID)


@pytest.fixture
async def house(generator: FakeGenerator) -> House:
    return await make(generator)


def held(prompt: GroundedPrompt) -> str:
    """All text of notes in a prompt."""
    return "\n".join(note.text for block in (*prompt.earlier.values(), prompt.block) for note in block.notes)


def sources(prompt: GroundedPrompt) -> set[str]:
    return {note.source for block in (*prompt.earlier.values(), prompt.block) for note in block.notes}


async def lose(house: House, *paths: NotePath) -> None:
    """What happens when notes are deleted or excluded."""
    await house.store.replace([], paths)
    house.chat.forget(paths)


async def edit(house: House) -> None:
    await house.write(update(chunk("Bees.md", "Bees hum.", 0, ["Bees", "Sleep"], "Bees > Sleep")))
    house.chat.forget([GONE])


# --- between two turns ------------------------------------------------------------------------------------------------


async def test_a_follow_up_holds_nothing_of_it(house: House, generator: FakeGenerator) -> None:
    await house.answer(Request(talk(BEES)))
    assert "Bees.md" in sources(generator.prompts[0])
    await lose(house, GONE)
    assert generator.forgotten == [{"Bees.md"}]
    events = await house.answer(Request(talk(BEES, SAID, FURTHER)))
    follow_up = generator.prompts[-1]
    assert "Bees" not in held(follow_up)
    assert "Hives.md" in sources(follow_up), "what else was read stays"
    assert "Bees.md" not in {citation.path for citation in grounding_of(events).citations}
    assert follow_up.prompt == talk(BEES, SAID, FURTHER), "nor are the tokens known of what was said with it"


async def test_an_edited_note_is_read_anew(house: House, generator: FakeGenerator) -> None:
    await house.answer(Request(talk(BEES)))
    numbers = {note.number for note in generator.prompts[0].block.notes}
    await edit(house)
    await house.answer(Request(talk(BEES, SAID, "Do bees hum when they sleep?")))
    follow_up = generator.prompts[-1]
    assert "at night" not in held(follow_up)
    (new,) = [note for note in follow_up.block.notes if note.source == "Bees.md"]
    assert "Bees hum." in new.text
    assert new.number not in numbers, "a former answer's mark does not come to mean another text"


async def test_later_answers_that_still_had_it_in_their_prompt_are_unknown_too(
    house: House, generator: FakeGenerator
) -> None:
    await house.answer(Request(talk(BEES)))
    await house.answer(Request(talk(BEES, SAID, FURTHER)))
    await lose(house, GONE)
    await house.answer(Request(talk(BEES, SAID, FURTHER, SAID, FURTHER)))
    assert generator.prompts[-1].prompt == talk(BEES, SAID, FURTHER, SAID, FURTHER)


async def test_a_conversation_without_it_is_as_it_was(house: House, generator: FakeGenerator) -> None:
    scope = Scope(notes=(NotePath("Hives.md"),))
    await house.answer(Request(talk(BEES), scope=scope))
    await lose(house, GONE)
    await house.answer(Request(talk(BEES, SAID, FURTHER), scope=scope))
    first, second = generator.prompts
    assert second.earlier == {0: first.block}
    assert second.prompt != talk(BEES, SAID, FURTHER), "its answer is known"


async def test_what_was_warmed_is_forgotten_too(house: House, generator: FakeGenerator) -> None:
    await house.chat.warm(Request(talk(BEES)))
    await edit(house)
    await house.answer(Request(talk(BEES)))
    assert "at night" not in held(generator.prompts[0])


# --- while a request runs ---------------------------------------------------------------------------------------------


async def running(house: House, generator: FakeGenerator, *texts: str) -> asyncio.Task[object]:
    """An answer that waits behind its first event."""
    generator.held = True
    asked = len(generator.prompts)
    task: asyncio.Task[object] = asyncio.create_task(house.answer(Request(talk(*texts))))
    while len(generator.prompts) == asked:
        await asyncio.sleep(0)
    return task


async def test_an_answer_that_runs_with_it_leaves_nothing_behind(house: House, generator: FakeGenerator) -> None:
    task = await running(house, generator, BEES)
    await lose(house, GONE)
    assert generator.forgotten == [{"Bees.md"}]
    generator.go.set()
    await task
    assert generator.forgotten == [{"Bees.md"}, {"Bees.md"}], "once more, when the cache is free"
    await house.answer(Request(talk(BEES, SAID, FURTHER)))
    assert "Bees" not in held(generator.prompts[-1])
    assert generator.prompts[-1].prompt == talk(BEES, SAID, FURTHER)


@pytest.mark.parametrize("mode", ["field", "markdown"])
async def test_what_goes_during_an_answer_is_not_cited_any_more(mode: SourcesMode) -> None:
    generator = FakeGenerator(
        "Bees sleep in the hive at night. ", "[[Bees#Sleep]] [1] and [[Hives]]: ", "a hive costs "
    )
    generator.pieces += ("forty euros [3].",)
    house = await make(generator)
    generator.held = True
    events = house.chat.answer(Request(talk(BEES), sources=mode))
    first = await anext(events)
    assert isinstance(first, Grounding)
    assert {"Bees.md", "Hives.md"} <= {citation.path for citation in first.citations}
    await lose(house, GONE)
    generator.go.set()
    rest = [event async for event in events]
    said = text_of(rest)
    assert "[[Bees" not in said
    assert "[1]" not in said
    assert "Bees > Sleep and [[Hives]]: a hive costs forty euros" in said
    assert links(rest) == ["[[Hives]]"]


async def test_what_goes_in_the_queue_is_not_named_at_all() -> None:
    class Waiting(FakeGenerator):
        house: House

        async def stream(self, prompt: GroundedPrompt, sampling: Sampling) -> AsyncGenerator[Event, None]:
            await lose(self.house, GONE)
            async for event in super().stream(prompt, sampling):
                yield event

    generator = Waiting("Bees sleep in the hive at night [1].")
    generator.house = await make(generator)
    events = await generator.house.answer(Request(talk(BEES)))
    assert {citation.path for citation in grounding_of(events).citations} == {"Hives.md"}
    assert "Bees" not in "".join(links(events))


async def test_nor_does_a_follow_up_that_runs_with_it(house: House, generator: FakeGenerator) -> None:
    await house.answer(Request(talk(BEES)))
    task = await running(house, generator, BEES, SAID, FURTHER)
    assert "Bees.md" in sources(generator.prompts[-1])
    await lose(house, GONE)
    generator.go.set()
    await task
    assert generator.forgotten == [{"Bees.md"}, {"Bees.md"}]
    await house.answer(Request(talk(BEES, SAID, FURTHER, SAID, FURTHER)))
    assert "Bees" not in held(generator.prompts[-1])
    assert generator.prompts[-1].prompt == talk(BEES, SAID, FURTHER, SAID, FURTHER)


async def test_nor_one_that_its_client_leaves(house: House, generator: FakeGenerator) -> None:
    async with aclosing(house.chat.answer(Request(talk(BEES)))) as events:
        await anext(events)
        await lose(house, GONE)
    assert generator.forgotten == [{"Bees.md"}, {"Bees.md"}]
    assert generator.closed == 1


async def test_nor_one_that_waited_for_the_model_when_it_was_edited() -> None:
    class Loading(FakeGenerator):
        house: House

        async def stream(self, prompt: GroundedPrompt, sampling: Sampling) -> AsyncGenerator[Event, None]:
            if not self.forgotten:
                await edit(self.house)
            async for event in super().stream(prompt, sampling):
                yield event

    generator = Loading(SAID)
    generator.house = await make(generator)
    async with aclosing(generator.house.chat.answer(Request(talk(BEES)))) as events:
        await anext(events)
    assert "at night" in held(generator.prompts[0])
    assert generator.forgotten == [{"Bees.md"}, {"Bees.md"}]
    await generator.house.answer(Request(talk(BEES, "They sl", FURTHER)))
    assert "at night" not in held(generator.prompts[-1])


async def test_nor_a_warm_call(house: House, generator: FakeGenerator) -> None:
    generator.held = True
    warming = asyncio.create_task(house.chat.warm(Request(talk(BEES))))
    while not generator.warmed:
        await asyncio.sleep(0)
    await edit(house)
    generator.go.set()
    await warming
    assert generator.forgotten == [{"Bees.md"}, {"Bees.md"}]
    await house.answer(Request(talk(BEES)))
    assert "at night" not in held(generator.prompts[0])


async def test_an_answer_that_runs_without_it_forgets_nothing_more(house: House, generator: FakeGenerator) -> None:
    task = await running(house, generator, "quantum chromodynamics lattice")
    await lose(house, GONE)
    generator.go.set()
    await task
    assert generator.forgotten == [{"Bees.md"}]


async def test_what_goes_between_the_search_and_the_prompt_is_not_read(
    house: House, generator: FakeGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.answer(Request(talk(BEES)))
    search, names = house.store.keyword, house.store.names
    found: list[str] = []

    async def keyword(text: str, scope: Scope, limit: int) -> list[Scored]:
        hits = await search(text, scope, limit)
        found.extend(hit.chunk.note for hit in hits)
        return hits

    async def late_names() -> object:
        if found:  # the last look at the index before the prompt is made
            house.chat.forget([GONE])
        return await names()

    monkeypatch.setattr(house.store, "keyword", keyword)
    monkeypatch.setattr(house.store, "names", late_names)
    for texts in ([BEES], [BEES, SAID, "Once more: where do bees sleep in the hive?"]):
        events = await house.answer(Request(talk(*texts)))
        assert "Bees.md" in found
        assert "Bees" not in held(generator.prompts[-1]).replace("where bees sleep costs", "")
        assert {citation.path for citation in grounding_of(events).citations} >= {"Hives.md"}
        assert "Bees.md" not in {citation.path for citation in grounding_of(events).citations}


# --- from a file on the disk to the next prompt -----------------------------------------------------------------------


class Walk:
    """A vault that is watched, and a chat over its index, joined as ``wiring`` does it."""

    def __init__(self, root: Path) -> None:
        root.mkdir()
        self.world = World(root)
        self.world.write("Bees.md", "# Bees\n\nBees sleep in the hive at night.\n")
        self.world.write("Hives.md", "# Hives\n\nA hive where bees sleep costs forty euros.\n")
        self.generator = FakeGenerator(SAID)
        self.chat = ChatService(
            Retriever(self.world.store, self.world.embeddings),
            self.world.store,
            Only(self.generator),
            freshness=lambda: FRESH,
            notes_tokens=500,
            max_tokens=64,
            fetch_command=FETCH,
            clock=FakeClock(),
        )
        self.world.listener = self.chat.forget

    async def ask(self, *texts: str) -> GroundedPrompt:
        async with aclosing(self.chat.answer(Request(talk(*texts)))) as events:
            async for _ in events:
                pass
        return self.generator.prompts[-1]


def deleted(world: World) -> Sequence[str]:
    return [world.delete("Bees.md")]


def excluded(world: World) -> Sequence[str]:
    return [world.write(".obsidian/app.json", json.dumps({"userIgnoreFilters": ["Bees.md"]}))]


def edited(world: World) -> Sequence[str]:
    return [world.write("Bees.md", "# Bees\n\nNothing is known of them.\n")]


def moved(world: World) -> Sequence[str]:
    return world.move("Bees.md", "Archive/Insects.md")


@pytest.mark.parametrize("change", [deleted, excluded, edited, moved])
async def test_a_note_that_changes_leaves_the_conversations_that_hold_it(
    tmp_path: Path, change: Callable[[World], Sequence[str]]
) -> None:
    walk = Walk(tmp_path / "vault")
    async with walk.world.watching():
        await walk.world.indexer.settled()
        first = await walk.ask(BEES)
        assert sources(first) == {"Bees.md", "Hives.md"}
        assert sources(await walk.ask(BEES, SAID, "Thank you very much indeed for this.")) == sources(first)
        assert walk.generator.forgotten == []
        await walk.world.follow(*change(walk.world))
        assert {"Bees.md"} in walk.generator.forgotten
        follow_up = await walk.ask(BEES, SAID, "Thank you very much indeed for this.")
        assert "Bees.md" not in {note.source for note in follow_up.earlier[0].notes}
        assert "at night" not in "".join(note.text for note in follow_up.earlier[0].notes)
        assert "Hives.md" in sources(follow_up)


# --- whatever happens in whatever order -------------------------------------------------------------------------------

NAMES = ("apples", "bridges", "clouds")
STEPS = st.lists(
    st.tuples(st.sampled_from(["ask", "follow", "begin", "end", "warm", "edit"]), st.sampled_from(NAMES)), max_size=12
)


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_no_prompt_ever_holds_a_text_that_was_forgotten(steps: list[tuple[str, str]]) -> None:
    asyncio.run(_live(steps))


async def _live(steps: list[tuple[str, str]]) -> None:
    generator = FakeGenerator(SAID)
    house = House(generator)
    version = dict.fromkeys(NAMES, 0)

    async def write(name: str) -> None:
        text = f"What the note says of {name}: {name} in version {version[name]}."
        await house.write(update(chunk(f"{name}.md", text, context=name)))

    for name in NAMES:
        await write(name)
    texts: list[str] = []
    begun: list[asyncio.Task[object]] = []
    for step, name in steps:
        question = f"What does the note say of {name}, tell me please?"
        answered, warmed = len(generator.prompts), len(generator.warmed)
        if step == "edit":
            version[name] += 1
            await write(name)
            house.chat.forget([NotePath(f"{name}.md")])
            assert {f"{name}.md"} in generator.forgotten
            continue
        if step == "end":
            generator.go.set()
            await asyncio.gather(*begun)
            begun.clear()
            generator.go.clear()
            continue
        generator.held = step == "begin"
        if step == "warm":
            await house.chat.warm(Request(talk(*texts, question)))
        elif step == "begin":
            begun.append(await running(house, generator, *texts, question))
        else:
            await house.answer(Request(talk(*texts, question)))
            texts = [*texts, question, SAID] if step == "follow" else texts
        for prompt in (*generator.prompts[answered:], *generator.warmed[warmed:]):
            for other in NAMES:
                for old in range(version[other]):
                    assert f"{other} in version {old}." not in held(prompt)
    generator.go.set()
    await asyncio.gather(*begun)
