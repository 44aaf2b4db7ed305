"""Token counts as chat and plain completions say them."""

from __future__ import annotations

from typing_extensions import TypedDict

from vaultbridge.core.dialogue import Usage


class PromptTokensDetails(TypedDict):
    """``cached_tokens`` were not computed again."""

    cached_tokens: int


class CompletionTokensDetails(TypedDict):
    """``reasoning_tokens`` were only thought."""

    reasoning_tokens: int


class UsageView(TypedDict):
    """Token counts of all choices together."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptTokensDetails
    completion_tokens_details: CompletionTokensDetails


def usage_view(usage: Usage, reasoning_tokens: int) -> UsageView:
    """Token counts in OpenAI's names."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": reasoning_tokens},
    }
