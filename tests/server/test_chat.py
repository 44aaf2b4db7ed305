"""``POST /v1/chat/completions`` and ``/v1/completions`` as their clients see them."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace

import httpx
import pytest

from tests.chat.houses import Only
from tests.server.building import (
    CHINESE,
    CHINESE_LINK,
    TOMATOES,
    TOMATOES_LINK,
    Building,
    ScriptedGenerator,
)
from tests.server.reading import Json, RawStream, answer_of, events, question
from vaultbridge.core.dialogue import Continuation, Event, Finished, GroundedPrompt, Piece, Sampling, Started, Usage

CHAT = "/v1/chat/completions"


def eventually(true: Callable[[], bool], what: str, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


# --- the shape ----------------------------------------------------------------------------------------------------


def test_an_answer_has_openais_shape_and_says_who_spoke(client: httpx.Client) -> None:
    body = client.post(CHAT, json=question(TOMATOES, model="whatever")).raise_for_status().json()
    assert body["object"] == "chat.completion"
    assert body["id"].startswith("chatcmpl-")
    assert abs(body["created"] - time.time()) < 60
    assert body["model"] == client.get("/v1/models").json()["data"][0]["id"]
    (choice,) = body["choices"]
    assert choice["index"] == 0
    assert choice["finish_reason"] == "stop"
    assert choice["message"]["role"] == "assistant"
    assert "Tomatoes" in choice["message"]["content"]
    usage = body["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert usage["completion_tokens"] > 0


def test_a_stream_is_role_then_text_then_the_finish_reason(client: httpx.Client) -> None:
    chunks = events(client, question(TOMATOES))
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert len({(chunk["id"], chunk["created"], chunk["model"]) for chunk in chunks}) == 1
    choices = [chunk["choices"] for chunk in chunks]
    assert all(len(one) == 1 for one in choices), "some clients throw on a chunk without choices"
    assert choices[0][0]["delta"] == {"role": "assistant", "content": ""}
    assert all(set(one[0]["delta"]) == {"content"} and one[0]["finish_reason"] is None for one in choices[1:-1])
    assert choices[-1][0] == {"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}
    assert not any("usage" in chunk for chunk in chunks)


def test_usage_comes_last_and_only_if_it_is_asked_for(client: httpx.Client) -> None:
    *rest, last = events(client, question(TOMATOES, stream_options={"include_usage": True}))
    assert last["choices"] == []
    assert last["usage"]["completion_tokens"] > 0
    assert not any("usage" in chunk for chunk in rest)
    assert "usage" not in events(client, question(TOMATOES, stream_options={"include_usage": False}))[-1]


def test_a_stream_and_a_whole_answer_say_the_same(client: httpx.Client) -> None:
    whole = client.post(CHAT, json=question(TOMATOES)).json()
    assert answer_of(events(client, question(TOMATOES))) == whole["choices"][0]["message"]["content"]


def test_a_limit_of_tokens_is_a_finish_reason(client: httpx.Client) -> None:
    for name in ("max_tokens", "max_completion_tokens"):
        body = client.post(CHAT, json=question("hello there", model="x@plain", **{name: 3})).json()
        assert body["choices"][0]["finish_reason"] == "length"
        assert body["usage"]["completion_tokens"] == 3


def test_stop_texts_end_an_answer_and_are_not_in_it(client: httpx.Client) -> None:
    body = client.post(CHAT, json=question("one two three", model="x@plain", stop=" two")).json()
    assert body["choices"][0]["message"]["content"] == "You said: one"
    assert body["choices"][0]["finish_reason"] == "stop"


# --- sources ------------------------------------------------------------------------------------------------------


def test_the_field_names_the_notes_whose_text_was_in_the_prompt(client: httpx.Client) -> None:
    ours = client.post(CHAT, json=question(TOMATOES, vaultbridge={"sources": "field"})).json()["vaultbridge"]
    assert ours["grounded"] is True
    first = ours["citations"][0]
    assert (first["path"], first["heading"], first["link"]) == ("Garden/Tomatoes.md", "Watering", TOMATOES_LINK)
    assert "every second morning" in first["quote"]
    assert ours["used"] == [first["number"]] == [1]
    assert ours["omitted"] == []
    assert set(ours["freshness"]) == {"wanted", "visible", "pending", "notes_share", "vectors_share"}


def test_a_stream_carries_citations_first_and_the_used_ones_last(client: httpx.Client) -> None:
    chunks = events(client, question(TOMATOES, vaultbridge={}))
    assert chunks[0]["vaultbridge"]["citations"][0]["link"] == TOMATOES_LINK
    assert chunks[-1]["vaultbridge"]["used"] == [1]
    assert not any("vaultbridge" in chunk for chunk in chunks[1:-1])


def test_clients_that_know_nothing_of_us_get_a_line_of_links(client: httpx.Client) -> None:
    said = client.post(CHAT, json=question(TOMATOES)).json()["choices"][0]["message"]["content"]
    assert said.endswith(f"\n\nSources: {TOMATOES_LINK}")


def test_clients_that_send_our_key_get_the_field_and_no_line(client: httpx.Client) -> None:
    said = client.post(CHAT, json=question(TOMATOES, vaultbridge={})).json()["choices"][0]["message"]["content"]
    assert "[[" not in said
    assert "[1]" in said


@pytest.mark.parametrize("sources", ["markdown", "none"])
def test_sources_are_where_the_request_wants_them(client: httpx.Client, sources: str) -> None:
    said = client.post(CHAT, json=question(TOMATOES, vaultbridge={"sources": sources})).json()
    text = said["choices"][0]["message"]["content"]
    assert ("Sources: " in text) == (sources == "markdown")
    assert ("[1]" in text) is False
    by_header = client.post(CHAT, json=question(TOMATOES), headers={"X-Vaultbridge-Sources": sources}).json()
    assert by_header["choices"][0]["message"]["content"] == text


def test_the_line_is_in_the_language_of_the_question(client: httpx.Client) -> None:
    said = client.post(CHAT, json=question(CHINESE)).json()["choices"][0]["message"]["content"]
    assert said.endswith(f"\n\n来源：{CHINESE_LINK}")


# --- grounding ----------------------------------------------------------------------------------------------------


def test_plain_never_looks_into_the_vault(client: httpx.Client) -> None:
    body = client.post(CHAT, json=question(TOMATOES, model="anything@plain")).json()
    assert body["choices"][0]["message"]["content"] == f"You said: {TOMATOES}"
    assert body["vaultbridge"]["grounded"] is False


def test_the_form_of_the_model_id_wins_over_the_body(client: httpx.Client) -> None:
    off = {"grounding": "off"}
    assert not client.post(CHAT, json=question(TOMATOES, vaultbridge=off)).json()["vaultbridge"]["grounded"]
    vault = client.post(CHAT, json=question(TOMATOES, model="x@vault", vaultbridge=off)).json()
    assert vault["vaultbridge"]["grounded"]


def test_a_question_that_no_note_speaks_of_is_passed_on_as_it_came(client: httpx.Client) -> None:
    body = client.post(CHAT, json=question("Zyxwv qwfp arstd?")).json()
    assert body["choices"][0]["message"]["content"] == "You said: Zyxwv qwfp arstd?"
    assert body["vaultbridge"]["grounded"] is False


def test_a_scope_and_the_edited_note_narrow_what_is_seen(client: httpx.Client) -> None:
    def seen(**ours: object) -> set[str]:
        body = client.post(CHAT, json=question(TOMATOES, vaultbridge=ours)).json()
        return {citation["path"] for citation in body["vaultbridge"]["citations"]}

    assert "Garden/Tomatoes.md" in seen()
    assert seen(scope={"folders": ["Work"]}) <= {"Work/C# notes #1.md"}
    assert seen(scope={"tags": ["#insects"]}) <= {"Garden/Bees.md"}
    assert "Garden/Tomatoes.md" not in seen(note="Garden/Tomatoes.md")


def test_an_excluded_note_never_reaches_an_answer(client: httpx.Client) -> None:
    body = client.post(CHAT, json=question("What is the secret combination in the diary?")).json()
    assert "seven" not in json.dumps(body)


# --- models -------------------------------------------------------------------------------------------------------


def test_strict_models_refuse_other_names(building: Building) -> None:
    names = replace(building.services.names, strict=True)
    with httpx.Client(base_url=building.serve(replace(building.services, names=names)), trust_env=False) as client:
        refused = client.post(CHAT, json=question(TOMATOES, model="gpt-4"))
        assert refused.status_code == 404
        assert refused.json()["error"]["code"] == "model_not_found"
        assert refused.json()["error"]["param"] == "model"
        for form in ("", "@vault", "@plain"):
            assert client.post(CHAT, json=question(TOMATOES, model=names.generator + form)).status_code == 200
        assert client.post(CHAT, json=question(TOMATOES, model="")).status_code == 200, "the plugin names none"


# --- a slow, a strange and a failing generator ----------------------------------------------------------------------


class Held:
    """Speaks one word, and the rest when it is told."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.first = "wait…"

    async def __call__(self, prompt: GroundedPrompt, sampling: Sampling) -> AsyncGenerator[Event, None]:
        yield Started((), ())
        yield Piece(self.first)
        while not self.go.is_set():
            await asyncio.sleep(0.005)
        yield Piece(" done")
        yield Finished("stop", Usage(1, 2))


