"""Tokens' log probabilities in OpenAI's two shapes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vaultbridge.core.dialogue import TokenLogprob

LEAST = -9999.0
"""What OpenAI says of a token that is impossible: JSON has no infinity."""


def chat_logprobs(tokens: Sequence[TokenLogprob]) -> dict[str, Any] | None:
    """The ``logprobs`` of a chat choice; None without tokens."""
    if not tokens:
        return None
    content = [{**_chat(token), "top_logprobs": [_chat(other) for other in token.top]} for token in tokens]
    return {"content": content, "refusal": None}


def _chat(token: TokenLogprob) -> dict[str, Any]:
    return {"token": token.text, "logprob": max(token.logprob, LEAST), "bytes": list(token.data)}


def plain_logprobs(tokens: Sequence[TokenLogprob], offset: int) -> dict[str, Any] | None:
    """The ``logprobs`` of a plain completion; ``offset``: the characters of its text in front of these tokens."""
    if not tokens:
        return None
    offsets = []
    for token in tokens:
        offsets.append(offset)
        offset += len(token.text)
    return {
        "tokens": [_name(token) for token in tokens],
        "token_logprobs": [max(token.logprob, LEAST) for token in tokens],
        "top_logprobs": [{_name(other): max(other.logprob, LEAST) for other in token.top} for token in tokens],
        "text_offset": offsets,
    }


def _name(token: TokenLogprob) -> str:
    """Its text; of a token that is no text, a part of a character for example, its bytes."""
    if token.text.encode() == token.data:
        return token.text
    return "bytes:" + "".join(f"\\x{byte:02x}" for byte in token.data)
