"""Ollama's streams on the wire: one document a write, kept alive, and ended when nobody reads."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncGenerator

import pytest

from tests.server.building import CHINESE, Building, ScriptedGenerator
from tests.server.reading import Json, RawStream, question
from tests.server.test_chat import Held, eventually
from vaultbridge.core.dialogue import Event, Finished, GroundedPrompt, Piece, Sampling, Started, Usage
from vaultbridge.server import ndjson

CHAT = "/api/chat"


def test_every_write_is_one_whole_line(address: str) -> None:
    with RawStream(address, question(CHINESE), path=CHAT) as stream:
        writes = list(stream.http_chunks())
        assert b"application/x-ndjson" in stream.head
    assert len(writes) >= 3
    for write in writes:
        assert write.count(b"\n") == 1
        assert write.endswith(b"}\n")
        json.loads(write)


def test_line_ends_of_other_alphabets_do_not_break_a_line(building: Building) -> None:
    odd = "a\u2028b\u2029c\x85d\re\nf"

    async def speak(prompt: GroundedPrompt, sampling: Sampling) -> AsyncGenerator[Event, None]:
        yield Started((), ())
        yield Piece(odd)
        yield Finished("stop", Usage(1, 1))

    address = building.serve(building.speaking(ScriptedGenerator(speak)))
    with RawStream(address, question("x"), path=CHAT) as stream:
        raw = b"".join(stream.http_chunks()).decode()
    documents: list[Json] = [json.loads(line) for line in raw.splitlines()]
    assert "".join(line["message"]["content"] for line in documents) == odd


def test_a_quiet_line_is_kept_alive_by_empty_documents(building: Building, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ndjson, "KEEP_ALIVE_SECONDS", 0.02)
    held = Held()
    reads: list[bytes] = []
    address = building.serve(building.speaking(ScriptedGenerator(held)))
    with RawStream(address, question("x"), path=CHAT) as stream:
        for read in stream.http_chunks():
            reads.append(read)
            if len(reads) == 6:  # the opening, one word, and only keep-alives since
                held.go.set()
    documents: list[Json] = [json.loads(read) for read in reads]
    assert all(line["message"]["content"] == "" and not line["done"] for line in documents[2:6])
    assert "".join(line["message"]["content"] for line in documents) == "wait… done"
    assert [line["done"] for line in documents].index(True) == len(documents) - 1


def test_a_client_that_leaves_in_the_middle_frees_its_place(building: Building) -> None:
    generator = ScriptedGenerator(Held())
    with RawStream(building.serve(building.speaking(generator)), question("x"), path=CHAT) as stream:
        reads = stream.http_chunks()
        while "wait" not in next(reads).decode():
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
    with RawStream(address, question("x"), stream=stream, path=CHAT):
        assert asked.wait(30), "the generator was never asked"
        assert generator.running == generator.admitted == 1
    eventually(lambda: generator.running == generator.admitted == 0, "the generator still runs for nobody")
