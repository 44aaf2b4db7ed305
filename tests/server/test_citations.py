"""What of an answer rests on the notes, and what does not, in every dialect."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Iterator

import httpx
import pytest

from tests.server.building import TOMATOES, TOMATOES_LINK, Building, ScriptedGenerator
from tests.server.reading import Json, question
from vaultbridge.core.dialogue import Event, Finished, GroundedPrompt, Piece, Sampling, Started, Usage

HELD = "Water the tomatoes every second morning in summer."
INVENTED = "蜜蜂 Quarks carry colour charge."
"""Its characters are no bytes."""


async def speak(prompt: GroundedPrompt, sampling: Sampling) -> AsyncGenerator[Event, None]:
    yield Started(tuple(note.number for note in prompt.block.notes), ())
    for choice in range(sampling.n):
        for text in (HELD, f" {INVENTED} [99]", " Is", " it?"):
            yield Piece(text, choice)
        yield Finished("stop", Usage(1, 4), choice=choice)


@pytest.fixture(scope="module")
def client(building: Building) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=building.serve(building.speaking(ScriptedGenerator(speak))), trust_env=False) as client:
        yield client


def last_of(lines: str) -> Json:
    """The last of a stream's objects that has our key."""
    said = [
        json.loads(line.removeprefix("data: ")) for line in lines.splitlines() if "{" in line and "event:" not in line
    ]
    last: Json = [document for document in said if "vaultbridge" in document.get("response", document)][-1]
    return last


def chat(reply: Json) -> str:
    text: str = reply["choices"][0]["message"]["content"]
    return text


def response(reply: Json) -> str:
    text: str = reply["output"][0]["content"][0]["text"]
    return text


def ollama(reply: Json) -> str:
    text: str = reply["message"]["content"]
    return text


@pytest.mark.parametrize(
    ("path", "body", "text_of"),
    [
        ("/v1/chat/completions", question(TOMATOES), chat),
        ("/v1/responses", {"input": TOMATOES}, response),
        ("/api/chat", question(TOMATOES, stream=False), ollama),
    ],
    ids=["chat", "responses", "ollama"],
)
def test_marks_are_set_and_what_no_note_holds_is_named(
    client: httpx.Client, path: str, body: Json, text_of: Callable[[Json], str]
) -> None:
    body = {**body, "vaultbridge": {"sources": "field"}}
    reply = client.post(path, json=body).json()
    said, ours = text_of(reply), reply["vaultbridge"]
    assert said == f"{HELD} [1] {INVENTED} Is it?"
    assert ours["used"] == [1]
    assert ours["citations"][0]["link"] == TOMATOES_LINK
    (place,) = ours["unsupported"]
    assert said[place["start"] : place["end"]] == INVENTED
    assert place["choice"] == 0
    assert 0 <= place["support"] < 0.5
    last = last_of(client.post(path, json={**body, "stream": True}).text)
    assert last.get("response", last)["vaultbridge"]["unsupported"] == [place]


def test_each_choice_has_its_own(client: httpx.Client) -> None:
    reply = client.post("/v1/chat/completions", json=question(TOMATOES, n=2, vaultbridge={})).json()
    assert [place["choice"] for place in reply["vaultbridge"]["unsupported"]] == [0, 1]


def test_a_client_that_knows_nothing_of_us_gets_one_line_of_links(client: httpx.Client) -> None:
    reply = client.post("/v1/chat/completions", json=question(TOMATOES)).json()
    assert chat(reply) == f"{HELD} {INVENTED} Is it?\n\nSources: {TOMATOES_LINK}"
    assert reply["vaultbridge"]["unsupported"]


def test_it_is_described(client: httpx.Client) -> None:
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    assert set(schemas["UnsupportedView"]["properties"]) == {"choice", "start", "end", "support"}
