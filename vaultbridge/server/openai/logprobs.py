"""Tokens' log probabilities in OpenAI's two shapes."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import TypedDict

from vaultbridge.core.dialogue import TokenLogprob
from vaultbridge.server.likelihoods import LEAST, ChosenLikelihood, likelihoods


class ChatLogprobs(TypedDict):
    """A chat choice's tokens; nothing is ever refused."""

    content: list[ChosenLikelihood]
    refusal: None


class PlainLogprobs(TypedDict):
    """A plain completion's tokens; ``text_offset`` counts characters of its text."""

    tokens: list[str]
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float]]
    text_offset: list[int]


def chat_logprobs(tokens: Sequence[TokenLogprob]) -> ChatLogprobs | None:
    """The ``logprobs`` of a chat choice; None without tokens."""
    return {"content": likelihoods(tokens), "refusal": None} if tokens else None


def plain_logprobs(tokens: Sequence[TokenLogprob], offset: int) -> PlainLogprobs | None:
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
