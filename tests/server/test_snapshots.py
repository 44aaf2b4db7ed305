"""The wire, to the letter, in files that the plugin's tests read too. See ``tests/snapshots/README.md``."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.server.building import CHINESE, TOMATOES
from tests.server.reading import question

FOLDER = Path(__file__).parents[1] / "snapshots"
UPDATE = "VAULTBRIDGE_UPDATE_SNAPSHOTS"
FIXED: dict[str, Any] = {
    "created": 1_700_000_000,
    "created_at": 1_700_000_000,
    "item_id": "item-0",
    "call_id": "call-0",
    "indexed_at": 1_700_000_000.0,
    "timings": {"queue_ms": 0.0, "prefill_ms": 0.0, "decode_ms": 0.0},
    "prompt_tokens_details": {"cached_tokens": 0},
    "score": 1.0,
    "rate": 0.0,
    "storage": {"bytes": 0, "fragments": 0},
}


def normalised(document: Any, key: str = "") -> Any:
    """The same with what differs from run to run, or with the tuning of the ranking, made equal."""
    if key in FIXED:
        return FIXED[key]
    if key == "states":
        return dict.fromkeys(sorted(document), "ready")  # as far as others have asked them
    if key == "lanes":
        return dict.fromkeys(sorted(document), 1.0)
    if key == "completed_at":
        return document and FIXED["created_at"]
    if key == "id" and isinstance(document, str):
        prefix, mark, _ = document.replace("_", "-").partition("-")
        return f"{prefix}-0" if mark else "0" * 12
    if isinstance(document, dict):
        if "chosen" in document:
            document = {**document, "choices": ["a-model"]}  # whatever is on this computer
        return {name: normalised(value, name) for name, value in document.items()}
    if isinstance(document, list):
        return [normalised(item) for item in document]
    return document


def pretty(document: Any) -> str:
    return json.dumps(normalised(document), ensure_ascii=False, indent=2) + "\n"


def transcript(response: httpx.Response) -> str:
    """A stream as it came, each event normalised."""
    events = []
    for event in response.raise_for_status().text.split("\n\n")[:-1]:
        name, mark, data = event.rpartition("data: ")
        assert mark
        body = normalised(json.loads(data)) if data != "[DONE]" else None
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":")) if body is not None else data
        events.append(f"{name}data: {text}\n\n")
    return "".join(events)


def compare(name: str, now: str) -> None:
    file = FOLDER / name
    if os.environ.get(UPDATE):
        file.write_text(now, encoding="utf-8", newline="\n")
    assert file.is_file(), f"write it first: {UPDATE}=1"
    assert now == file.read_text(encoding="utf-8"), f"if this is meant: {UPDATE}=1"


def test_a_grounded_stream(client: httpx.Client) -> None:
    body = question(TOMATOES, stream=True, stream_options={"include_usage": True}, vaultbridge={})
    compare("chat-stream.sse", transcript(client.post("/v1/chat/completions", json=body)))


def test_a_stream_with_links_in_its_text(client: httpx.Client) -> None:
    body = question(CHINESE, stream=True)
    compare("chat-markdown.sse", transcript(client.post("/v1/chat/completions", json=body)))


def test_a_streamed_tool_call(client: httpx.Client) -> None:
    tool = {"type": "function", "function": {"name": "clock", "parameters": {"type": "object"}}}
    body = question('think Look at it.\ncall clock {"zone": "UTC"}', model="x@plain", stream=True, tools=[tool])
    compare("chat-tool-call.sse", transcript(client.post("/v1/chat/completions", json=body)))


def test_a_streamed_response(client: httpx.Client) -> None:
    compare("responses.sse", transcript(client.post("/v1/responses", json={"input": TOMATOES, "stream": True})))


@pytest.mark.parametrize(
    ("name", "method", "path", "body"),
    [
        ("chat.json", "POST", "/v1/chat/completions", question(TOMATOES, vaultbridge={})),
        ("responses.json", "POST", "/v1/responses", {"input": TOMATOES, "vaultbridge": {}}),
        ("search.json", "GET", "/vault/search?q=water+tomatoes&k=2", None),
        ("status.json", "GET", "/vault/status", None),
        ("roles.json", "GET", "/vault/roles", None),
        ("error.json", "POST", "/v1/chat/completions", {"model": "any", "messages": []}),
    ],
)
def test_a_document(client: httpx.Client, name: str, method: str, path: str, body: Any) -> None:
    compare(name, pretty(client.request(method, path, json=body).json()))
