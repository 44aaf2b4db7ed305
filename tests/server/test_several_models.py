"""Several chat models behind one address: named in a request, taking turns in memory, chosen for a purpose."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import httpx
import pytest

from tests.engine.inline import launch_inline
from tests.server.building import TOMATOES, TOMATOES_LINK, Building
from tests.server.reading import Json, RawStream, answer_of, events, lines, question
from tests.server.test_chat import eventually
from vaultbridge.backends.clock import SystemClock
from vaultbridge.catalog.roles import Roles
from vaultbridge.core.duration import NEVER
from vaultbridge.core.errors import ModelMissing
from vaultbridge.core.notes import NotePath
from vaultbridge.engine.activity import Activity
from vaultbridge.engine.berth import Load
from vaultbridge.engine.child import Build
from vaultbridge.engine.fleet import Fleet
from vaultbridge.engine.generator import HostedGenerator
from vaultbridge.engine.launch import Running
from vaultbridge.engine.load import load_generator
from vaultbridge.server import asking, ndjson, sse

CHAT = "/v1/chat/completions"
TOMATO_NOTE = NotePath("Garden/Tomatoes.md")


class Harbour:
    """A server over fake models, ``big`` and ``small``, in threads; ``lost`` ones cannot be loaded.

    They are loaded while ``loading`` is set; ``launched`` are their names in the order of their loads.
    """

    def __init__(self, building: Building, file: Path, budget: int) -> None:
        self.launched: list[str] = []
        self.lost: set[str] = set()
        self.loading = threading.Event()
        self.loading.set()
        self.fleet = Fleet(
            self._plan,
            lambda: ("big", "small"),
            lambda name, home: HostedGenerator(name, home, Activity(), 32, 60.0),
            budget,
            NEVER,
            SystemClock(),
            self._launch,
        )
        building.await_(self.fleet.look())
        self.chat = building.chat(self.fleet)
        self.services = replace(
            building.services,
            chat=self.chat,
            fleet=self.fleet,
            roles=Roles(file),
            names=replace(building.services.names, chat=self.fleet),
        )
        self.address = building.serve(self.services)
        self.client = httpx.Client(base_url=self.address, trust_env=False, timeout=20)
        self._building = building

    def close(self) -> None:
        self.loading.set()
        self.client.close()
        self._building.await_(self.fleet.close())

    def _plan(self, name: str) -> Load:
        self.loading.wait(20)
        if name in self.lost:
            raise ModelMissing(f"The model {name} is not on this computer.", "Fetch it.")
        decoder = "vaultbridge.backends.fakes.decoder:FakeDecoder"
        return Load(partial(load_generator, decoder, (), {"name": name}), 60, 8192)

    def _launch(self, build: Build, pipe: Connection, name: str) -> Running:
        self.launched.append(name)
        return launch_inline(build, pipe, name)

    @property
    def running(self) -> list[str]:
        models = self.client.get("/api/ps").raise_for_status().json()["models"]
        return [model["name"] for model in models if model["name"] in ("big", "small")]

    def ask(self, text: str, **more: object) -> Json:
        answer: Json = self.client.post(CHAT, json=question(text, **more)).raise_for_status().json()
        return answer


@pytest.fixture
def harbour(building: Building, tmp_path: Path) -> Iterator[Harbour]:
    """With room for one."""
    harbour = Harbour(building, tmp_path / "roles.json", 100)
    yield harbour
    harbour.close()


def said(answer: Json) -> str:
    return str(answer["choices"][0]["message"]["content"])


def test_every_model_is_listed_and_can_be_named_with_its_forms(harbour: Harbour) -> None:
    ids = [name + form for name in ("big", "small") for form in ("", "@vault", "@plain")]
    listed = [model["id"] for model in harbour.client.get("/v1/models").raise_for_status().json()["data"]]
    assert listed[:6] == ids
    assert [model["name"] for model in harbour.client.get("/api/tags").json()["models"]] == listed
    assert harbour.launched == []
    assert harbour.client.get("/v1/models/small@plain").status_code == 200
    assert harbour.client.post("/api/show", json={"model": "small"}).json()["capabilities"] == ["completion", "tools"]
    for name in ids:
        answer = harbour.ask(TOMATOES, model=name)
        assert answer["model"] == name.partition("@")[0]
        grounded = TOMATOES_LINK in json.dumps(answer, ensure_ascii=False)
        assert grounded == (not name.endswith("@plain"))
    assert harbour.ask("Hello?", model="gpt-3.5-turbo")["model"] == "big"
    (*_, last) = lines(harbour.client, "/api/chat", question("Hello?", model="small:latest"))
    assert last["model"] == "small"


def test_strict_names_refuse_only_what_is_not_there(harbour: Harbour, building: Building) -> None:
    services = replace(harbour.services, names=replace(harbour.services.names, strict=True))
    with httpx.Client(base_url=building.serve(services), trust_env=False) as client:
        assert client.post(CHAT, json=question("Hello?", model="small@plain")).json()["model"] == "small"
        refused = client.post(CHAT, json=question("Hello?", model="medium"))
    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "model_not_found")


def test_two_models_take_turns_where_only_one_fits(harbour: Harbour) -> None:
    for name in ("big", "small", "small", "big"):
        assert said(harbour.ask("Hello?", model=f"{name}@plain")) == "You said: Hello?"
        assert harbour.running == [name]
    assert harbour.launched == ["big", "small", "big"]


@pytest.mark.parametrize("path", ["/api/generate", "/v1/completions", CHAT, "/v1/responses"])
@pytest.mark.parametrize("key", ["keep_alive", "ttl"])
def test_keep_alive_zero_ends_the_model_behind_its_answer(harbour: Harbour, path: str, key: str) -> None:
    asked = {"input": "Hello?"} if path == "/v1/responses" else {"prompt": "Hello?"}
    body = {"model": "small@plain", "stream": False, **(question("Hello?") if path == CHAT else asked)}
    harbour.client.post(path, json=body).raise_for_status()
    assert harbour.running == ["small"]
    harbour.client.post(path, json={**body, key: 0}).raise_for_status()
    eventually(lambda: harbour.running == [], "it stays")


def test_a_keep_alive_that_is_no_duration_is_refused(harbour: Harbour) -> None:
    refused = harbour.client.post(CHAT, json=question("Hello?", keep_alive="soon"))
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "keep_alive")


@pytest.mark.parametrize("path", [CHAT, "/api/chat"])
def test_a_stream_is_kept_alive_while_its_model_is_loaded(
    harbour: Harbour, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(asking, "PATIENCE_SECONDS", 0.02)
    monkeypatch.setattr(sse, "KEEP_ALIVE_SECONDS", 1)
    monkeypatch.setattr(ndjson, "KEEP_ALIVE_SECONDS", 0.02)
    harbour.loading.clear()
    with RawStream(harbour.address, question("Hello?", model="small@plain"), path=path) as stream:
        reads = stream.http_chunks()
        first = next(reads).decode()
        assert "Hello" not in first
        assert '"content":""' in first
        harbour.loading.set()
        rest = b"".join(reads).decode()
    documents = [json.loads(line.removeprefix("data: ")) for line in rest.splitlines() if line.endswith("}")]
    messages = [line["choices"][0]["delta"] if path == CHAT else line["message"] for line in documents]
    assert "".join(message.get("content", "") for message in messages) == "You said: Hello?"
    assert '"stop"' in rest


@pytest.mark.parametrize("path", [CHAT, "/api/chat"])
def test_a_load_that_fails_late_is_one_error_in_the_stream_and_the_server_goes_on(
    harbour: Harbour, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(asking, "PATIENCE_SECONDS", 0.02)
    monkeypatch.setattr(ndjson, "KEEP_ALIVE_SECONDS", 0.02)
    monkeypatch.setattr(sse, "KEEP_ALIVE_SECONDS", 1)
    harbour.loading.clear()
    harbour.lost.add("small")
    with RawStream(harbour.address, question("Hello?", model="small@plain"), path=path) as stream:
        reads = stream.http_chunks()
        next(reads)
        harbour.loading.set()
        rest = b"".join(reads).decode()
    assert rest.count("not on this computer") == 1
    assert said(harbour.ask("Hello?", model="big@plain")) == "You said: Hello?"


def test_a_load_that_fails_at_once_has_its_own_status(harbour: Harbour) -> None:
    harbour.lost.add("small")
    for stream in (True, False):
        refused = harbour.client.post(CHAT, json=question("Hello?", model="small@plain", stream=stream))
        assert refused.status_code == 503
        assert "not on this computer" in refused.json()["error"]["message"]
    quoted = harbour.ask(TOMATOES, model="small")
    assert {"lane": "generator", "reason": "model_missing"} in quoted["vaultbridge"]["degraded"]
    assert harbour.ask("Hello?", model="big")["model"] == "big"


def test_what_is_forgotten_is_forgotten_by_every_model(building: Building, tmp_path: Path) -> None:
    harbour = Harbour(building, tmp_path / "roles.json", 1000)

    def cached(name: str) -> int:
        usage = harbour.ask(TOMATOES, model=name, max_tokens=4)["usage"]
        return int(usage["prompt_tokens_details"]["cached_tokens"])

    async def forget() -> None:
        harbour.chat.forget([TOMATO_NOTE])

    try:
        for name in ("big", "small"):
            cached(name)
            assert cached(name) > 100, "the prompt, with its notes, is remembered"
        building.await_(forget())
        for name in ("big", "small"):
            assert cached(name) < 100, "and it is not any more"
        assert harbour.launched == ["big", "small"]
    finally:
        harbour.close()


# --- roles --------------------------------------------------------------------------------------------------------


def roles(client: httpx.Client, **chosen: str) -> Json:
    sent = client.post("/vault/roles", json=chosen) if chosen else client.get("/vault/roles")
    view: Json = sent.raise_for_status().json()
    return view


def test_each_purpose_has_its_model(harbour: Harbour, tmp_path: Path) -> None:
    view = roles(harbour.client)
    assert view["chat"] == view["completion"] == {"model": "big", "chosen": "", "choices": ["big", "small"]}
    assert view["embed"]["model"] == "fakes"
    view = roles(harbour.client, role="completion", model="small")
    assert (view["chat"]["model"], view["completion"]["model"]) == ("big", "small")
    assert harbour.client.post("/v1/completions", json={"prompt": "Once"}).json()["model"] == "small"
    assert harbour.ask("Hello?")["model"] == "big"
    assert roles(harbour.client, role="chat", model="small")["chat"] == {**view["completion"], "chosen": "small"}
    streamed = events(harbour.client, question("Hello?", model="any@plain"))
    assert (streamed[0]["model"], answer_of(streamed)) == ("small", "You said: Hello?")
    assert [Roles(tmp_path / "roles.json").chosen(role) for role in ("chat", "completion", "embed")] == [
        "small",
        "small",
        "",
    ]
    assert roles(harbour.client, role="chat", model="")["chat"]["model"] == "big"


def test_a_draft_model_is_chosen_among_the_language_models(harbour: Harbour, tmp_path: Path) -> None:
    assert roles(harbour.client)["draft"] == {"model": "", "chosen": "", "choices": ["big", "small"]}
    assert roles(harbour.client, role="draft", model="small")["draft"]["chosen"] == "small"
    assert Roles(tmp_path / "roles.json").chosen("draft") == "small"
    assert harbour.client.post("/vault/roles", json={"role": "draft", "model": "huge"}).status_code == 404


def test_only_what_is_there_can_be_chosen(harbour: Harbour) -> None:
    for role, model in (("chat", "medium"), ("embed", "small"), ("rerank", "big")):
        refused = harbour.client.post("/vault/roles", json={"role": role, "model": model})
        assert (refused.status_code, refused.json()["error"]["param"]) == (404, "model")
    assert harbour.client.post("/vault/roles", json={"role": "sing", "model": "big"}).status_code == 400
