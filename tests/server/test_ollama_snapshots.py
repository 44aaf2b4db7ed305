"""Ollama's streams, to the letter: see ``tests/snapshots/README.md``."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from typing import Any

import httpx

from tests.server.building import TOMATOES, Building, ScriptedGenerator
from tests.server.reading import Json, question
from tests.server.test_snapshots import compare, normalised
from vaultbridge.core.dialogue import (
    CallHead,
    Event,
    Finished,
    GroundedPrompt,
    Piece,
    Sampling,
    Started,
    Timings,
    Usage,
)

FIXED: dict[str, Any] = {"created_at": "2026-01-01T00:00:00.000000Z", "total_duration": 1_000_000_000}
SEARCH = {"type": "function", "function": {"name": "search", "parameters": {"type": "object"}}}


async def grounded(prompt: GroundedPrompt, sampling: Sampling) -> AsyncGenerator[Event, None]:
    yield Started(tuple(note.number for note in prompt.block.notes), ())
    yield Piece("Every second ")
    yield Piece("morning [1].")
    yield Finished("stop", Usage(120, 5), Timings(queue_ms=1.0, prefill_ms=20.0, decode_ms=50.0))


async def calling(prompt: GroundedPrompt, sampling: Sampling) -> AsyncGenerator[Event, None]:
    head = CallHead(0, "call_0", "search")
    yield Started((), ())
    yield Piece("Notes may know.", kind="reasoning")
    yield Piece("", kind="tool_call", call=head)
    yield Piece('{"query": "bees"}', kind="tool_call", call=head)
    yield Finished("tool_calls", Usage(80, 9), Timings(queue_ms=1.0, prefill_ms=20.0, decode_ms=50.0))


def transcript(building: Building, generator: ScriptedGenerator, body: Json) -> str:
    """A stream as it came, each line normalised."""
    address = building.serve(building.speaking(generator))
    with httpx.Client(base_url=address, trust_env=False, timeout=20) as client:
        text = client.post("/api/chat", json=body).raise_for_status().text
    documents = [normalised(json.loads(line)) for line in text.splitlines()]
    fixed = [document | {key: FIXED[key] for key in FIXED.keys() & document.keys()} for document in documents]
    return "".join(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n" for line in fixed)


def test_a_grounded_chat(building: Building) -> None:
    body = question(TOMATOES, model="any", vaultbridge={})
    compare("ollama-chat.ndjson", transcript(building, ScriptedGenerator(grounded), body))


def test_a_chat_that_thinks_and_calls_a_tool(building: Building) -> None:
    body = question("Where do the bees live?", model="any@plain", tools=[SEARCH], think=True)
    compare("ollama-tools.ndjson", transcript(building, ScriptedGenerator(calling), body))