def test_a_client_that_leaves_in_the_middle_frees_its_place(building: Building) -> None:
    generator = ScriptedGenerator(Held())
    with RawStream(building.serve(building.speaking(generator)), question("x")) as stream:
        reads = stream.http_chunks()
        while b"wait" not in next(reads):
            pass
        assert generator.running == generator.admitted == 1
    eventually(lambda: generator.running == generator.admitted == 0, "the generator still runs for nobody")


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_a_client_that_leaves_before_the_first_word_frees_its_place(building: Building, stream: bool) -> None:
    asked = threading.Event()

    async def silent(prompt: GroundedPrompt, sampling: Sampling) -> AsyncGenerator[Event, None]:
        asked.set()
        await asyncio.Event().wait()
        yield Started((), ())

    generator = ScriptedGenerator(silent)
    address = building.serve(building.speaking(generator))
    with RawStream(address, question("x"), stream=stream):
        assert asked.wait(30), "the generator was never asked"
        assert generator.running == generator.admitted == 1
    eventually(lambda: generator.running == generator.admitted == 0, "the generator still runs for nobody")


def test_line_ends_of_other_alphabets_do_not_break_an_event(building: Building) -> None:
    odd = "a\u2028b\u2029c\x85d\re"

    async def speak(prompt: GroundedPrompt, sampling: Sampling) -> AsyncGenerator[Event, None]:
        yield Started((), ())
        yield Piece(odd)
        yield Finished("stop", Usage(1, 1))

    with RawStream(building.serve(building.speaking(ScriptedGenerator(speak))), question("x")) as stream:
        raw = b"".join(stream.http_chunks()).decode()
    data = [json.loads(line.removeprefix("data: ")) for line in raw.splitlines() if line.startswith("data: {")]
    assert answer_of(data) == odd


