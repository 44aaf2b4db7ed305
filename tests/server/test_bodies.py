"""What a body may be called, and what of it cannot be said again."""

from __future__ import annotations

import json

import httpx
import pytest

from tests.server.reading import question

CHAT = "/v1/chat/completions"


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", "", None])
def test_a_body_is_json_whatever_its_header_says(client: httpx.Client, kind: str | None) -> None:
    headers = {} if kind is None else {"Content-Type": kind}
    response = client.post(CHAT, content=json.dumps(question("hello", model="x@plain")), headers=headers)
    assert response.raise_for_status().json()["choices"][0]["message"]["content"] == "You said: hello"


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (rb"cut \ud83d", "cut \ufffd"),
        (rb"\udf45 and \uD83c\uDf45", "\ufffd and 🍅"),
        (rb"\\ud83d", r"\ud83d"),
        (rb"\\\ud83d", "\\\ufffd"),
        (b"cut \xed\xa0\xbd", "cut \ufffd"),
        ("한 🍅".encode(), "한 🍅"),
    ],
)
def test_half_a_character_is_no_reason_to_fail(client: httpx.Client, raw: bytes, said: str) -> None:
    body = b'{"model":"x@plain","messages":[{"role":"user","content":"%s"}]}' % raw
    answer = client.post(CHAT, content=body).raise_for_status().json()
    assert answer["choices"][0]["message"]["content"] == f"You said: {said}"


@pytest.mark.parametrize("extra", ['{"a": NaN}', '{"a": 1e999}', '{"a": ' * 60 + "1" + "}" * 60])
def test_a_schema_that_is_not_json_is_refused_and_a_deep_one_is_nobodys_fault(client: httpx.Client, extra: str) -> None:
    body = json.dumps(question("x"))[:-1] + f', "response_format": {{"type": "json_object", "schema": {extra}}}}}'
    assert client.post(CHAT, content=body).status_code in (200, 400)
    if "NaN" in extra or "999" in extra:
        assert client.post(CHAT, content=body).json()["error"]["param"] == "response_format.schema"


def test_numbers_without_end(client: httpx.Client) -> None:
    huge = dict.fromkeys(("seed", "top_k", "max_tokens", "max_completion_tokens"), 10**30)
    assert client.post(CHAT, json=question("x", model="x@plain", **huge)).status_code == 200
