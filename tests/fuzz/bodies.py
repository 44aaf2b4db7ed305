"""Bodies of every dialect with every field that is read, and what can go wrong with them."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from typing import Any

from hypothesis import strategies as st

_TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        "strict": True,
    },
}
_SCHEMA = {"type": "object", "properties": {"a": {"enum": [1, "b"]}}, "required": ["a"]}
_OURS = {
    "grounding": "auto",
    "scope": {
        "folders": ["Garden"],
        "tags": ["#a"],
        "notes": ["A.md"],
        "exclude": ["B.md"],
        "since": 1.5,
        "until": 2e9,
    },
    "k": 8,
    "sources": "auto",
    "note": "C.md",
    "hygiene": "auto",
}
_SAMPLING = {
    "temperature": 0.7,
    "top_p": 1,
    "top_k": 40,
    "min_p": 0.1,
    "typical_p": 1.0,
    "presence_penalty": 0.5,
    "frequency_penalty": 0.5,
    "repeat_penalty": 1.1,
    "repetition_penalty": 1.1,
    "dry_multiplier": 0.8,
    "dry_base": 1.75,
    "dry_allowed_length": 2,
    "min_tokens": 0,
    "ignore_eos": False,
    "seed": 7,
    "stop": ["\n", "."],
    "logit_bias": {"15": -100, "16": 1.5},
}
_OPENAI = {
    "model": "any@plain",
    "stream": False,
    "stream_options": {"include_usage": True},
    **_SAMPLING,
    "max_tokens": 5000,
    "n": 2,
    "keep_alive": "5m",
    "ttl": 300,
    "vaultbridge": _OURS,
    "user": "me",
}
_MESSAGES = [
    {"role": "system", "content": "Be short."},
    {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
    {"role": "user", "content": "Title: X\n\nWhat is it?", "name": "me"},
    {
        "role": "assistant",
        "content": None,
        "reasoning_content": "Hm.",
        "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "c1", "content": "Sunny."},
    {"role": "user", "content": [{"type": "text", "text": "And then?"}]},
]
_OLLAMA = {
    "model": "any:latest",
    "stream": False,
    "format": _SCHEMA,
    "think": False,
    "keep_alive": "5m",
    "options": {**_SAMPLING, "num_predict": 64, "num_ctx": 4096},
    "logprobs": True,
    "top_logprobs": 2,
    "vaultbridge": _OURS,
}
_CHAT = {
    **_OPENAI,
    "messages": _MESSAGES,
    "max_completion_tokens": 100,
    "logprobs": True,
    "top_logprobs": 3,
    "tools": [_TOOL],
    "tool_choice": {"type": "function", "function": {"name": "get_weather"}},
    "parallel_tool_calls": True,
    "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": _SCHEMA, "strict": True}},
}
BODIES: Mapping[str, dict[str, Any]] = {
    "/v1/chat/completions": _CHAT,
    "/v1/completions": {
        **_OPENAI,
        "prompt": "Once upon",
        "suffix": "the end",
        "echo": False,
        "logprobs": 3,
        "best_of": 2,
    },
    "/v1/responses": {
        **{name: value for name, value in _OPENAI.items() if name not in ("n", "max_tokens", "stream_options")},
        "input": [
            {"role": "user", "content": "Hello."},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "What is it?"}]},
            {"type": "reasoning", "id": "r1", "summary": [{"type": "summary_text", "text": "Hm."}]},
            {"type": "function_call", "call_id": "c1", "name": "get_weather", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": "Sunny."},
        ],
        "instructions": "Be short.",
        "max_output_tokens": 64,
        "tools": [{"type": "function", **_TOOL["function"]}],  # type: ignore[dict-item]
        "tool_choice": "required",
        "parallel_tool_calls": True,
        "text": {"format": {"type": "json_schema", "name": "x", "schema": _SCHEMA, "strict": True}},
        "top_logprobs": 2,
        "include": ["message.output_text.logprobs"],
        "reasoning": {"effort": "low", "summary": "auto"},
        "previous_response_id": None,
        "metadata": {"a": "b"},
        "store": False,
        "truncation": "auto",
    },
    "/v1/embeddings": {
        "model": "any",
        "input": ["red", "green"],
        "encoding_format": "base64",
        "dimensions": 3,
        "input_type": "query",
    },
    "/v1/rerank": {
        "model": "any",
        "query": "tomatoes",
        "documents": ["red", {"text": "green"}],
        "top_n": 1,
        "return_documents": True,
    },
    "/api/chat": {
        **_OLLAMA,
        "messages": [
            {"role": "user", "content": "Hello.", "images": []},
            {
                "role": "assistant",
                "content": "",
                "thinking": "Hm.",
                "tool_calls": [{"function": {"name": "get_weather", "arguments": {"city": "Rome"}}}],
            },
            {"role": "tool", "content": "Sunny.", "tool_name": "get_weather"},
        ],
        "tools": [_TOOL],
    },
    "/api/generate": {
        **_OLLAMA,
        "keep_alive": -1,
        "prompt": "Once upon",
        "suffix": "the end",
        "system": "Be short.",
        "template": "",
        "context": [1, 2],
        "raw": False,
        "images": [],
    },
    "/api/embed": {"model": "any", "input": ["red", "green"], "truncate": True, "dimensions": 3, "options": {}},
    "/api/embeddings": {"model": "any", "prompt": "red"},
    "/api/show": {"model": "any", "name": "any", "verbose": True},
    "/vault/warm": {**_CHAT, "draft": "How often sh"},
}
"""By path."""

_NAMES = sorted({name for body in BODIES.values() for name in body})
_TEXTS = (
    *("", " ", "auto", "none", "required", "json", "text", "function", "-1", "1e3", "9" * 12, "x" * 5000),
    *("\x00", "\n\n", "🍅"),
    *("\ud800", "a\udfff", "\u2028", "../../x", "file:///x", "{{ 7 * 7 }}", "<|im_end|>", "</think>", "NaN", "::"),
)
_NUMBERS = (0, -1, 1, 2, 9, 2**31, 2**53 + 1, 2**63, 2**64, -(2**63), 10**30, 0.5, -0.0, 1e-320, 1e308)
_STRANGE = (float("nan"), float("inf"), float("-inf"), None, True, False)
_SCHEMAS: tuple[dict[str, Any], ...] = (
    {"$ref": "#"},
    {"$ref": "#/$defs/x", "$defs": {"x": {"$ref": "#/$defs/x"}}},
    {"anyOf": []},
    {"type": ["string", "null", 7]},
    {"type": "object", "properties": []},
    {"properties": {"a": True}},
    {"pattern": "^(a+)+$", "type": "string"},
    {"minItems": 10**9, "type": "array"},
)
_LEAVES = st.sampled_from((*_TEXTS, *_NUMBERS, *_STRANGE, [], {}, *_SCHEMAS)) | st.text(max_size=8) | st.integers()
VALUES = _LEAVES | st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_NAMES), inner, max_size=3),
    max_leaves=4,
)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container in a value with each of its keys."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from _places(value[key])


@st.composite
def mutated(draw: st.DrawFn, body: Mapping[str, Any]) -> bytes:
    """A body as bytes, with one to four things wrong with it; few are no longer JSON."""
    changed: dict[str, Any] = copy.deepcopy(dict(body))
    for _ in range(draw(st.integers(1, 4))):
        places = list(_places(changed))
        if not places:
            break
        holder, key = draw(st.sampled_from(places))
        match draw(st.integers(0, 9)):
            case 0:
                del holder[key]
            case 1:
                holder[key] = [holder[key]]
            case 2:
                holder[key] = {"type": holder[key]}
            case 3 if isinstance(holder, list):
                holder.extend(copy.deepcopy(holder[key]) for _ in range(draw(st.integers(1, 20))))
            case 4 if isinstance(holder, dict):
                holder[draw(st.sampled_from(_NAMES) | st.text(max_size=5))] = copy.deepcopy(draw(VALUES))
            case 5:
                other_holder, other_key = draw(st.sampled_from(places))
                holder[key] = copy.deepcopy(other_holder[other_key]) if other_key in _keys(other_holder) else None
            case _:
                holder[key] = copy.deepcopy(draw(VALUES))
    data = json.dumps(changed).encode()
    if draw(st.integers(0, 9)):
        return data
    at = draw(st.integers(0, len(data)))
    match draw(st.integers(0, 3)):
        case 0:
            return data[:at]
        case 1:
            return data[:at] + draw(st.binary(min_size=1, max_size=4)) + data[at:]
        case 2:
            return data[:at] + b'[{"a":' * draw(st.sampled_from((1, 100, 2000))) + data[at:]
        case _:
            return draw(st.binary(max_size=64))


def _keys(holder: Any) -> Any:
    return holder if isinstance(holder, dict) else range(len(holder))


_HEADER = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=20)
HEADERS = st.dictionaries(
    st.sampled_from(
        (
            *("x-vaultbridge-grounding", "x-vaultbridge-k", "x-vaultbridge-sources", "x-vaultbridge-note"),
            *("x-vaultbridge-hygiene", "x-vaultbridge-vault", "x-vaultbridge-scope", "content-type", "accept"),
            *("authorization", "origin", "host", "x-request-id", "cookie"),
        )
    ),
    _HEADER | st.sampled_from(("v", "8", "auto", "Bearer", "app://obsidian.md", "localhost:1", "null", "-1", "9" * 30)),
    min_size=1,
    max_size=4,
)
"""Headers that the server looks at, with values that it may not expect."""