def test_what_the_request_says_of_sampling_reaches_the_model(building: Building) -> None:
    async def speak(prompt: GroundedPrompt, sampling: Sampling) -> AsyncGenerator[Event, None]:
        yield Started((), ())
        yield Finished("stop", Usage(1, 0))

    generator = ScriptedGenerator(speak)
    with httpx.Client(base_url=building.serve(building.speaking(generator)), trust_env=False) as client:
        sent: Json = {
            "temperature": 0.1, "top_p": 0.5, "top_k": 7, "min_p": 0.2, "presence_penalty": 0.3,
            "frequency_penalty": 0.4, "seed": 11, "stop": ["a", "b"], "max_tokens": 9,
        }  # fmt: skip
        client.post(CHAT, json=question("x", **sent)).raise_for_status()
        client.post(CHAT, json=question("x", temperature=9, top_p=7, presence_penalty=-5, seed=None, stop=None))
    precise, clamped = generator.sampling
    assert {name: getattr(precise, name) for name in sent if name != "stop"} == {
        name: value for name, value in sent.items() if name != "stop"
    }
    assert precise.stop == ("a", "b")
    assert (clamped.temperature, clamped.top_p, clamped.presence_penalty) == (2.0, 1.0, -2.0)


def test_without_a_model_the_answer_is_passages_with_their_links(building: Building) -> None:
    services = replace(building.services, chat=building.chat(Only(None)))
    with httpx.Client(base_url=building.serve(services), trust_env=False) as client:
        said = client.post(CHAT, json=question(TOMATOES)).json()["choices"][0]["message"]["content"]
        assert "> Water the tomatoes every second morning in summer." in said
        assert TOMATOES_LINK in said
        assert "vaultbridge models pull x" in said
        plain = client.post(CHAT, json=question(TOMATOES, model="x@plain"))
        assert (plain.status_code, plain.json()["error"]["code"]) == (503, "model_missing")


