"""``/metrics`` as Prometheus reads it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.server.building import TOMATOES, Building, ScriptedGenerator
from tests.server.reading import RawStream, question
from tests.server.test_chat import CHAT, Held
from vaultbridge.core.dialogue import Event, Failed, Finished, GroundedPrompt, Piece, Sampling, Started, Timings, Usage
from vaultbridge.core.errors import DeadlineExceeded
from vaultbridge.server.app import Application
from vaultbridge.server.guard import GuardOptions
from vaultbridge.server.metrics import Metrics

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def read(text: str) -> Samples:
    """Every sample by its name without our prefix, and its labels."""
    return {
        (sample.name.removeprefix("vaultbridge_"), tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def scraped(client: httpx.Client) -> Samples:
    response = client.get("/metrics").raise_for_status()
    assert response.headers["content-type"].startswith("text/plain")
    return read(response.text)


def outcome(name: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    return "requests_total", (("outcome", name),)


async def answer(prompt: GroundedPrompt, sampling: Sampling) -> AsyncGenerator[Event, None]:
    if sampling.seed == 1:
        yield Failed(DeadlineExceeded("The answer had not begun after 600 s.", "Try again later."))
        return
    yield Started((), ())
    yield Piece("Yes.")
    yield Finished("length" if sampling.seed == 2 else "stop", Usage(1, 1))


def test_requests_are_counted_by_how_they_ended(building: Building) -> None:
    with httpx.Client(base_url=building.serve(building.speaking(ScriptedGenerator(answer))), trust_env=False) as client:
        for seed in (0, 1, 2, 0):
            client.post(CHAT, json=question("x", seed=seed))
        client.post(CHAT, json={"messages": [{"role": "system", "content": "x"}]})
        samples = scraped(client)
    expected = {"stop": 2, "length": 1, "deadline_exceeded": 1, "invalid_request": 1}
    assert {name: samples[outcome(name)] for name in expected} == expected
    assert sum(value for (name, _), value in samples.items() if name == "requests_total") == 5


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_a_request_that_waited_too_long_is_503_and_says_when_to_try_again(building: Building, stream: bool) -> None:
    with httpx.Client(base_url=building.serve(building.speaking(ScriptedGenerator(answer))), trust_env=False) as client:
        refused = client.post(CHAT, json=question("x", seed=1, stream=stream))
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "deadline_exceeded")
    assert int(refused.headers["retry-after"]) >= 1


def test_who_runs_just_now_is_shown(building: Building) -> None:
    held = Held()
    address = building.serve(building.speaking(ScriptedGenerator(held, queue=1)))
    with RawStream(address, question("x")) as stream, httpx.Client(base_url=address, trust_env=False) as client:
        reads = stream.http_chunks()
        while b"wait" not in next(reads):
            pass
        client.post(CHAT, json=question("x"))
        samples = scraped(client)
        assert samples["admitted_requests", ()] == 1
        assert samples[outcome("overloaded")] == 1
        held.go.set()
        assert b"done" in b"".join(reads)
        samples = scraped(client)
        assert samples["admitted_requests", ()] == 0
        assert samples[outcome("stop")] == 1


def test_the_index_and_the_models_are_shown(client: httpx.Client) -> None:
    samples = scraped(client)
    assert samples["index_pending_chunks", ()] == 0
    states = {labels: value for (name, labels), value in samples.items() if name == "model_state"}
    for model in ("embedder", "generator"):
        of_model = {dict(labels)["state"]: value for labels, value in states.items() if dict(labels)["model"] == model}
        assert sum(of_model.values()) == 1
        assert set(of_model) == {"stopped", "loading", "ready", "restarting", "failed"}
    assert states[(("model", "embedder"), ("state", "ready"))] == 1


def test_figures_of_finished_choices_add_up() -> None:
    metrics = Metrics()
    metrics.observe(Usage(100, 20, 60), Timings(queue_ms=500, prefill_ms=1500, decode_ms=4000, drafted=9, accepted=6))
    metrics.observe(Usage(10, 5, 0), Timings(queue_ms=0, prefill_ms=20, decode_ms=40))
    samples = read(metrics.text(0, 0, ()).decode())
    assert {
        name: samples[f"{name}_total", ()]
        for name in ("prompt_tokens", "cached_tokens", "completion_tokens", "drafted_tokens", "accepted_tokens")
    } == {
        "prompt_tokens": 110,
        "cached_tokens": 60,
        "completion_tokens": 25,
        "drafted_tokens": 9,
        "accepted_tokens": 6,
    }
    sums = {"queue": 0.5, "prefill": 1.52, "decode": 4.04, "first_token": 2.02}
    for name, seconds in sums.items():
        assert samples[f"{name}_seconds_count", ()] == 2
        assert samples[f"{name}_seconds_sum", ()] == pytest.approx(seconds)


def test_http_requests_are_counted_by_route_and_status(building: Building) -> None:
    with httpx.Client(base_url=building.serve(building.speaking(ScriptedGenerator(answer))), trust_env=False) as client:
        client.post(CHAT, json=question("x")).raise_for_status()
        client.post(CHAT, json={})
        client.get("/vault/notes/Garden/Zyxwv.md?q=zyxwv")
        client.get("/zyxwv")
        client.get("/health", headers={"Origin": "https://zyxwv.example"})
        client.request("ZYXWV", "/health")
        samples = scraped(client)
        text = client.get("/metrics").text
    counted = {
        (dict(labels)["method"], dict(labels)["route"], dict(labels)["status"]): value
        for (name, labels), value in samples.items()
        if name == "http_requests_total"
    }
    assert counted == {
        ("POST", CHAT, "200"): 1,
        ("POST", CHAT, "400"): 1,
        ("GET", "/vault/notes/{path:path}", "200"): 1,
        ("GET", "none", "404"): 1,
        ("GET", "none", "403"): 1,
        ("other", "/health", "405"): 1,
    }
    assert samples["http_request_seconds_count", (("route", CHAT),)] == 2
    assert "zyxwv" not in text.lower()


def test_two_servers_count_apart() -> None:
    one, other = Metrics(), Metrics()
    one.ended("stop")
    assert outcome("stop") in read(one.text(0, 0, ()).decode())
    assert outcome("stop") not in read(other.text(0, 0, ()).decode())


def test_nothing_of_notes_or_questions_is_in_it(building: Building) -> None:
    with httpx.Client(base_url=building.serve(building.speaking(ScriptedGenerator(answer))), trust_env=False) as client:
        client.post(CHAT, json=question(TOMATOES, model="gpt-zyxwv")).raise_for_status()
        text = client.get("/metrics").text
    assert "vaultbridge_requests_total" in text
    for private in ("omato", "Garden", ".md", "zyxwv", "My Vault"):
        assert private not in text


def test_it_is_guarded_as_everything_is(building: Building) -> None:
    address = building.serve(options=GuardOptions(token="secret"))
    with httpx.Client(base_url=address, trust_env=False) as client:
        assert client.get("/metrics").status_code == 401
        assert client.get("/metrics", headers={"Authorization": "Bearer secret"}).status_code == 200
        stranger = {"Authorization": "Bearer secret", "Origin": "https://example.org"}
        assert client.get("/metrics", headers=stranger).status_code == 403


async def test_before_the_house_is_open_there_is_nothing_to_count(building: Building) -> None:
    application = Application(GuardOptions())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url="http://localhost") as client:
        assert (await client.get("/metrics")).status_code == 503
        application.open(replace(building.services, metrics=Metrics()))
        assert (await client.get("/metrics")).status_code == 200
