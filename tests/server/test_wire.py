"""What a request may say of sampling and form, and the shapes of what comes back for it."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam
from openai.types.responses import ResponseOutputMessage, ResponseOutputText
from pydantic import BaseModel

from tests.server.building import TOMATOES, Building, Script, ScriptedGenerator
from tests.server.reading import Json, events, question
from vaultbridge.core.dialogue import (
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
    Usage,
)
from vaultbridge.core.errors import DecodeFailed

CHAT = "/v1/chat/completions"
PLAIN = "/v1/completions"


@contextmanager
def asking(building: Building, script: Script) -> Iterator[tuple[httpx.Client, ScriptedGenerator]]:
    generator = ScriptedGenerator(script)
    address = building.serve(building.speaking(generator))
    with httpx.Client(base_url=address, trust_env=False, timeout=20) as client:
        yield client, generator


@contextmanager
def openais(client: httpx.Client) -> Iterator[openai.OpenAI]:
    """OpenAI's own client, in strict validation, at the address of ``client``."""
    http = openai.DefaultHttpxClient(trust_env=False)
    base = f"{str(client.base_url).rstrip('/')}/v1"
    with openai.OpenAI(
        base_url=base, api_key="x", max_retries=0, http_client=http, _strict_response_validation=True
    ) as theirs:
        yield theirs


async def silent(prompt: GroundedPrompt, sampling: Sampling) -> AsyncGenerator[Event, None]:
    yield Started((), ())
    for choice in range(sampling.n):
        yield Finished("stop", Usage(1, 0), choice=choice)


def sampling_of(building: Building, body: Json, path: str = CHAT) -> Sampling:
    """What a body becomes."""
    with asking(building, silent) as (client, generator):
        client.post(path, json=body).raise_for_status()
    return generator.sampling[0]


# --- what a request says ------------------------------------------------------------------------------------------


def test_every_field_reaches_the_model_by_its_name(building: Building) -> None:
    sent: Json = {
        "typical_p": 0.7, "repeat_penalty": 1.25, "dry_multiplier": 0.8, "dry_base": 2.0, "dry_allowed_length": 3,
        "min_tokens": 4, "ignore_eos": True, "n": 3,
    }  # fmt: skip
    for path, body in ((CHAT, question("x", **sent)), (PLAIN, {"prompt": "x", **sent})):
        sampling = sampling_of(building, body, path)
        assert {name: getattr(sampling, name) for name in sent} == sent


def test_what_is_not_said_keeps_its_default(building: Building) -> None:
    assert sampling_of(building, question("x", max_tokens=5)) == Sampling(max_tokens=5)
    nothing = dict.fromkeys(("n", "logprobs", "top_logprobs", "logit_bias", "response_format", "grammar", "typical_p"))
    assert sampling_of(building, question("x", max_tokens=5, **nothing)) == Sampling(max_tokens=5)


def test_other_servers_name_of_the_penalty_is_understood(building: Building) -> None:
    assert sampling_of(building, question("x", repetition_penalty=1.3)).repeat_penalty == 1.3


def test_biases_are_by_token_and_held_to_their_bounds(building: Building) -> None:
    body = question("x", logit_bias={"17": -250, "5": 2.5})
    assert dict(sampling_of(building, body).logit_bias) == {17: -100.0, 5: 2.5}


@pytest.mark.parametrize(
    ("path", "said", "wanted"),
    [
        (CHAT, {"logprobs": True}, 0),
        (CHAT, {"logprobs": True, "top_logprobs": 20}, 20),
        (CHAT, {"logprobs": False, "top_logprobs": 0}, None),
        (PLAIN, {"logprobs": 0}, 0),
        (PLAIN, {"logprobs": 5}, 5),
        (PLAIN, {"logprobs": False}, None),
    ],
)
def test_both_ways_to_ask_for_log_probabilities(building: Building, path: str, said: Json, wanted: int | None) -> None:
    body = question("x", **said) if path == CHAT else {"prompt": "x", **said}
    assert sampling_of(building, body, path).logprobs == wanted


