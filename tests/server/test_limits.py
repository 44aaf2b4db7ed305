"""What one client may bring, and how long it may take: a server for people is not held up by one of them."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.server.building import Building, ScriptedGenerator
from tests.server.reading import RawStream, question
from tests.server.test_errors import error_of
from vaultbridge.core.dialogue import Event, GroundedPrompt, Piece, Sampling, Started
from vaultbridge.server.limits import HEADER_BYTES, NESTING, LimitOptions, depth
from vaultbridge.server.protocol import BoundedHttp

CHAT = "/v1/chat/completions"
LIMIT = 100_000


class Impatient(BoundedHttp):
    """The same protocol in a hurry."""

    header_seconds = 0.3
    reader_seconds = 0.5
    most_connections = 5


@pytest.fixture(scope="module")
def bounded(building: Building) -> Iterator[httpx.Client]:
    address = building.serve(limits=LimitOptions(LIMIT, 0.5), protocol=Impatient)
    with httpx.Client(base_url=address, trust_env=False, timeout=20) as client:
        yield client


class Line:
    """A connection on which a test says what it likes."""

    def __init__(self, client: httpx.Client) -> None:
        place = urlsplit(str(client.base_url))
        self._socket = socket.create_connection((place.hostname or "", place.port or 0), timeout=10)

    def say(self, text: str | bytes) -> None:
        self._socket.sendall(text.replace("\n", "\r\n").encode() if isinstance(text, str) else text)

    def heard(self) -> bytes:
        """All that comes until the server hangs up."""
        said = b""
        try:
            while data := self._socket.recv(65536):
                said += data
        except ConnectionResetError:
            pass
        return said

    def heard_until(self, end: bytes) -> bytes:
        said = b""
        while end not in said:
            data = self._socket.recv(65536)
            assert data, said
            said += data
        return said

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()


def refused(answer: bytes, status: int, code: str) -> None:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split(b" ")[1] == str(status).encode(), answer
    assert json.loads(body)["error"]["code"] == code


# --- the body -------------------------------------------------------------------------------------------------------


def test_a_body_up_to_the_limit_is_read_and_a_longer_one_refused(bounded: httpx.Client) -> None:
    body = json.dumps(question("x", model="x@plain")).encode()
    assert bounded.post(CHAT, content=body + b" " * (LIMIT - len(body))).status_code == 200
    error = error_of(bounded.post(CHAT, content=body + b" " * (LIMIT - len(body) + 1)), 413, "request_too_large")
    assert str(LIMIT) in error["message"]


def test_a_body_whose_length_is_not_said_is_counted_as_it_comes(bounded: httpx.Client) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        while sent < 100 * LIMIT:
            sent += 10_000
            yield b" " * 10_000

    response = bounded.post(CHAT, content=endless())
    error_of(response, 413, "request_too_large")
    assert bounded.get("/health").status_code == 200


def test_a_short_body_in_chunks_is_a_body(bounded: httpx.Client) -> None:
    body = json.dumps(question("x", model="x@plain")).encode()
    assert bounded.post(CHAT, content=iter([body[:20], b"", body[20:]])).status_code == 200


def test_who_asks_before_sending_is_told_before_sending(bounded: httpx.Client) -> None:
    head = f"POST {CHAT} HTTP/1.1\nHost: localhost\nExpect: 100-continue\nConnection: close\nContent-Length: "
    with Line(bounded) as line:
        line.say(f"{head}{LIMIT + 1}\n\n")
        refused(line.heard(), 413, "request_too_large")
    body = json.dumps(question("x", model="x@plain")).encode()
    with Line(bounded) as line:
        line.say(f"{head}{len(body)}\n\n")
        assert line.heard_until(b"\r\n\r\n").startswith(b"HTTP/1.1 100 ")
        line.say(body)
        assert line.heard().startswith(b"HTTP/1.1 200 ")


def test_a_body_that_never_ends_is_not_waited_for(bounded: httpx.Client) -> None:
    with Line(bounded) as line:
        line.say(f"POST {CHAT} HTTP/1.1\nHost: localhost\nContent-Length: 50\n\nnot fifty bytes")
        refused(line.heard(), 408, "timeout")


def test_what_follows_a_refused_body_is_not_read_for_ever(bounded: httpx.Client) -> None:
    with Line(bounded) as line:
        line.say(f"POST {CHAT} HTTP/1.1\nHost: localhost\nContent-Length: {10**12}\n\n")
        began = time.monotonic()
        with pytest.raises(OSError):
            while time.monotonic() - began < 10:
                line.say(b" " * 65536)


def test_a_body_longer_than_it_said_to_be_is_not_taken_for_one(bounded: httpx.Client) -> None:
    with Line(bounded) as line:
        line.say(f"POST {CHAT} HTTP/1.1\nHost: localhost\nContent-Length: 2\n\n" + '{}{"messages": []}\n\n')
        answers = line.heard()
        assert answers.count(b"HTTP/1.1 ") == 2
        assert answers.startswith(b"HTTP/1.1 400 ")
        refused(answers[answers.rindex(b"HTTP/1.1 ") :], 400, "invalid_http")


@pytest.mark.parametrize("bomb", [b"[", b'{"a":', b'[{"a":['], ids=["lists", "objects", "both"])
def test_a_nested_bomb_is_refused_before_it_is_read(bounded: httpx.Client, bomb: bytes) -> None:
    body = b'{"messages": [{"role": "user", "content": "x"}], "vaultbridge": ' + bomb * 10_000
    error_of(bounded.post(CHAT, content=body, headers={"Content-Type": "application/json"}), 400, "invalid_request")


def test_brackets_in_a_text_are_no_nesting(bounded: httpx.Client) -> None:
    text = '\\"[' * 500 + "\\\\" + "{[" * 500
    assert bounded.post(CHAT, json=question(text, model="x@plain")).status_code == 200


nested = st.recursive(
    st.text(alphabet='a"\\[]{}', max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner),
)


@settings(deadline=None, derandomize=True)
@given(value=nested)
def test_the_depth_of_json_is_what_a_reader_finds(value: object) -> None:
    def deep(part: object) -> int:
        inner = part.values() if isinstance(part, dict) else part if isinstance(part, list) else None
        return 0 if inner is None else 1 + max(map(deep, inner), default=0)

    padded = json.dumps(value).encode() + b" " * NESTING
    assert depth(padded) == deep(value)


# --- the headers ----------------------------------------------------------------------------------------------------


def test_long_headers_and_paths_are_refused(bounded: httpx.Client) -> None:
    error_of(bounded.get("/health", headers={"X-Long": "x" * HEADER_BYTES}), 431, "headers_too_large")
    error_of(bounded.get("/vault/notes/" + "x" * 5000), 414, "uri_too_long")
    assert bounded.get("/vault/search", params={"q": "水" * 4000}).status_code == 200


def test_what_is_no_http_is_told_so(bounded: httpx.Client) -> None:
    with Line(bounded) as line:
        line.say("\x16\x03\x01 hello\n\n")
        refused(line.heard(), 400, "invalid_http")


def test_headers_that_trickle_are_not_waited_for(bounded: httpx.Client) -> None:
    with Line(bounded) as line:
        line.say("GET /health HTTP/1.1\nHost: localhost\n")
        refused(line.heard(), 408, "timeout")


def test_bytes_now_and_then_do_not_buy_time(bounded: httpx.Client) -> None:
    began = time.monotonic()
    with Line(bounded) as line, pytest.raises(OSError):
        for byte in ("GET /health HTTP/1.1\nX: " + "x" * 10_000).encode():
            line.say(bytes([byte]))
            assert line_is_open_for(0.05, line)
    assert time.monotonic() - began < 5


def line_is_open_for(seconds: float, line: Line) -> bool:
    """Wait for the server to say something; an OSError if it hung up."""
    line._socket.settimeout(seconds)
    try:
        if line._socket.recv(65536):
            raise ConnectionAbortedError("it answered, and will hang up")
        raise ConnectionResetError
    except TimeoutError:
        return True


def test_a_silent_connection_is_closed(bounded: httpx.Client) -> None:
    with Line(bounded) as line:
        assert line.heard() == b""


def test_pipelined_requests_are_answered_in_turn(bounded: httpx.Client) -> None:
    one = "GET /health HTTP/1.1\nHost: localhost\n\n"
    with Line(bounded) as line:
        line.say(3 * one + one.replace("\n\n", "\nConnection: close\n\n"))
        assert line.heard().count(b"HTTP/1.1 200 ") == 4


# --- readers and crowds ---------------------------------------------------------------------------------------------


async def endless(prompt: GroundedPrompt, sampling: Sampling) -> AsyncGenerator[Event, None]:
    yield Started((), ())
    while True:
        yield Piece("word " * 1000)
        await asyncio.sleep(0)


def test_an_answer_that_nobody_reads_ends(building: Building) -> None:
    generator = ScriptedGenerator(endless)
    address = building.serve(building.speaking(generator), protocol=Impatient)
    with RawStream(address, question("x", model="x@plain")):
        deadline = time.monotonic() + 10
        while not generator.sampling or generator.running:
            assert time.monotonic() < deadline, "it is generated still"
            time.sleep(0.02)


def test_more_connections_than_there_is_room_for_are_told_so(building: Building) -> None:
    address = building.serve(protocol=Impatient)
    with httpx.Client(base_url=address, trust_env=False) as client, ExitStack() as stack:
        lines = [stack.enter_context(Line(client)) for _ in range(Impatient.most_connections)]
        refusal = client.get("/health")
        error_of(refusal, 503, "overloaded")
        assert int(refusal.headers["retry-after"]) >= 1
        for line in lines:
            assert line.heard() == b"", "the silent ones are closed in a moment"
        assert client.get("/health").status_code == 200
