"""Bad input and faults: OpenAI's error shape, the right status, and never a 5xx for what a client sends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.server.building import TOMATOES, Building, ScriptedGenerator
from tests.server.reading import Json, answer_of, events, question, text_generator
from vaultbridge.core.dialogue import Event, Failed, GroundedPrompt, Piece, Sampling, Started
from vaultbridge.core.errors import WorkerLost

CHAT = "/v1/chat/completions"


def error_of(response: httpx.Response, status: int, code: str) -> Json:
    """The error object, whose shape is checked."""
    assert response.status_code == status, response.text
    assert list(response.json()) == ["error"]
    error: Json = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["message"]
    assert error["code"] == code
    return error


@pytest.mark.parametrize("raw", [b"{", b"", b"not json", b'{"messages": [}', b"\xff\xfe{}"])
def test_a_body_that_is_no_json(client: httpx.Client, raw: bytes) -> None:
    response = client.post(CHAT, content=raw, headers={"Content-Type": "application/json"})
    assert response.status_code == 400
    assert response.json()["error"]["type"] == "invalid_request_error"
    assert response.json()["error"]["code"] in ("invalid_json", "invalid_request")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": "hello"}, "messages"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "system", "content": "x"}]}, "messages"),
        (question("x", temperature="hot"), "temperature"),
        (question("x", max_tokens=[]), "max_tokens"),
        (question("x", max_tokens="many"), "max_tokens"),
        (question("x", temperature=float("nan")), "temperature"),
        (question("x", n=9), "n"),
        (question("x", stream="perhaps"), "stream"),
        (question("x", response_format={"type": "sonnet"}), "response_format.type"),
        (question("x", response_format={"type": "json_schema"}), "response_format.json_schema"),
        (
            question("x", response_format={"type": "json_schema", "json_schema": {"schema": {}}}),
            "response_format.json_schema.name",
        ),
        (
            question("x", response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": []}}),
            "response_format.json_schema.schema",
        ),
        (question("x", response_format={"type": "json_object"}, grammar="root ::= .*"), "grammar"),
        (question("x", top_logprobs=21), "top_logprobs"),
        (question("x", top_logprobs=2), "top_logprobs"),
        (question("x", logit_bias={"seven": 1}), "logit_bias.seven"),
        (question("x", min_tokens=-1), "min_tokens"),
        (question("x", vaultbridge={"k": 0}), "vaultbridge.k"),
        (question("x", vaultbridge={"sources": "loud"}), "vaultbridge.sources"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}]},
            "messages.0.content.0",
        ),
        ({"messages": [{"role": "user", "content": [{"text": "no type"}]}]}, "messages.0.content.0.type"),
        ({"messages": [{"role": "user", "content": None}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages.0.content"),
    ],
    ids=lambda value: json.dumps(value)[:60] if isinstance(value, dict) else value,
)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_wrong_field_is_named(client: httpx.Client, body: Json, param: str, stream: bool) -> None:
    given = {"stream": stream} | body
    response = client.post(CHAT, content=json.dumps(given), headers={"Content-Type": "application/json"})
    assert error_of(response, 400, "invalid_request")["param"] == param


def test_text_parts_are_one_text_and_unknown_fields_are_ignored(client: httpx.Client) -> None:
    parts = [{"type": "text", "text": "Hello"}, {"type": "text", "text": "there"}]
    body = {
        "messages": [{"role": "user", "content": parts, "mood": "good"}],
        "model": "x@plain",
        "logit_bias": {"1": 2},
        "parallel_tool_calls": True,
        "user": "me",
        "vaultbridge": {"future": True},
    }
    said = client.post(CHAT, json=body).raise_for_status().json()["choices"][0]["message"]["content"]
    assert said == "You said: there"


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_conversation_longer_than_the_context(client: httpx.Client, stream: bool) -> None:
    response = client.post(CHAT, json=question("word " * 4000, model="x@plain", stream=stream))
    error = error_of(response, 400, "context_length_exceeded")
    assert error["param"] == "messages"
    assert "8192" in error["message"]


def test_unknown_routes_and_methods(client: httpx.Client) -> None:
    error_of(client.get("/v2/chat"), 404, "not_found")
    response = client.get(CHAT)
    error_of(response, 405, "method_not_allowed")
    assert response.headers["allow"] == "POST"


def test_another_vault_is_refused_wherever_notes_could_leak(client: httpx.Client) -> None:
    own = client.get("/vault/status").json()["vault"]["id"]
    for method, path in [("GET", "/vault/search?q=x"), ("GET", "/vault/status"), ("POST", CHAT), ("GET", "/v1/models")]:
        body = question("x") if method == "POST" else None
        wrong = client.request(method, path, json=body, headers={"X-Vaultbridge-Vault": "0123456789ab"})
        error_of(wrong, 409, "wrong_vault")
        right = client.request(method, path, json=body, headers={"X-Vaultbridge-Vault": own})
        assert right.status_code == 200


def test_a_header_that_makes_no_sense_is_named(client: httpx.Client) -> None:
    response = client.post(CHAT, json=question("x"), headers={"X-Vaultbridge-K": "many"})
    assert error_of(response, 400, "invalid_request")["param"] == "x-vaultbridge-k"


@pytest.mark.parametrize("path", [CHAT, "/v1/completions", "/v1/responses", "/api/chat", "/api/generate"])
def test_a_template_of_a_request_is_never_run(client: httpx.Client, path: str) -> None:
    template = "{{ 6 * 7000001 }}{% for x in range(10 ** 9) %}x{% endfor %}"
    names = ("chat_template", "template", "jinja", "chat_template_kwargs", "system")
    body = question(template, model="x@plain", prompt=template, input=template, stream=False)
    answer = client.post(path, json={**body, **dict.fromkeys(names, template)})
    assert answer.status_code in (200, 400), answer.text
    assert "42000006" not in answer.text


# --- faults -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_full_queue_is_429_and_says_when_to_try_again(building: Building, stream: bool) -> None:
    async def silent(prompt: GroundedPrompt, sampling: Sampling) -> AsyncGenerator[Event, None]:
        yield Started((), ())
        await asyncio.Event().wait()

    address = building.serve(building.speaking(ScriptedGenerator(silent, queue=1)))
    with (
        httpx.Client(base_url=address, trust_env=False) as client,
        client.stream("POST", CHAT, json=question("x", stream=True)) as first,
    ):
        assert first.status_code == 200
        refused = client.post(CHAT, json=question("x", stream=stream))
        error_of(refused, 429, "overloaded")
        assert refused.json()["error"]["type"] == "rate_limit_error"
        assert int(refused.headers["retry-after"]) >= 1


async def breaking(prompt: GroundedPrompt, sampling: Sampling) -> AsyncGenerator[Event, None]:
    yield Started((), ())
    yield Piece("Half a ")
    if sampling.seed == 1:
        raise RuntimeError("a bug with /a/path in it")
    yield Failed(WorkerLost("The generator process ended unexpectedly.", "Send it again."))


@pytest.mark.parametrize(("seed", "code"), [(0, "worker_lost"), (1, "internal_error")], ids=["foreseen", "a bug"])
def test_a_failure_in_the_middle_of_a_stream_is_an_error_beside_valid_choices(
    building: Building, seed: int, code: str
) -> None:
    address = building.serve(building.speaking(ScriptedGenerator(breaking)))
    with httpx.Client(base_url=address, trust_env=False) as client:
        chunks = events(client, question("x", seed=seed))
        assert all(chunk["choices"] for chunk in chunks)
        assert answer_of(chunks) == "Half a "
        assert [chunk["error"]["code"] for chunk in chunks if "error" in chunk] == [code]
        assert "error" in chunks[-1]
        assert "/a/path" not in json.dumps(chunks)
        assert text_generator(f"data: {json.dumps(chunk)}\n\n".encode() for chunk in chunks) == "Half a "


@pytest.mark.parametrize(("seed", "status"), [(0, 503), (1, 500)], ids=["foreseen", "a bug"])
def test_a_failure_of_a_whole_answer_is_a_status(building: Building, seed: int, status: int) -> None:
    address = building.serve(building.speaking(ScriptedGenerator(breaking)))
    with httpx.Client(base_url=address, trust_env=False) as client:
        response = client.post(CHAT, json=question("x", seed=seed), headers={"Origin": "app://obsidian.md"})
    assert response.status_code == status
    assert response.json()["error"]["type"] == "server_error"
    assert "/a/path" not in response.text
    assert response.headers["access-control-allow-origin"] == "app://obsidian.md", "a page must be able to read it"


# --- anything at all ------------------------------------------------------------------------------------------------

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
messages = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant", "system", "developer", "tool", "x"]), "content": json_values}
    ),
    max_size=3,
)
FIELDS = (
    "model stream stream_options temperature top_p top_k min_p max_tokens max_completion_tokens n seed stop "
    "presence_penalty frequency_penalty response_format vaultbridge tools grammar logprobs top_logprobs logit_bias "
    "typical_p repeat_penalty repetition_penalty dry_multiplier dry_base dry_allowed_length min_tokens ignore_eos"
).split()
chat_bodies = st.fixed_dictionaries(
    {"messages": messages | st.just([{"role": "user", "content": TOMATOES}])},
    optional=dict.fromkeys(FIELDS, json_values),
)
vault_options = st.fixed_dictionaries(
    {},
    optional={
        "grounding": st.sampled_from(["auto", "always", "off"]),
        "k": st.integers(1, 50),
        "note": st.text(max_size=20),
        "scope": st.fixed_dictionaries(
            {},
            optional={
                **{
                    name: st.lists(st.text(max_size=12), max_size=2) for name in ("folders", "tags", "notes", "exclude")
                },
                **{name: st.floats() for name in ("since", "until")},
            },
        ),
    },
)
bounded = settings(
    max_examples=30, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def post(client: httpx.Client, path: str, body: Any) -> httpx.Response:
    return client.post(path, content=json.dumps(body), headers={"Content-Type": "application/json"})


@bounded
@given(body=chat_bodies | json_values)
def test_no_chat_body_breaks_the_server(client: httpx.Client, body: Any) -> None:
    response = post(client, CHAT, body)
    assert response.status_code < 500, response.text
    assert response.status_code == 200 or response.json()["error"]["message"]


@bounded
@given(options=vault_options, text=st.sampled_from([TOMATOES, "tag:a'b", 'path:"x', "path:%\\ tag:]"]) | st.text())
def test_no_scope_breaks_the_search(client: httpx.Client, options: Json, text: str) -> None:
    response = post(client, CHAT, question(text, vaultbridge=options))
    assert response.status_code in (200, 400), response.text


@bounded
@given(body=st.fixed_dictionaries({"input": json_values}, optional={"dimensions": json_values, "model": st.text()}))
def test_no_embeddings_body_breaks_the_server(client: httpx.Client, body: Any) -> None:
    assert post(client, "/v1/embeddings", body).status_code < 500


@bounded
@given(text=st.text(min_size=1), folder=st.text(max_size=8), tag=st.text(max_size=8), mode=st.text(max_size=8))
def test_no_search_breaks_the_server(client: httpx.Client, text: str, folder: str, tag: str, mode: str) -> None:
    response = client.get("/vault/search", params={"q": text, "folder": folder, "tag": tag})
    assert response.status_code == 200, response.text
    assert client.get("/vault/search", params={"q": text, "mode": mode}).status_code in (200, 400)
