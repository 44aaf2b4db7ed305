"""What the server writes down of a request, and what it never does."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import AsyncGenerator, Iterator

import httpx
import pytest

from tests.scenarios.serving import eventually
from tests.server.building import TOMATOES, Building, ScriptedGenerator
from tests.server.reading import question
from vaultbridge.cli.logs import follow_requests
from vaultbridge.core.dialogue import Event, GroundedPrompt, Piece, Sampling, Started

CHAT = "/v1/chat/completions"


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, object]]:
    return [record.__dict__["fields"] for record in caplog.records if "fields" in record.__dict__]


def test_a_line_says_what_was_done(client: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    client.post(CHAT, json=question(TOMATOES), headers={"User-Agent": "OpenAI/Python 3.1.0"}).raise_for_status()
    client.get("/vault/notes/Garden/Tomatoes.md", headers={"Origin": "app://obsidian.md"})
    client.get("/nowhere", headers={"User-Agent": "curl/8.5"})
    client.get("/health", headers={"Host": "evil.example", "User-Agent": "zyxwv"})
    eventually(lambda: len(lines(caplog)) == 4, "a line for each")
    written = lines(caplog)
    assert [{name: value for name, value in line.items() if name != "ms"} for line in written] == [
        {"method": "POST", "route": CHAT, "status": 200, "client": "openai-python"},
        {"method": "GET", "route": "/vault/notes/{path:path}", "status": 200, "client": "obsidian"},
        {"method": "GET", "route": "none", "status": 404, "client": "curl"},
        {"method": "GET", "route": "none", "status": 403, "client": "other"},
    ]
    assert all(isinstance(line["ms"], int) and line["ms"] >= 0 for line in written)


SECRET = "zyxwvutsecret"


def test_nothing_of_what_is_said_is_written(
    client: httpx.Client, building: Building, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for body in (question(f"{SECRET} tomatoes"), question(SECRET, temperature=SECRET), {SECRET: SECRET}):
        for stream in (False, True):
            client.post(CHAT, json={**body, "stream": stream})
    client.post("/vault/warm", json={"draft": SECRET})
    client.post("/v1/embeddings", json={"input": SECRET})
    client.get(f"/vault/search?q={SECRET}&folder={SECRET}")
    client.get(f"/vault/notes/{SECRET}.md")
    client.get(f"/{SECRET}?{SECRET}")
    client.request(SECRET.upper(), "/health")
    for name in ("X-Request-Id", "User-Agent", "Origin", "Authorization", "X-Vaultbridge-Note", "X-Vaultbridge-K"):
        client.post(CHAT, json=question("x"), headers={name: f"{SECRET} {SECRET}"})
    eventually(lambda: len(lines(caplog)) == 18, "a line for each")
    # The test's own client writes its requests down; the server's lines are the others.
    written = " ".join(
        f"{record.getMessage()} {record.__dict__}" for record in caplog.records if record.name != "httpx"
    ).lower()
    assert SECRET not in written
    assert "tomatoes.md" not in written
    assert "every second morning" not in written


def test_an_id_is_taken_over_if_it_is_plain_and_made_if_not(client: httpx.Client) -> None:
    assert client.get("/health", headers={"X-Request-Id": "req-1_a.B"}).headers["x-request-id"] == "req-1_a.B"
    made = {client.get("/health").headers["x-request-id"] for _ in range(3)}
    assert len(made) == 3
    for odd in ("x" * 65, "a b", "a;b", "é".encode().decode("latin-1"), ""):
        answered = client.get("/health", headers={b"X-Request-Id": odd.encode("latin-1")}).headers["x-request-id"]
        assert answered != odd
        assert answered.isalnum()


@pytest.mark.parametrize("path", ["/nowhere", "/v1/models", "/"])
def test_every_answer_names_its_request(client: httpx.Client, path: str) -> None:
    assert client.get(path, headers={"X-Request-Id": "me"}).headers.get_list("x-request-id") == ["me"]
    assert client.get(path, headers={"X-Request-Id": "me", "Host": "evil.example"}).headers["x-request-id"] == "me"


# --- how lines look -------------------------------------------------------------------------------------------------


async def talkative(prompt: GroundedPrompt, sampling: Sampling) -> AsyncGenerator[Event, None]:
    yield Started((), ())
    logging.getLogger("vaultbridge.test").info("in the course of %s", "it")
    yield Piece("Yes.")
    raise RuntimeError("a bug")


@pytest.fixture
def root() -> Iterator[io.StringIO]:
    """The root logger with one handler of its own."""
    logger, written = logging.getLogger(), io.StringIO()
    before, level = logger.handlers[:], logger.level
    logger.handlers[:] = [logging.StreamHandler(written)]
    logger.setLevel(logging.INFO)
    foreign = logging.getLogger("uvicorn")
    foreign_level = foreign.level
    foreign.setLevel(logging.WARNING)
    yield written
    logger.handlers[:] = before
    foreign.setLevel(foreign_level)
    logger.setLevel(level)


@pytest.mark.parametrize("form", ["json", "text"])
def test_every_line_in_the_course_of_a_request_names_it(building: Building, root: io.StringIO, form: str) -> None:
    application, address = building.application(building.speaking(ScriptedGenerator(talkative)))
    follow_requests("json" if form == "json" else "text", application.request_id)
    with httpx.Client(base_url=address, trust_env=False) as client:
        client.post(CHAT, json=question("x", stream=True), headers={"X-Request-Id": "the-one"})
    eventually(lambda: f"POST {CHAT}" in root.getvalue(), "its last line")
    written = [line for line in root.getvalue().splitlines() if "HTTP Request" not in line]
    if form == "text":
        named = [line for line in written if line.endswith("[the-one]")]
        assert any(line.startswith("INFO vaultbridge.test: in the course of it") for line in named)
        assert any(f"POST {CHAT} 200 in" in line for line in named)
        return
    objects = {line["logger"]: line for line in map(json.loads, written)}
    assert objects["vaultbridge.test"]["message"] == "in the course of it"
    assert objects["vaultbridge.server.record"] | {"ms": 0, "time": "", "message": ""} == {
        **{"time": "", "level": "INFO", "logger": "vaultbridge.server.record", "message": "", "request_id": "the-one"},
        **{"method": "POST", "route": CHAT, "status": 200, "ms": 0, "client": "httpx"},
    }
    assert {line["request_id"] for line in objects.values()} == {"the-one"}
    assert "a bug" in objects["vaultbridge.server.asking"]["exception"]
