"""Our client written from what Text Generator sends and how its parser reads (``tests/server/reading.py``)."""

from __future__ import annotations

from typing import Any

import httpx

from tests.clients.trying import ASKED, address, grounded, must, try_all
from tests.server.reading import RawStream, text_generator

BEARER = "Authorization: Bearer\r\n"
"""What it sends when no key is set."""


def body(text: str) -> dict[str, Any]:
    """What its provider *Custom* asks for by default, but at a temperature at which a small model stays at its text."""
    return {
        "model": "gpt-3.5-turbo-16k",
        "temperature": 0,
        "top_p": 1,
        "frequency_penalty": 0.5,
        "presence_penalty": 0.5,
        "max_tokens": 5000,
        "n": 1,
        "stop": ["\n\nUnlikely"],
        "messages": [{"role": "user", "content": text}],
    }


def question() -> str:
    return f"Title: Ideas\n\n{ASKED['question']}"


def chat() -> str:
    answer = httpx.post(
        f"{address()}/v1/chat/completions",
        json=body(question()),
        headers={b"Authorization": b"Bearer"},
        trust_env=False,
        timeout=100,
    ).raise_for_status()
    return grounded(answer.json()["choices"][0]["message"]["content"])


def stream() -> str:
    with RawStream(address(), body(question()), BEARER) as raw:
        reads = list(raw.http_chunks())
    return grounded(text_generator(reads), len(reads))


def title() -> str:
    asked = f'Generate a title for the current document (do not use * " \\ / < > : | ? .):\n\n{ASKED["question"]}'
    with RawStream(address(), body(asked), BEARER) as raw:
        text = text_generator(raw.http_chunks())
    must(text.strip() and "[[" not in text, f"a title with sources: {text!r}")
    return "text, no sources"


try_all({"chat": chat, "stream": stream, "title": title})
