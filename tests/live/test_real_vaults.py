"""Real vaults with real models: the notes that a user would look for are found, and every citation exists."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.live.starters import starter
from vaultbridge.chat.service import Grounding, Request, Sources
from vaultbridge.core.dialogue import Conversation, Failed, Finished, Message, Sampling
from vaultbridge.core.search import Citation, Query
from vaultbridge.settings import load_settings
from vaultbridge.vault.files import Vault
from vaultbridge.vault.formats import is_note, read_note
from vaultbridge.wiring import House, open_house

VAULTS = Path(__file__).parents[3] / "shared" / "vaults"
TASKS = {
    "how do I postpone a task": "Postponing",
    "show tasks due in the next 7 days": "Find tasks for coming 7 days",
    "recurring task every weekday": "Recurring Tasks",
    "what does the urgency score depend on": "Urgency",
    "custom status symbol settings": "Custom Statuses",
}
HELP = {
    "how to create a callout": "Callouts",
    "is sync encrypted end to end": "Security and privacy",
    "remove a hotkey": "Hotkeys",
    "publish with a custom domain": "Custom domains",
    "what are aliases for": "Aliases",
}

pytestmark = [pytest.mark.live, pytest.mark.timeout(600), pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(loop_scope="module", scope="module", params=["tasks-docs", "obsidian-help/en"])
async def vault(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    root = VAULTS / request.param
    if not root.is_dir():
        pytest.skip(f"the real vaults are not here: {root.name}")
    starter("all-minilm-l6-v2")
    starter("smollm2-135m-instruct")
    settings = load_settings(
        None,
        {
            "vault": root,
            "data": tmp_path_factory.mktemp("data"),
            "models.generator": "smollm2-135m-instruct",
            # One vault with vectors, one by keywords alone: embedding is what takes the time.
            "models.embedder": "all-minilm-l6-v2" if root.name == "tasks-docs" else "none",
            "engine.context": 2048,
        },
    )
    async with open_house(settings) as house:
        await house.indexer.sync()
        await house.indexer.settled()
        yield house


def questions(house: House) -> dict[str, str]:
    return TASKS if house.place.vault.name == "tasks-docs" else HELP


async def test_every_note_is_indexed_and_every_chunk_has_its_vector(vault: House) -> None:
    counts = await vault.store.counts()
    assert counts.notes == sum(is_note(file.name) for file in vault.place.vault.rglob("*"))
    assert counts.chunks > counts.notes
    assert counts.vectors == (counts.chunks if vault.services.embeddings else 0)


async def test_questions_find_their_note(vault: House) -> None:
    for question, expected in questions(vault).items():
        found = await vault.services.retriever.search(Query(question, limit=20))
        notes = list(dict.fromkeys(Path(hit.chunk.note).stem for hit in found.hits))
        assert expected in notes[:3], question


async def test_answers_cite_what_exists(vault: House) -> None:
    for question, expected in list(questions(vault).items())[:2]:
        request = Request(Conversation((Message("user", (question,)),)), Sampling(temperature=0, max_tokens=48))
        events = [event async for event in vault.services.chat.answer(request)]
        assert isinstance(events[-1], Finished), [event for event in events if isinstance(event, Failed)]
        grounding = events[0]
        assert isinstance(grounding, Grounding)
        assert expected in {Path(citation.path).stem for citation in grounding.citations}
        used = next(event.used for event in events if isinstance(event, Sources))
        for citation in (*grounding.citations, *used):
            assert_exists(citation, vault.place.vault)


async def test_questions_about_other_things_are_left_alone(vault: House) -> None:
    for question in ("Who painted the Mona Lisa?", "How long do I boil an egg?"):
        assert (await vault.services.retriever.relevant(Query(question, limit=8))).hits == ()


def assert_exists(citation: Citation, root: Path) -> None:
    note, _ = read_note(*Vault(root).read(citation.path))
    assert note.text[citation.span.start : citation.span.end] == citation.quote
    assert citation.heading in ("", *(heading.text for heading in note.headings))