# --- plain completions --------------------------------------------------------------------------------------------


def test_a_completion_is_text_without_sources_in_it(client: httpx.Client) -> None:
    body = client.post("/v1/completions", json={"prompt": TOMATOES, "max_tokens": 200}).raise_for_status().json()
    assert body["object"] == "text_completion"
    text = body["choices"][0]["text"]
    assert text
    assert "Sources" not in text
    assert "[[" not in text
    chunks = events(client, {"prompt": TOMATOES, "max_tokens": 200}, path="/v1/completions")
    assert "".join(chunk["choices"][0]["text"] for chunk in chunks) == text


def test_a_completion_takes_sixteen_tokens_if_nothing_is_said(client: httpx.Client) -> None:
    body = client.post("/v1/completions", json={"prompt": "one two three four five", "model": "x@plain"}).json()
    assert body["usage"]["completion_tokens"] == 16
    assert body["choices"][0]["finish_reason"] == "length"


def test_an_echoed_prompt_stands_in_front_of_its_answer(client: httpx.Client) -> None:
    body: Json = {"prompt": "one two", "model": "x@plain", "max_tokens": 3}
    alone = client.post("/v1/completions", json=body).json()["choices"][0]["text"]
    echoing: Json = {**body, "echo": True, "best_of": 1}
    assert client.post("/v1/completions", json=echoing).json()["choices"][0]["text"] == f"one two{alone}"
    chunks = events(client, echoing, path="/v1/completions")
    assert "".join(chunk["choices"][0]["text"] for chunk in chunks) == f"one two{alone}"


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"prompt": ["a", "b"]}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": [1, 2]}, "prompt.0"),
        ({"echo": True, "logprobs": 1}, "echo"),
        ({"best_of": 3}, "best_of"),
        ({"logprobs": 6}, "logprobs"),
    ],
)
def test_what_a_completion_cannot_do_is_named(client: httpx.Client, more: Json, param: str) -> None:
    refused = client.post("/v1/completions", json={"prompt": "x", **more})
    assert refused.status_code == 400
    assert refused.json()["error"]["param"] == param


@pytest.mark.parametrize("limit", [0, -1, None])
def test_what_some_clients_send_for_no_limit_is_none(building: Building, limit: int | None) -> None:
    async def speak(prompt: GroundedPrompt, sampling: Sampling) -> AsyncGenerator[Event, None]:
        yield Started((), ())
        yield Finished("stop", Usage(1, 0))

    generator = ScriptedGenerator(speak)
    with httpx.Client(base_url=building.serve(building.speaking(generator)), trust_env=False) as client:
        client.post(CHAT, json=question("x", max_tokens=limit, max_completion_tokens=limit)).raise_for_status()
        client.post("/v1/completions", json={"prompt": "x", "max_tokens": limit}).raise_for_status()
    assert [sampling.max_tokens for sampling in generator.sampling] == [1024, 1024]


def test_a_suffix_is_what_the_continuation_leads_to(building: Building) -> None:
    prompts: list[GroundedPrompt] = []

    async def speak(prompt: GroundedPrompt, sampling: Sampling) -> AsyncGenerator[Event, None]:
        prompts.append(prompt)
        yield Started((), ())
        yield Finished("stop", Usage(1, 0))

    with httpx.Client(base_url=building.serve(building.speaking(ScriptedGenerator(speak))), trust_env=False) as client:
        client.post("/v1/completions", json={"prompt": ["Zyxwv"], "suffix": "qwfp"}).raise_for_status()
    assert prompts[0].prompt == Continuation("Zyxwv", "qwfp")
