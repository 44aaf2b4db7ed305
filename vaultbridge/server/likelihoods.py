"""Tokens' log probabilities, as OpenAI has them and Ollama after it."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import TypedDict

from vaultbridge.core.dialogue import TokenLogprob

LEAST = -9999.0
"""What OpenAI says of a token that is impossible: JSON has no infinity."""


class Likelihood(TypedDict):
    """A token that could stand in a place."""

    token: str
    logprob: float
    bytes: list[int]


class ChosenLikelihood(Likelihood):
    """The token that stands there, and the likeliest ones."""

    top_logprobs: list[Likelihood]


def likelihoods(tokens: Sequence[TokenLogprob]) -> list[ChosenLikelihood]:
    """Each token with its alternatives."""
    return [{**_likelihood(token), "top_logprobs": [_likelihood(other) for other in token.top]} for token in tokens]


def _likelihood(token: TokenLogprob) -> Likelihood:
    return {"token": token.text, "logprob": max(token.logprob, LEAST), "bytes": list(token.data)}