SCHEMA = {"type": "object", "properties": {"b": {"type": "string"}, "a": {"type": "integer"}}, "required": ["b"]}


@pytest.mark.parametrize(
    ("said", "schema"),
    [
        ({"type": "json_object"}, {"type": "object"}),
        ({"type": "json_object", "schema": SCHEMA}, SCHEMA),
        ({"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": SCHEMA}}, SCHEMA),
        ({"type": "json_schema", "json_schema": {"name": "x"}}, {"type": "object"}),
    ],
)
def test_a_json_format_becomes_a_schema(building: Building, said: Json, schema: Json) -> None:
    grammar = sampling_of(building, question("x", response_format=said)).grammar
    assert grammar is not None
    assert (grammar.kind, grammar.triggers) == ("json_schema", ())
    # The order of the properties is the order in which they are said.
    assert grammar.text == json.dumps(schema)


def test_a_grammar_is_passed_on_and_text_is_no_form(building: Building) -> None:
    text = 'root ::= "yes" | "no"'
    assert sampling_of(building, question("x", grammar=text)).grammar == Grammar("gbnf", text)
    assert sampling_of(building, question("x", response_format={"type": "text"}, grammar="")).grammar is None


@pytest.mark.parametrize("form", [{"response_format": {"type": "json_object"}}, {"grammar": "root ::= .*"}])
def test_an_answer_with_a_form_of_its_own_has_no_line_of_sources(building: Building, form: Json) -> None:
    async def speak(prompt: GroundedPrompt, sampling: Sampling) -> AsyncGenerator[Event, None]:
        yield Started((1,), ())
        yield Piece('{"answer": "every second morning [1]"}')
        yield Finished("stop", Usage(1, 9))

    with asking(building, speak) as (client, _):
        free = client.post(CHAT, json=question(TOMATOES)).json()["choices"][0]["message"]["content"]
        formed = client.post(CHAT, json=question(TOMATOES, **form)).json()["choices"][0]["message"]["content"]
    assert "Sources: " in free
    assert json.loads(formed)


# --- several choices ----------------------------------------------------------------------------------------------


async def three(prompt: GroundedPrompt, sampling: Sampling) -> AsyncGenerator[Event, None]:
    """The last of three choices is the first to end."""
    assert sampling.n == 3
    yield Started((), ())
    for text in ("one", "two"):
        for choice in (1, 0, 2):
            yield Piece(f"{text}{choice} ", choice)
    yield Finished("stop", Usage(10, 2, cached_tokens=10), Timings(1, 2, 3, 4, 5), choice=2)
    yield Piece("more", 0, tokens=3)
    yield Finished("length", Usage(10, 5, cached_tokens=4), Timings(1, 2, 3, 4, 5), choice=0)
    yield Finished("stop", Usage(10, 2, cached_tokens=10), Timings(1, 2, 3, 6, 7), choice=1)


TEXTS = ["one0 two0 more", "one1 two1 ", "one2 two2 "]
USAGE = {
    "prompt_tokens": 10,
    "completion_tokens": 9,
    "total_tokens": 19,
    "prompt_tokens_details": {"cached_tokens": 4},
    "completion_tokens_details": {"reasoning_tokens": 0},
}


def test_a_whole_answer_has_all_choices_in_their_order(building: Building) -> None:
    with asking(building, three) as (client, _):
        chat = client.post(CHAT, json=question("x", n=3)).raise_for_status().json()
        plain = client.post(PLAIN, json={"prompt": "x", "n": 3}).raise_for_status().json()
    assert [choice["index"] for choice in chat["choices"]] == [0, 1, 2]
    assert [choice["message"]["content"] for choice in chat["choices"]] == TEXTS
    assert [choice["text"] for choice in plain["choices"]] == TEXTS
    assert [choice["finish_reason"] for choice in chat["choices"]] == ["length", "stop", "stop"]
    assert chat["usage"] == plain["usage"] == USAGE
    assert (chat["vaultbridge"]["timings"]["drafted"], chat["vaultbridge"]["timings"]["accepted"]) == (6, 7)


