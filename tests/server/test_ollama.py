"""``/api/chat`` and ``/api/generate`` as Ollama's clients see them."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.server.building import CHINESE, CHINESE_LINK, TOMATOES, TOMATOES_LINK, Building, Script, ScriptedGenerator
from tests.server.reading import Json, lines, question
from tests.server.test_errors import bounded, json_values
from vaultbridge.core.dialogue import (
    CallHead,
    Continuation,
    Conversation,
    Event,
    Failed,
    Finished,
    Grammar,
    GroundedPrompt,
    Piece,
    Sampling,
    Started,
    Timings,
    TokenLogprob,
    Tool,
    ToolCall,
    Usage,
)
from vaultbridge.core.errors import WorkerLost
from vaultbridge.server.guard import GuardOptions

CHAT = "/api/chat"
GENERATE = "/api/generate"
COUNTS = {
    *("total_duration", "load_duration", "prompt_eval_count", "prompt_eval_duration", "eval_count", "eval_duration")
}
WEATHER: Json = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


@contextmanager
def asking(building: Building, script: Script) -> Iterator[tuple[httpx.Client, ScriptedGenerator]]:
    generator = ScriptedGenerator(script)
    address = building.serve(building.speaking(generator))
    with httpx.Client(base_url=address, trust_env=False, timeout=20) as client:
        yield client, generator


def saying(*pieces: Piece, finished: Finished | None = None) -> Script:
    async def speak(prompt: GroundedPrompt, sampling: Sampling) -> AsyncGenerator[Event, None]:
        yield Started((), ())
        for piece in pieces:
            yield piece
        yield finished or Finished("stop", Usage(1, len(pieces)))

    return speak


class Listener:
    """Says nothing, and keeps what it was asked."""

    def __init__(self) -> None:
        self.prompts: list[GroundedPrompt] = []

    async def __call__(self, prompt: GroundedPrompt, sampling: Sampling) -> AsyncGenerator[Event, None]:
        self.prompts.append(prompt)
        yield Started((), ())
        yield Finished("stop", Usage(1, 0))


def asked(building: Building, path: str, body: Json) -> tuple[Conversation | Continuation, Sampling]:
    """What a body becomes."""
    listener = Listener()
    with asking(building, listener) as (client, generator):
        client.post(path, json={"model": "x@plain", "stream": False, **body}).raise_for_status()
    return listener.prompts[0].prompt, generator.sampling[0]


def text_of(documents: list[Json]) -> str:
    return "".join(line["message"]["content"] if "message" in line else line["response"] for line in documents)


# --- the shape ----------------------------------------------------------------------------------------------------


def test_a_chat_streams_unless_it_is_told_not_to(client: httpx.Client) -> None:
    whole = client.post(CHAT, json=question(TOMATOES, stream=False)).raise_for_status().json()
    documents = lines(client, CHAT, question(TOMATOES))
    assert len(documents) > 3
    assert text_of(documents) == whole["message"]["content"]
    assert lines(client, CHAT, question(TOMATOES, stream=None))[-1]["done"]


def test_each_document_says_who_spoke_and_when_and_only_the_last_is_done(client: httpx.Client) -> None:
    *parts, last = lines(client, CHAT, question(TOMATOES))
    name = client.get("/api/tags").json()["models"][0]["name"]
    for line in (*parts, last):
        assert line["model"] == name
        assert line["message"]["role"] == "assistant"
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", line["created_at"])
        datetime.fromisoformat(line["created_at"].replace("Z", "+00:00"))
    assert not any(line["done"] or set(line) & {"done_reason", *COUNTS} for line in parts)
    assert last["done"] is True
    assert last["done_reason"] == "stop"
    assert last["message"]["content"] == ""


def test_counts_are_tokens_and_nanoseconds(building: Building) -> None:
    timings = Timings(queue_ms=1.5, prefill_ms=20.25, decode_ms=300.0)
    finished = Finished("length", Usage(11, 7, cached_tokens=4), timings)
    with asking(building, saying(Piece("Red"), finished=finished)) as (client, _):
        for path, body in ((CHAT, question("x")), (GENERATE, {"prompt": "x"})):
            whole = client.post(path, json={**body, "stream": False}).json()
            for end in (lines(client, path, body)[-1], whole):
                assert end["done_reason"] == "length"
                assert (end["prompt_eval_count"], end["eval_count"]) == (11, 7)
                assert end["load_duration"] == 1_500_000
                assert end["prompt_eval_duration"] == 20_250_000
                assert end["eval_duration"] == 300_000_000
                assert 0 < end["total_duration"] < 20 * 10**9


def test_generate_has_its_text_in_another_place(client: httpx.Client) -> None:
    body = {"model": "x@plain", "prompt": "hello there"}
    documents = lines(client, GENERATE, body)
    assert text_of(documents) == "You said: hello there"
    assert all("message" not in line for line in documents)
    assert client.post(GENERATE, json={**body, "stream": False}).json()["response"] == "You said: hello there"


@pytest.mark.parametrize(("path", "body"), [(GENERATE, {}), (GENERATE, {"prompt": ""}), (CHAT, {"messages": []})])
def test_a_request_without_a_question_asks_for_the_model(client: httpx.Client, path: str, body: Json) -> None:
    answer = client.post(path, json={"model": "x", "keep_alive": "5m", **body}).raise_for_status().json()
    assert (answer["done"], answer["done_reason"]) == (True, "load")


def test_log_probabilities_travel_with_their_text(building: Building) -> None:
    likely = TokenLogprob("Red", b"Red", -0.5, top=(TokenLogprob("Red", b"Red", -0.5),))
    with asking(building, saying(Piece("Red", logprobs=(likely,)))) as (client, generator):
        body = question("x", logprobs=True, top_logprobs=1)
        spoken = [line for line in lines(client, CHAT, body) if "logprobs" in line]
    (token,) = spoken[0]["logprobs"]
    assert spoken[0]["message"]["content"] == token["token"] == "Red"
    assert token["top_logprobs"] == [{"token": "Red", "logprob": -0.5, "bytes": [82, 101, 100]}]
    assert generator.sampling[0].logprobs == 1


# --- the vault ----------------------------------------------------------------------------------------------------


def test_the_citations_come_first_and_those_used_come_last(client: httpx.Client) -> None:
    first, *between, last = lines(client, CHAT, question(TOMATOES, vaultbridge={}))
    assert first["message"]["content"] == ""
    assert first["vaultbridge"]["citations"][0]["link"] == TOMATOES_LINK
    assert last["vaultbridge"]["used"] == [1]
    assert not any("vaultbridge" in line for line in between)
    assert "[1]" in text_of([first, *between, last])
    whole = client.post(CHAT, json=question(TOMATOES, stream=False, vaultbridge={})).json()["vaultbridge"]
    assert whole["grounded"] is True
    assert whole["used"] == [1]


@pytest.mark.parametrize(
    ("asked", "end"), [(TOMATOES, f"Sources: {TOMATOES_LINK}"), (CHINESE, f"来源：{CHINESE_LINK}")]
)
def test_clients_that_know_nothing_of_us_get_a_line_of_links(client: httpx.Client, asked: str, end: str) -> None:
    assert text_of(lines(client, CHAT, question(asked))).endswith(f"\n\n{end}")
    assert text_of(lines(client, GENERATE, {"prompt": asked})).endswith(f"\n\n{end}")


def test_headers_and_forms_of_the_name_ground_here_too(client: httpx.Client) -> None:
    def grounded(model: str, headers: dict[str, str] | None = None) -> bool:
        body = question(TOMATOES, model=model, stream=False)
        answer = client.post(CHAT, json=body, headers=headers).raise_for_status().json()
        return bool(answer["vaultbridge"]["grounded"])

    assert grounded("any")
    assert grounded("x@vault:latest", {"X-Vaultbridge-Grounding": "off"})
    assert not grounded("x@plain")
    assert not grounded("x@plain:latest")
    assert not grounded("x", {"X-Vaultbridge-Grounding": "off"})


def test_a_form_of_its_own_has_no_line_of_links(client: httpx.Client) -> None:
    assert "Sources" not in text_of(lines(client, GENERATE, {"prompt": TOMATOES, "raw": True}))
    assert "Sources" not in text_of(lines(client, CHAT, question(TOMATOES, tools=[WEATHER])))


# --- what a request says ------------------------------------------------------------------------------------------


def test_options_reach_the_model_by_their_names(building: Building) -> None:
    sent: Json = {
        "temperature": 0.1, "top_k": 7, "top_p": 0.5, "min_p": 0.2, "typical_p": 0.7, "repeat_penalty": 1.25,
        "presence_penalty": 0.3, "frequency_penalty": 0.4, "seed": 11,
    }  # fmt: skip
    ignored = {"num_ctx": 4096, "repeat_last_n": 64, "mirostat": 0, "num_gpu": 1, "low_vram": True}
    for path, body in ((CHAT, question("x")), (GENERATE, {"prompt": "x"})):
        options = {**sent, **ignored, "num_predict": 9, "stop": ["a", "b"]}
        _, sampling = asked(building, path, {**body, "options": options})
        assert sampling == Sampling(**sent, max_tokens=9, stop=("a", "b"))


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        (None, {}),
        ({"seed": -1, "num_predict": -1, "stop": []}, {}),
        ({"seed": None, "num_predict": -2, "temperature": None}, {}),
        ({"temperature": 9, "top_p": 7}, {"temperature": 2.0, "top_p": 1.0}),
        ({"presence_penalty": -5}, {"presence_penalty": -2.0}),
        ({"repeat_penalty": 0, "top_k": -1}, {"repeat_penalty": 0.1, "top_k": 0}),
        ({"top_k": 40.9, "seed": 3.0, "stop": "END"}, {"top_k": 40, "seed": 3, "stop": ("END",)}),
        ({"num_predict": 10**12}, {"max_tokens": 2**31 - 1}),
    ],
)  # fmt: skip
def test_options_out_of_range_are_brought_into_it(building: Building, options: Json | None, wanted: Json) -> None:
    # The service's own limit stands where the client sets none.
    _, sampling = asked(building, CHAT, question("x", options=options))
    assert sampling == replace(Sampling(max_tokens=1024), **wanted)


SCHEMA = {"type": "object", "properties": {"b": {"type": "string"}, "a": {"type": "integer"}}, "required": ["b"]}


@pytest.mark.parametrize(("form", "schema"), [("json", {"type": "object"}), (SCHEMA, SCHEMA), ("", None), (None, None)])
def test_a_format_is_a_schema(building: Building, form: Any, schema: Json | None) -> None:
    for path, body in ((CHAT, question("x")), (GENERATE, {"prompt": "x"})):
        _, sampling = asked(building, path, {**body, "format": form})
        assert sampling.grammar == (Grammar("json_schema", json.dumps(schema)) if schema else None)


def test_a_prompt_is_a_question_or_a_text_that_goes_on(building: Building) -> None:
    prompt, _ = asked(building, GENERATE, {"prompt": "Who?", "system": "Be brief.", "context": [1, 2], "template": "x"})
    assert isinstance(prompt, Conversation)
    assert [(message.role, message.text) for message in prompt.messages] == [("system", "Be brief."), ("user", "Who?")]
    assert asked(building, GENERATE, {"prompt": "Once", "raw": True})[0] == Continuation("Once")
    assert asked(building, GENERATE, {"prompt": "def f(", "suffix": "return"})[0] == Continuation("def f(", "return")


def test_thinking_can_be_asked_for(building: Building) -> None:
    for think, options in [
        (None, {}),
        (True, {"enable_thinking": True}),
        (False, {"enable_thinking": False}),
        ("high", {"enable_thinking": True, "reasoning_effort": "high"}),
    ]:
        prompt, _ = asked(building, CHAT, question("x", think=think))
        assert isinstance(prompt, Conversation)
        assert prompt.template_options == options


def test_tools_and_their_results_reach_the_model(building: Building) -> None:
    def call(city: str) -> Json:
        return {"function": {"name": "get_weather", "arguments": {"city": city}}}

    body = {
        "tools": [WEATHER],
        "messages": [
            {"role": "User", "content": "The weather in Rome and Oslo?"},
            {"role": "assistant", "thinking": "Two cities.", "tool_calls": [call("Rome"), call("Oslo")]},
            {"role": "tool", "content": "25", "tool_name": "get_weather"},
            {"role": "tool", "content": "8"},
            {"role": "assistant", "content": "", "tool_calls": [{"id": "mine", **call("Bonn")}]},
            {"role": "tool", "content": "12", "tool_call_id": "mine"},
        ],
    }
    prompt, _ = asked(building, CHAT, body)
    assert isinstance(prompt, Conversation)
    parameters = WEATHER["function"]["parameters"]
    assert prompt.tools == (Tool("get_weather", "The weather of a city.", parameters),)
    _, both, warm, cold, _, mine = prompt.messages
    assert both.reasoning == "Two cities."
    rome, oslo = both.tool_calls
    assert rome == ToolCall(rome.id, "get_weather", '{"city": "Rome"}')
    assert rome.id != oslo.id
    assert [(said.tool_call_id, said.name, said.text) for said in (warm, cold, mine)] == [
        (rome.id, "get_weather", "25"),
        (oslo.id, "get_weather", "8"),
        ("mine", "get_weather", "12"),
    ]


# --- what a model says --------------------------------------------------------------------------------------------


def thoughtful() -> Script:
    return saying(Piece("Hm", kind="reasoning"), Piece("…", kind="reasoning"), Piece("Four.", kind="answer"))


def test_thinking_is_kept_apart(building: Building) -> None:
    with asking(building, thoughtful()) as (client, _):
        documents = lines(client, CHAT, question("x", think=True))
        assert "".join(line["message"].get("thinking", "") for line in documents) == "Hm…"
        assert text_of(documents) == "Four."
        whole = client.post(CHAT, json=question("x", stream=False)).json()["message"]
        assert whole == {"role": "assistant", "content": "Four.", "thinking": "Hm…"}
        generated = client.post(GENERATE, json={"prompt": "x", "stream": False}).json()
        assert (generated["thinking"], generated["response"]) == ("Hm…", "Four.")


def test_thinking_that_is_not_wanted_is_dropped(building: Building) -> None:
    with asking(building, thoughtful()) as (client, _):
        documents = lines(client, CHAT, question("x", think=False))
        assert text_of(documents) == "Four."
        assert not any("thinking" in line["message"] for line in documents)
        assert "thinking" not in client.post(CHAT, json=question("x", think=False, stream=False)).json()["message"]


ROME, OSLO = CallHead(0, "call_a", "get_weather"), CallHead(1, "call_b", "get_weather")


def calling(*, reason: Any = "tool_calls", last: str = 'lo"}') -> Script:
    return saying(
        Piece("One moment."),
        Piece("", kind="tool_call", call=ROME),
        Piece('{"city": "Ro', kind="tool_call", call=ROME),
        Piece('me"}', kind="tool_call", call=ROME),
        Piece('{"city": "Os', kind="tool_call", call=OSLO),
        Piece(last, kind="tool_call", call=OSLO),
        finished=Finished(reason, Usage(1, 6)),
    )


def test_calls_come_whole_and_their_arguments_are_objects(building: Building) -> None:
    with asking(building, calling()) as (client, _):
        documents = lines(client, CHAT, question("x", tools=[WEATHER]))
        whole = client.post(CHAT, json=question("x", tools=[WEATHER], stream=False)).json()
    (carrier,) = (line for line in documents if "tool_calls" in line["message"])
    assert carrier["message"]["tool_calls"] == [
        {"id": "call_a", "function": {"index": 0, "name": "get_weather", "arguments": {"city": "Rome"}}},
        {"id": "call_b", "function": {"index": 1, "name": "get_weather", "arguments": {"city": "Oslo"}}},
    ]
    assert text_of(documents) == whole["message"]["content"] == "One moment."
    assert whole["message"]["tool_calls"] == carrier["message"]["tool_calls"]
    assert documents[-1]["done_reason"] == whole["done_reason"] == "stop"
    assert documents.index(carrier) == len(documents) - 2


def test_a_call_without_arguments_has_empty_ones(building: Building) -> None:
    with asking(building, saying(Piece("", kind="tool_call", call=ROME))) as (client, _):
        (call,) = client.post(CHAT, json=question("x", stream=False)).json()["message"]["tool_calls"]
    assert call["function"]["arguments"] == {}


def test_a_call_that_was_cut_short_is_no_call(building: Building) -> None:
    with asking(building, calling(reason="length", last="")) as (client, _):
        said = client.post(CHAT, json=question("x", tools=[WEATHER], stream=False)).json()
    assert [call["function"]["arguments"] for call in said["message"]["tool_calls"]] == [{"city": "Rome"}]
    assert said["message"]["content"].endswith('{"city": "Os')
    assert said["done_reason"] == "length"


# --- errors -------------------------------------------------------------------------------------------------------


def error_of(response: httpx.Response, status: int) -> str:
    """The message, which is all there is."""
    assert response.status_code == status, response.text
    assert list(response.json()) == ["error"]
    message = response.json()["error"]
    assert isinstance(message, str)
    assert message
    return message


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        (CHAT, {"messages": "hello"}, "messages"),
        (CHAT, {"messages": [{"role": "wizard", "content": "x"}]}, "messages.0.role"),
        (CHAT, {"messages": [{"role": "system", "content": "x"}]}, "user message"),
        (CHAT, {"messages": [{"role": "user", "content": "x", "images": ["aGk="]}]}, "images"),
        (CHAT, question("x", format="sonnet"), "format"),
        (CHAT, question("x", format=7), "format"),
        (CHAT, question("x", think="loudly"), "think"),
        (CHAT, question("x", options={"temperature": "hot"}), "options.temperature"),
        (CHAT, question("x", options={"num_predict": "many"}), "options.num_predict"),
        (CHAT, question("x", keep_alive="soon"), "keep_alive"),
        (CHAT, question("x", tools=[{"type": "function"}]), "tools.0.function"),
        (CHAT, question("x", vaultbridge={"k": 0}), "vaultbridge.k"),
        (CHAT, question("x", top_logprobs=21), "top_logprobs"),
        (GENERATE, {"prompt": 5}, "prompt"),
        (GENERATE, {"prompt": "x", "images": ["aGk="]}, "images"),
        (GENERATE, {"prompt": "x", "raw": True, "system": "y"}, "system"),
    ],
    ids=lambda value: json.dumps(value)[:60] if isinstance(value, dict) else value,
)
def test_bad_input_is_told_why(client: httpx.Client, path: str, body: Json, named: str) -> None:
    assert named in error_of(client.post(path, json=body), 400)


def test_a_body_is_json_whatever_curl_calls_it(client: httpx.Client) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    sent = json.dumps({"model": "x@plain", "prompt": "hello", "stream": False})
    assert client.post(GENERATE, content=sent, headers=form).json()["response"] == "You said: hello"
    assert "JSON" in error_of(client.post(GENERATE, content="{", headers=form), 400)


@pytest.mark.parametrize("wanted", [0, -1, 300, "5m", "1h30m", "-1", "1.5h", "24h0m0s", "500ms"])
def test_every_wish_for_how_long_is_taken(client: httpx.Client, wanted: object) -> None:
    assert client.post(GENERATE, json={"keep_alive": wanted}).status_code == 200


def test_strict_models_refuse_other_names_and_know_their_tags(building: Building) -> None:
    names = replace(building.services.names, strict=True)
    with httpx.Client(base_url=building.serve(replace(building.services, names=names)), trust_env=False) as client:
        for path, body in ((CHAT, question("x")), (GENERATE, {"prompt": "x"}), (GENERATE, {}), ("/api/show", {})):
            refused = error_of(client.post(path, json={**body, "model": "llama3.2:1b"}), 404)
            assert "llama3.2:1b" in refused
            for form in ("", ":latest", "@vault", "@plain", "@plain:latest"):
                sent = {**body, "model": names.generator + form, "stream": False}
                assert client.post(path, json=sent).status_code == 200, form


def test_a_token_is_asked_for_in_this_dialect_too(building: Building) -> None:
    address = building.serve(options=GuardOptions(token="secret"))
    with httpx.Client(base_url=address, trust_env=False) as client:
        assert "token" in error_of(client.post(CHAT, json=question("x")), 401)


async def breaking(prompt: GroundedPrompt, sampling: Sampling) -> AsyncGenerator[Event, None]:
    yield Started((), ())
    yield Piece("Half a ")
    if sampling.seed == 1:
        raise RuntimeError("a bug with /a/path in it")
    yield Failed(WorkerLost("The generator process ended unexpectedly.", "Send it again."))


@pytest.mark.parametrize(("seed", "status", "told"), [(0, 503, "Send it again."), (1, 500, "log")])
def test_a_failure_is_a_status_or_the_last_line(building: Building, seed: int, status: int, told: str) -> None:
    body = question("x", options={"seed": seed})
    with asking(building, breaking) as (client, _):
        *parts, last = lines(client, CHAT, body)
        whole = error_of(client.post(CHAT, json={**body, "stream": False}), status)
    assert text_of(parts) == "Half a "
    assert last == {"error": whole}
    assert told in whole
    assert "/a/path" not in whole


# --- real clients, where they are installed -----------------------------------------------------------------------


def test_ollamas_own_client_reads_it_all(building: Building) -> None:
    ollama = pytest.importorskip("ollama")
    turn = {"model": "x", "messages": [{"role": "user", "content": "x"}], "tools": [WEATHER]}
    with asking(building, calling()) as (client, _), ollama.Client(str(client.base_url), trust_env=False) as theirs:
        parts = list(theirs.chat(**turn, stream=True))
        whole = theirs.chat(**turn)
        assert whole.message.content == "".join(part.message.content for part in parts) == "One moment."
        assert [call.function.arguments["city"] for call in whole.message.tool_calls] == ["Rome", "Oslo"]
        assert parts[-1].done
        assert theirs.generate(model="x", prompt="x").response == "One moment."


# --- anything at all ----------------------------------------------------------------------------------------------

turns = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "tool", "x"]), "content": json_values},
    optional=dict.fromkeys(("tool_calls", "thinking", "tool_name", "tool_call_id", "images"), json_values),
)
shared = dict.fromkeys(
    "model stream format think keep_alive logprobs top_logprobs vaultbridge tools system suffix raw context".split(),
    json_values,
)
options = st.fixed_dictionaries(
    {}, optional=dict.fromkeys("temperature top_k top_p seed num_predict stop repeat_penalty".split(), json_values)
)
bodies = st.fixed_dictionaries(
    {"messages": st.lists(turns, max_size=3) | json_values, "prompt": st.text(max_size=8) | json_values},
    optional={**shared, "options": options | json_values},
)


@bounded
@given(body=bodies | json_values, path=st.sampled_from([CHAT, GENERATE, "/api/embed", "/api/embeddings", "/api/show"]))
def test_no_body_breaks_the_server(client: httpx.Client, body: Any, path: str) -> None:
    response = client.post(path, content=json.dumps(body))
    assert response.status_code < 500, response.text
    assert response.status_code == 200 or response.json()["error"]
