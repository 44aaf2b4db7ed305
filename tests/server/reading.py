"""How clients read: events as they should be read, and as Text Generator reads them."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx

Json = dict[str, Any]


def question(text: str, **more: Any) -> Json:
    """A chat body with one user message."""
    return {"messages": [{"role": "user", "content": text}], **more}


def events(client: httpx.Client, body: Json, path: str = "/v1/chat/completions") -> list[Json]:
    """The chunks of a streamed answer, which must end with ``[DONE]``."""
    with client.stream("POST", path, json={**body, "stream": True}) as response:
        assert response.status_code == 200, response.read()
        assert response.headers["content-type"].startswith("text/event-stream")
        data = [line.removeprefix("data: ") for line in response.read().decode().split("\n") if line]
    assert data[-1] == "[DONE]"
    return [json.loads(text) for text in data[:-1]]


def lines(client: httpx.Client, path: str, body: Json) -> list[Json]:
    """The documents of an answer in Ollama's dialect, which streams unless it is told not to."""
    with client.stream("POST", path, json=body) as response:
        assert response.status_code == 200, response.read()
        assert response.headers["content-type"] == "application/x-ndjson"
        text = response.read().decode()
    assert text.endswith("\n")
    return [json.loads(line) for line in text[:-1].split("\n")]


def answer_of(chunks: Iterable[Json]) -> str:
    """The text of a stream."""
    return "".join(choice["delta"].get("content", "") for chunk in chunks for choice in chunk["choices"])


class RawStream:
    """A request over a bare socket, so that nothing buffers, joins or repairs what the server writes."""

    def __init__(
        self,
        address: str,
        body: Json,
        headers: str = "",
        *,
        stream: bool = True,
        path: str = "/v1/chat/completions",
    ) -> None:
        place = urlsplit(address)
        self.socket = socket.create_connection((place.hostname or "", place.port or 0), timeout=20)
        content = json.dumps({**body, "stream": stream}).encode()
        self.socket.sendall(
            f"POST {path} HTTP/1.1\r\nHost: {place.netloc}\r\nContent-Type: application/json\r\n"
            f"{headers}Content-Length: {len(content)}\r\n\r\n".encode()
            + content
        )
        self._left = b""
        self.head = b""

    def http_chunks(self) -> Iterator[bytes]:
        """The bodies of HTTP's own chunks, which are the server's writes."""
        while b"\r\n\r\n" not in self._left:
            self._left += self._received()
        self.head, self._left = self._left.split(b"\r\n\r\n", 1)
        while True:
            while b"\r\n" not in self._left:
                self._left += self._received()
            size_text, rest = self._left.split(b"\r\n", 1)
            size = int(size_text, 16)
            while len(rest) < size + 2:
                rest += self._received()
            chunk, self._left = rest[:size], rest[size + 2 :]
            if not chunk:
                return
            yield chunk

    def _received(self) -> bytes:
        data = self.socket.recv(65536)
        assert data, "the server hung up"
        return data

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> RawStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def text_generator(reads: Iterable[bytes]) -> str:
    """The answer as Text Generator's own provider ends up with it.

    Each read of the network stands alone: it is split at a newline and ``data: ``, each part is parsed, what does not
    parse is dropped. A chunk without ``choices``, or with empty ones, throws.
    """
    text = ""
    for read in reads:
        for part in re.split(r"(?:\A|\r?\n)data: ", read.decode()):
            try:
                chunk = json.loads(part)
            except ValueError:
                continue
            text += chunk["choices"][0]["delta"].get("content", "")
    return text


def text_generator_openai(reads: Iterable[bytes]) -> str:
    """The answer as its other provider, *OpenAI Chat*, ends up with it: events over the borders of reads, comments
    and chunks without choices passed over."""
    text = ""
    for event in re.split(r"\r?\n\r?\n", b"".join(reads).decode()):
        fields = re.split(r"\r?\n", event)
        data = [line.removeprefix("data:").removeprefix(" ") for line in fields if line.startswith("data:")]
        if data and data != ["[DONE]"]:
            for choice in json.loads("\n".join(data)).get("choices", [])[:1]:
                text += choice["delta"].get("content", "")
    return text