def test_a_stream_tells_its_choices_apart(building: Building) -> None:
    with asking(building, three) as (client, _):
        chunks = events(client, question("x", n=3, stream_options={"include_usage": True}))
        plain = events(client, {"prompt": "x", "n": 3}, path=PLAIN)
    *spoken, last = chunks
    assert (last["choices"], last["usage"]) == ([], USAGE)
    assert all(len(chunk["choices"]) == 1 for chunk in spoken)
    assert "citations" in chunks[0]["vaultbridge"]
    for index, text in enumerate(TEXTS):
        mine = [chunk["choices"][0] for chunk in spoken if chunk["choices"][0]["index"] == index]
        assert mine[0]["delta"] == {"role": "assistant", "content": ""}
        assert "".join(choice["delta"].get("content", "") for choice in mine) == text
        assert [choice["finish_reason"] for choice in mine[:-1]] == [None] * (len(mine) - 1)
        assert mine[-1]["finish_reason"] == ("length" if index == 0 else "stop")
        assert mine[-1]["delta"] == {}
        texts = (chunk["choices"][0] for chunk in plain)
        assert "".join(choice["text"] for choice in texts if choice["index"] == index) == text


def test_a_failure_ends_a_choice_that_was_open(building: Building) -> None:
    async def speak(prompt: GroundedPrompt, sampling: Sampling) -> AsyncGenerator[Event, None]:
        yield Started((), ())
        yield Piece("a", 0)
        yield Piece("b", 1)
        yield Finished("stop", Usage(1, 1), choice=0)
        yield Failed(DecodeFailed("It broke."))

    with asking(building, speak) as (client, _):
        last = events(client, question("x", n=2, stream_options={"include_usage": True}))[-1]
        whole = client.post(CHAT, json=question("x", n=2))
    assert (last["choices"][0]["index"], last["choices"][0]["finish_reason"]) == (1, "stop")
    assert last["error"]["code"] == "decode_failed"
    assert (whole.status_code, whole.json()["error"]["code"]) == (500, "decode_failed")


# --- log probabilities --------------------------------------------------------------------------------------------

TOMATO = "🍅".encode()


def token(data: bytes, logprob: float, *top: TokenLogprob) -> TokenLogprob:
    return TokenLogprob(data.decode(errors="replace"), data, logprob, top)


async def measured(prompt: GroundedPrompt, sampling: Sampling) -> AsyncGenerator[Event, None]:
    """Three tokens, the last two of which make one character."""
    yield Started((), ())
    yield Piece("Red", logprobs=(token(b"Red", -0.5, token(b"Red", -0.5), token(b"Ripe", float("-inf"))),))
    yield Piece("🍅", tokens=2, logprobs=(token(TOMATO[:2], -1.0), token(TOMATO[2:], -2.0)))
    yield Finished("stop", Usage(1, 3))


def test_chat_says_them_in_its_shape(building: Building) -> None:
    with asking(building, measured) as (client, _):
        body = question("x", logprobs=True, top_logprobs=2)
        whole = client.post(CHAT, json=body).raise_for_status().json()["choices"][0]["logprobs"]
        parts = [chunk["choices"][0]["logprobs"] for chunk in events(client, body)]
    assert whole["refusal"] is None
    first, second, third = whole["content"]
    assert first == {
        "token": "Red",
        "logprob": -0.5,
        "bytes": [82, 101, 100],
        "top_logprobs": [
            {"token": "Red", "logprob": -0.5, "bytes": [82, 101, 100]},
            {"token": "Ripe", "logprob": -9999.0, "bytes": [82, 105, 112, 101]},
        ],
    }
    assert bytes(second["bytes"] + third["bytes"]).decode() == "🍅"
    assert second["top_logprobs"] == []
    assert [len(part["content"]) if part else None for part in parts] == [None, 1, 2, None]
    assert [entry for part in parts if part for entry in part["content"]] == whole["content"]


