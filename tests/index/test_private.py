"""What must not be seen: out of the index before a model sees it, at once when the rules change, and off the disk."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.chat.houses import FETCH, FRESH, FakeGenerator, Only, talk
from tests.contracts.disk import written
from tests.index.worlds import World
from vaultbridge.backends.fakes.changes import FakeChanges
from vaultbridge.backends.fakes.clock import FakeClock
from vaultbridge.backends.fakes.embeddings import FakeEmbeddings
from vaultbridge.backends.lance import LanceStore
from vaultbridge.chat.request import Request
from vaultbridge.chat.service import ChatService
from vaultbridge.core.errors import DiskFull
from vaultbridge.core.notes import NotePath, NoteUpdate
from vaultbridge.core.search import Scope
from vaultbridge.index.backfill import Backfill
from vaultbridge.index.indexer import Indexer
from vaultbridge.index.settle import CEILING_SECONDS, QUIET_SECONDS
from vaultbridge.retrieve.retriever import Retriever
from vaultbridge.vault.content_rules import CHAT, PRIVATE
from vaultbridge.vault.files import Vault

IGNORE = ".vaultbridgeignore"
PRIVATE_NOTE = "---\nvaultbridge: private\naliases: [Code name]\ntags: [x]\n---\n# A heading\n\nSee [[b]]. Sesame.\n"


@pytest.fixture
def world(tmp_path: Path) -> World:
    (tmp_path / "vault").mkdir()
    return World(tmp_path / "vault")


async def why(world: World, path: str) -> str:
    """Why a note is excluded; empty if it is not."""
    status = await world.indexer.status(NotePath(path))
    return status.reason if status.state == "excluded" else ""


# --- private notes ----------------------------------------------------------------------------------------------------


async def test_of_a_private_note_nothing_is_kept_but_why(world: World) -> None:
    world.write("a.md", PRIVATE_NOTE)
    world.write("b.md", "See [[a]].")
    await world.sync()
    [receipt, _] = await world.store.notes()
    assert (receipt.title, receipt.reason, receipt.chunks) == ("a", PRIVATE, 0)
    assert (receipt.tags, receipt.aliases, receipt.headings, receipt.links) == ((), (), (), ())
    assert "Sesame" not in " ".join(world.embeddings.documents)
    assert await why(world, "a.md") == PRIVATE
    assert world.indexer.exclusions == {PRIVATE: 1}
    # Nothing that suggests or cites notes knows its name.
    assert await world.store.names() == {"b": ("b.md",)}
    assert await world.store.receipts([NotePath("a.md")]) == {}
    assert await world.store.linked([NotePath("b.md")]) == {"b.md": ()}
    assert (await world.store.counts()).notes == 1


async def test_a_note_becomes_private_and_public_again(world: World) -> None:
    world.write("a.md", "Sesame opens it.")
    gone: list[str] = []
    world.listener = gone.extend
    async with world.watching():
        await world.indexer.settled()
        await world.follow(world.write("a.md", PRIVATE_NOTE))
        assert gone == ["a.md"] * len(gone) != []
        assert await world.text("a.md") == ""
        assert await why(world, "a.md") == PRIVATE
        await world.follow(world.move("a.md", "c.md")[0], "c.md")
        assert await why(world, "c.md") == PRIVATE
        assert await world.notes() == ["c.md"]
        await world.follow(world.write("c.md", "Open to all."))
        assert await world.text("c.md") == "Open to all."
        assert (await world.indexer.status(NotePath("c.md"))).state == "indexed"
    assert world.indexer.exclusions == {}


async def test_chats_of_the_plugin_are_left_out_wherever_they_are(world: World) -> None:
    world.write("Somewhere/Chat.md", "---\ntype: vaultbridge-chat\n---\nThe model said: Sesame.")
    await world.sync()
    assert await why(world, "Somewhere/Chat.md") == CHAT
    assert world.embeddings.documents == []


async def test_a_private_note_that_cannot_be_read_for_a_while_stays_private(world: World) -> None:
    world.write("a.md", PRIVATE_NOTE)
    await world.sync()
    world.write("a.md", b"---\nvaultbridge: private\n---\n\xff")
    await world.sync()
    assert await why(world, "a.md") == PRIVATE
    assert await world.store.names() == {}
    world.write("a.md", "Open to all.")
    await world.sync()
    assert await world.text("a.md") == "Open to all."


# --- tags -------------------------------------------------------------------------------------------------------------


async def test_a_tag_is_excluded_and_brought_back_while_the_index_runs(world: World) -> None:
    world.write("a.md", "Secret. #private/health")
    world.write("b.md", "Open. #privateer")
    async with world.watching():
        await world.indexer.settled()
        await world.follow(world.write(IGNORE, "tag:private\n"))
        assert await world.text("a.md") == ""
        assert await why(world, "a.md") == f"{IGNORE}: tag:private"
        await world.follow(world.write("c.md", "Another. #private"))
        assert await world.text("c.md") == ""
        assert world.indexer.exclusions == {f"{IGNORE}: tag:private": 2}
        await world.follow(world.write(IGNORE, "tag:other\n"))
        assert await world.text("a.md") == "Secret. #private/health"
        assert await world.text("c.md") == "Another. #private"
        assert world.indexer.exclusions == {}


async def test_a_tag_that_was_excluded_while_nothing_ran_is_with_the_next_start(world: World) -> None:
    world.write("a.md", "Secret. #private")
    await world.sync()
    world.write(IGNORE, "tag:private\n")
    world.open()
    await world.sync()
    assert await world.text("a.md") == ""
    world.write(IGNORE, "")
    world.open()
    await world.sync()
    assert await world.text("a.md") == "Secret. #private"


async def test_nothing_is_read_again_while_the_rules_say_the_same(world: World) -> None:
    world.write(IGNORE, "tag:private\n")
    world.write("a.md", "Secret. #private")
    await world.sync()
    before = len(world.store.commits)
    world.open()
    await world.sync()
    await world.sync()
    assert len(world.store.commits) == before


# --- rules that change in the middle ----------------------------------------------------------------------------------


async def test_a_first_index_obeys_a_rule_that_is_written_meanwhile(world: World) -> None:
    for number in range(400):  # the newest come first
        world.write(f"late/{number}.md", f"Late {number}.")
    for number in range(400):
        world.write(f"early/{number}.md", f"Early {number}.")
    replace = world.store.replace
    wrote: list[str] = []

    async def replace_then_rule(updates: Sequence[NoteUpdate], removed: Sequence[NotePath] = ()) -> None:
        await replace(updates, removed)
        if not wrote:
            wrote.append(world.write(IGNORE, "late/\nearly/1*\n"))

    world.store.replace = replace_then_rule  # type: ignore[method-assign]
    syncing = asyncio.create_task(world.sync())
    await world.clock.asleep(QUIET_SECONDS)
    assert not any(path.startswith("late/") for path in world.store.written)
    await world.clock.advance(QUIET_SECONDS)
    await syncing
    assert await world.notes() == sorted(f"early/{n}.md" for n in range(400) if not str(n).startswith("1"))
    assert not [text for text in world.embeddings.documents if "Late" in text]


async def test_what_is_excluded_goes_before_the_vault_is_walked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.write("diary/a.md", "Dear diary.")
    walk, held = Vault.walk, []

    def watched_walk(*args: object) -> object:
        held.append(dict(world.store._chunks))
        return walk(*args)  # type: ignore[arg-type]

    async with world.watching():
        await world.indexer.settled()
        monkeypatch.setattr(Vault, "walk", watched_walk)
        await world.follow(world.write(IGNORE, "diary/\n"))
    assert [{path: chunks for path, chunks in moment.items() if chunks} for moment in held] == [{}]


async def test_a_purge_that_fails_is_done_by_the_next_start(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.write("a.md", "Secret. #private")
    world.write("diary/a.md", "Dear diary.")
    world.write("b.md", "Open.")
    await world.sync()
    purges: list[str] = []

    async def full() -> None:
        raise DiskFull("No room is left for the index.")

    async def purged() -> None:
        purges.append(" ".join(sorted(await world.notes())))

    world.write(IGNORE, "tag:private\ndiary/\n")
    world.write("b.md", PRIVATE_NOTE)
    with monkeypatch.context() as patch:
        patch.setattr(world.store, "purge", full)
        with pytest.raises(DiskFull):
            await world.sync()
    monkeypatch.setattr(world.store, "purge", purged)
    for _ in range(2):
        world.open()
        await world.sync()
        assert await world.notes() == ["a.md", "b.md"]
        assert all(note.left_out and note.state.sha256 for note in await world.store.notes())
    assert purges == ["a.md b.md diary/a.md", "a.md b.md"], "the rules first, then what is read; not again"


# --- the whole way ----------------------------------------------------------------------------------------------------


class Way:
    """A vault that is watched, a real store on the disk, and a chat over it, joined as ``wiring`` does it."""

    def __init__(self, root: Path, store: LanceStore) -> None:
        self.root, self.store = root, store
        self.vault = root / "vault"
        self.clock, self.changes = FakeClock(), FakeChanges()
        self.embeddings, self.generator = FakeEmbeddings(), FakeGenerator("Said.")
        self.backfill = Backfill(store, self.embeddings, self.clock)
        self.chat = ChatService(
            Retriever(store, self.embeddings),
            store,
            Only(self.generator),
            freshness=lambda: FRESH,
            notes_tokens=500,
            max_tokens=64,
            fetch_command=FETCH,
            clock=self.clock,
        )
        self.indexer = Indexer(Vault(self.vault), store, self.changes, self.clock, self.backfill, self.chat.forget)

    @classmethod
    @asynccontextmanager
    async def watched(cls, root: Path) -> AsyncIterator[Way]:
        (root / "vault").mkdir(parents=True)
        way = cls(root, await LanceStore.open(str(root / "index")))
        tasks = [asyncio.create_task(way.indexer.run()), asyncio.create_task(way.backfill.run())]
        await way.clock.asleep(0)  # it has looked at everything, and waits for hints
        yield way
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await way.store.close()

    def write(self, name: str, text: str) -> str:
        """Write a file; its name."""
        file = self.vault / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return name

    async def follow(self, *names: str) -> None:
        """Report changes, and wait until they are in the index, with every vector."""
        for name in names:
            self.changes.report(str(self.vault / name))
        await self.clock.advance(CEILING_SECONDS)
        await self.indexer.settled()

    async def ask(self, text: str) -> str:
        """Ask a question; the prompt that it came to, empty if no note has to do with it."""
        self.generator.prompts.clear()
        async with aclosing(self.chat.answer(Request(talk(text), grounding="always"))) as events:
            async for _ in events:
                pass
        return repr(self.generator.prompts)


@pytest.fixture
async def way(tmp_path: Path) -> AsyncIterator[Way]:
    async with Way.watched(tmp_path) as way:
        yield way


SECRET = "The zqxylograph opens the door of the wvquincunx."
TOLD = ("zqxylograph", "wvquincunx", "Ykheading", "ykalias", "yktag")
BODY = f"# Ykheading\n\n{SECRET}\n"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (IGNORE, "Diary/\n"),
        (IGNORE, "tag:hush\n"),
        (".obsidian/app.json", json.dumps({"userIgnoreFilters": ["Diary/"]})),
        ("Diary/Today.md", f"---\nvaultbridge: private\naliases: ykalias\n---\n{BODY}"),
    ],
    ids=["own rule", "tag", "Obsidian's rule", "front matter"],
)
async def test_the_text_of_a_note_that_is_excluded_is_gone_from_the_disk(way: Way, name: str, text: str) -> None:
    others = [way.write(f"n{number}.md", f"Note {number} is about apples and pears.") for number in range(30)]
    await way.follow(*others, way.write("Diary/Today.md", f"---\naliases: ykalias\ntags: hush/yktag\n---\n{BODY}"))
    index = way.root / "index"
    before = written(index)
    assert [word for word in TOLD if word in before] == list(TOLD), "the control: all of it can be seen on the disk"
    digests = [chunk.digest for chunk in await way.store.chunks(NotePath("Diary/Today.md"))]
    assert len(await way.store.vectors(digests)) == len(digests) > 0
    assert "zqxylograph" in await way.ask("What opens the door?")

    await way.follow(way.write(name, text))
    after = written(index)
    assert [word for word in (*TOLD, *digests) if word in after] == []
    assert await way.store.vectors(digests) == {}
    assert await way.store.keyword("zqxylograph", Scope(), 5) == []
    assert "zqxylograph" not in await way.ask("What opens the door?")
    assert (await way.store.counts()).notes == 30


async def test_a_note_that_is_moved_to_where_notes_are_left_out_is_gone_from_the_disk(way: Way) -> None:
    await way.follow(way.write(IGNORE, "Diary/\n"), way.write("a.md", BODY), way.write("b.md", "Another one."))
    assert "zqxylograph" in written(way.root / "index")
    (way.vault / "Diary").mkdir()
    (way.vault / "a.md").rename(way.vault / "Diary/a.md")
    await way.follow("a.md", "Diary/a.md")
    after = written(way.root / "index")
    assert [word for word in TOLD if word in after] == []
    assert await way.store.names() == {"b": ("b.md",)}


NOTES = ("Diary/a.md", "Work/b.md", "c.md")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.sampled_from(NOTES), st.sampled_from(["", "tag", "private", "chat", "broken"])),
        st.tuples(st.just("move"), st.sampled_from(NOTES), st.sampled_from(NOTES)),
        st.tuples(
            st.just("own"), st.sampled_from(["", "Diary/\n", "tag:hush\n", "Diary/\ntag:hush\nb.md\n"]), st.just("")
        ),
        st.tuples(st.just("obsidian"), st.sampled_from(['["Work/"]', "[]", '["/^c/"]', "broken"]), st.just("")),
    ),
    min_size=2,
    max_size=6,
)
HEADS = {
    "": "",
    "tag": "---\ntags: [hush/now]\n---\n",
    "private": "---\nvaultbridge: private\n---\n",
    "chat": "---\ntype: vaultbridge-chat\n---\n",
    "broken": "---\nvaultbridge: private\nx: [\n---\n",
}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_no_text_that_is_excluded_reaches_the_store_the_embedder_or_a_prompt(
    steps: list[tuple[str, str, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    asyncio.run(_walked(steps, tmp_path_factory.mktemp("way")))


async def _walked(steps: list[tuple[str, str, str]], root: Path) -> None:
    heads: dict[str, tuple[str, list[str]]] = {}  # of each note: its front matter, and the word of each version
    own, filters = "", "[]"  # Obsidian's filters as they could last be read
    standing: str | None = None  # the own rules when those became unreadable: what was excluded then stays so as long
    async with Way.watched(root) as way:
        for number, (kind, first, second) in enumerate(steps):
            changed = [first, second]
            if kind == "write":
                word = f"zqword{number}x"
                heads[first] = (second, [*heads.get(first, ("", []))[1], word])
                changed = [way.write(first, f"{HEADS[second]}The door opens to {word}.\n")]
            elif kind == "move" and first in heads and first != second:
                heads[second] = heads.pop(first)
                (way.vault / second).parent.mkdir(parents=True, exist_ok=True)
                (way.vault / first).replace(way.vault / second)
            elif kind == "own":
                own = first
                changed = [way.write(IGNORE, own)]
            elif kind == "obsidian":
                standing = None if first != "broken" else own if standing is None else standing
                filters = filters if first == "broken" else first
                changed = [way.write(".obsidian/app.json", f'{{"userIgnoreFilters": {first}}}')]
            way.embeddings.documents.clear()
            await way.follow(*changed)
            prompt = await way.ask("What does the door open to?")
            hidden = [
                word
                for note, (head, words) in heads.items()
                if _is_hidden(note, head, own, standing, filters)
                for word in words
            ]
            shown = [
                words[-1] for note, (head, words) in heads.items() if not _is_hidden(note, head, own, standing, filters)
            ]
            stored = " ".join([chunk.text for note in NOTES for chunk in await way.store.chunks(NotePath(note))])
            for place, text in (
                ("the store", stored),
                ("the embedder", " ".join(way.embeddings.documents)),
                ("a prompt", prompt),
                ("the disk", written(root / "index")),
            ):
                assert [word for word in hidden if word in text] == [], place
            assert [word for word in shown if word not in stored] == [], "the control: what may be seen is there"


def _is_hidden(note: str, head: str, own: str, standing: str | None, filters: str) -> bool:
    paths = own + (standing or "")
    return (
        head in ("private", "chat", "broken")
        or (head == "tag" and "tag:hush" in own)
        or (note.startswith("Diary/") and "Diary/" in paths)
        or (note == "Work/b.md" and ("b.md" in paths or "Work/" in filters))
        or (note == "c.md" and "^c" in filters)
    )
