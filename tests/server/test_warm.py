"""``POST /vault/warm`` as a plugin uses it while its user is typing."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from dataclasses import replace

import httpx
import pytest

from tests.chat.houses import Only
from tests.server.building import TOMATOES, TOMATOES_LINK, WARM_USAGE, Building, ScriptedGenerator
from tests.server.reading import RawStream, question
from tests.server.test_chat import CHAT, Held
from vaultbridge.core.dialogue import Conversation, Event, Finished, GroundedPrompt, Piece, Sampling, Started, Usage

WARM = "/vault/warm"
HISTORY = [{"role": "user", "content": "Hello."}, {"role": "assistant", "content": "Hello!"}]


class Speaker:
    """Answers every question, and remembers the prompts."""

    def __init__(self) -> None:
        self.prompts: list[GroundedPrompt] = []

    async def __call__(self, prompt: GroundedPrompt, sampling: Sampling) -> AsyncGenerator[Event, None]:
        self.prompts.append(prompt)
        yield Started(tuple(note.number for note in prompt.block.notes), ())
        yield Piece("Every second morning [1].")
        yield Finished("stop", Usage(1, 1))


@pytest.fixture
def speaker() -> Speaker:
    return Speaker()


@pytest.fixture
def generator(speaker: Speaker) -> ScriptedGenerator:
    return ScriptedGenerator(speaker)


@pytest.fixture
def server(building: Building, generator: ScriptedGenerator) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=building.serve(building.speaking(generator)), trust_env=False) as client:
        yield client


def texts(prompt: GroundedPrompt) -> list[str]:
    assert isinstance(prompt.prompt, Conversation)
    return [message.text for message in prompt.prompt.messages]


def test_a_draft_is_prefilled_with_its_notes(server: httpx.Client, generator: ScriptedGenerator) -> None:
    body = server.post(WARM, json={"draft": TOMATOES}).raise_for_status().json()
    assert (body["warmed"], body["prompt_tokens"], body["cached_tokens"]) == (
        True,
        WARM_USAGE.prompt_tokens,
        WARM_USAGE.cached_tokens,
    )
    assert body["citations"][0]["link"] == TOMATOES_LINK
    assert "every second morning" in body["citations"][0]["quote"]
    assert texts(generator.warmed[0]) == [TOMATOES]


def test_a_chats_own_body_is_prefilled_as_it_will_be_asked(
    server: httpx.Client, generator: ScriptedGenerator, speaker: Speaker
) -> None:
    body = question(TOMATOES, vaultbridge={"k": 2}, stream=False, temperature=0.5)
    warmed = server.post(WARM, json=body).raise_for_status().json()
    answer = server.post(CHAT, json=body).raise_for_status().json()
    assert generator.warmed == speaker.prompts
    assert warmed["citations"] == answer["vaultbridge"]["citations"]


def test_a_draft_stands_behind_the_messages(server: httpx.Client, generator: ScriptedGenerator) -> None:
    server.post(WARM, json={"messages": HISTORY, "draft": TOMATOES}).raise_for_status()
    assert texts(generator.warmed[0]) == ["Hello.", "Hello!", TOMATOES]


def test_the_form_of_the_model_id_and_the_options_hold_as_in_a_chat(
    server: httpx.Client, generator: ScriptedGenerator
) -> None:
    def cited(model: str, headers: dict[str, str] | None = None, **ours: object) -> set[str]:
        sent = {"draft": TOMATOES, "model": model} | ({"vaultbridge": ours} if ours else {})
        body = server.post(WARM, json=sent, headers=headers).raise_for_status().json()
        return {citation["path"] for citation in body["citations"]}

    assert "Garden/Tomatoes.md" in cited("any")
    assert cited("any@plain") == set()
    assert cited("any@vault", grounding="off") != set()
    assert cited("any", note="Garden/Tomatoes.md") & {"Garden/Tomatoes.md"} == set()
    assert cited("any", scope={"folders": ["Work"]}) <= {"Work/C# notes #1.md"}
    assert cited("any", {"X-Vaultbridge-Grounding": "off"}) == set()


def test_a_real_request_goes_first(building: Building) -> None:
    held = Held()
    address = building.serve(building.speaking(ScriptedGenerator(held)))
    with (
        RawStream(address, question("x")) as stream,
        httpx.Client(base_url=address, trust_env=False) as client,
    ):
        reads = stream.http_chunks()
        while b"wait" not in next(reads):
            pass
        body = client.post(WARM, json={"draft": TOMATOES}).raise_for_status().json()
        assert (body["warmed"], body["prompt_tokens"], body["cached_tokens"]) == (False, 0, 0)
        held.go.set()
        assert b"done" in b"".join(reads)


@pytest.mark.parametrize("body", [{}, {"messages": []}, {"messages": [{"role": "system", "content": "Be kind."}]}])
def test_without_a_question_there_is_nothing_to_warm(server: httpx.Client, body: dict[str, object]) -> None:
    response = server.post(WARM, json=body)
    assert response.status_code == 400
    assert response.json()["error"]["param"] == "messages"


def test_other_names_and_other_vaults_are_refused_as_in_a_chat(
    building: Building, generator: ScriptedGenerator
) -> None:
    services = building.speaking(generator)
    strict = replace(services, names=replace(services.names, strict=True))
    with httpx.Client(base_url=building.serve(strict), trust_env=False) as client:
        assert client.post(WARM, json={"draft": "x", "model": "gpt-4"}).status_code == 404
        other = client.post(WARM, json={"draft": "x"}, headers={"X-Vaultbridge-Vault": "0123456789ab"})
        assert other.status_code == 409
    assert generator.warmed == []


def test_without_a_model_nothing_is_warmed(building: Building) -> None:
    services = replace(building.services, chat=building.chat(Only(None)))
    with httpx.Client(base_url=building.serve(services), trust_env=False) as client:
        body = client.post(WARM, json={"draft": TOMATOES}).raise_for_status().json()
    assert body == {"warmed": False, "prompt_tokens": 0, "cached_tokens": 0, "citations": []}