def test_plain_completions_say_them_in_theirs(building: Building) -> None:
    with asking(building, measured) as (client, _):
        body: Json = {"prompt": "x", "logprobs": 2}
        whole = client.post(PLAIN, json=body).raise_for_status().json()["choices"][0]["logprobs"]
        parts = [chunk["choices"][0]["logprobs"] for chunk in events(client, body, path=PLAIN)]
    assert whole["tokens"][0] == "Red"
    assert whole["tokens"][1:] == ["bytes:\\xf0\\x9f", "bytes:\\x8d\\x85"]
    assert whole["token_logprobs"] == [-0.5, -1.0, -2.0]
    assert whole["top_logprobs"][0] == {"Red": -0.5, "Ripe": -9999.0}
    assert whole["text_offset"][:2] == [0, 3]
    joined: dict[str, list[Any]] = {name: [] for name in whole}
    for part in filter(None, parts):
        for name, values in part.items():
            joined[name] += values
    assert joined == whole


async def formed(prompt: GroundedPrompt, sampling: Sampling) -> AsyncGenerator[Event, None]:
    """An answer in the form that is asked for."""
    assert sampling.grammar is not None
    assert json.loads(sampling.grammar.text)["properties"]["city"] == {"title": "City", "type": "string"}
    yield Started((), ())
    yield Piece('{"city": ')
    yield Piece('"Ulm"}')
    yield Finished("stop", Usage(1, 2))


class Place(BaseModel):
    """What is asked for."""

    city: str


def test_openais_own_client_parses_what_has_a_form(building: Building) -> None:
    with asking(building, formed) as (client, _), openais(client) as theirs:
        messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": "x"}]
        answer = theirs.chat.completions.parse(model="x", messages=messages, response_format=Place)
        with theirs.chat.completions.stream(model="x", messages=messages, response_format=Place) as stream:
            streamed = stream.get_final_completion()
        response = theirs.responses.parse(model="x", input="x", text_format=Place)
        with theirs.responses.stream(model="x", input="x", text_format=Place) as events_:
            told = events_.get_final_response()
    places = [answer.choices[0].message.parsed, streamed.choices[0].message.parsed]
    assert [*places, response.output_parsed, told.output_parsed] == [Place(city="Ulm")] * 4


def test_openais_own_client_reads_it_all(building: Building) -> None:
    with asking(building, measured) as (client, _), openais(client) as theirs:
        answer = theirs.chat.completions.create(
            model="x", messages=[{"role": "user", "content": "x"}], logprobs=True, top_logprobs=2
        )
        plain = theirs.completions.create(model="x", prompt="x", logprobs=2)
        response = theirs.responses.create(model="x", input="x", top_logprobs=2)
        chunks = list(theirs.responses.create(model="x", input="x", top_logprobs=2, stream=True))
    assert answer.choices[0].logprobs is not None
    assert (answer.choices[0].logprobs.content or [])[0].bytes == [82, 101, 100]
    assert plain.choices[0].logprobs is not None
    assert plain.choices[0].logprobs.token_logprobs == [-0.5, -1.0, -2.0]
    assert isinstance(response.output[0], ResponseOutputMessage)
    (part,) = response.output[0].content
    assert isinstance(part, ResponseOutputText)
    assert [token.logprob for token in part.logprobs or ()] == [-0.5, -1.0, -2.0]
    deltas = [chunk.logprobs for chunk in chunks if chunk.type == "response.output_text.delta"]
    assert [len(logprobs) for logprobs in deltas] == [1, 2]


def test_nobody_gets_them_unasked(client: httpx.Client) -> None:
    assert client.post(CHAT, json=question("x")).json()["choices"][0]["logprobs"] is None
    assert all(chunk["choices"][0]["logprobs"] is None for chunk in events(client, question("x")))
