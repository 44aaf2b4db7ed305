"""How to choose tokens: the fields that all of OpenAI's endpoints share, and llama-server's beside them."""

from __future__ import annotations

from typing import Annotated

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, FiniteFloat

from vaultbridge.core.dialogue import Grammar, Sampling
from vaultbridge.core.errors import InvalidRequest
from vaultbridge.server.bounds import (
    MOST_TOKENS,
    Count,
    KeepingBody,
    Penalty,
    Probability,
    RepeatPenalty,
    Stop,
    Temperature,
    clamped,
)
from vaultbridge.server.openai.fields import Limit
from vaultbridge.server.openai.formats import ResponseFormat
from vaultbridge.server.options import VaultOptions

MOST_CHOICES = 8
_AS_THEY_ARE = (
    *("temperature", "top_k", "top_p", "min_p", "typical_p", "seed", "min_tokens", "ignore_eos"),
    *("presence_penalty", "frequency_penalty", "repeat_penalty"),
    *("dry_multiplier", "dry_base", "dry_allowed_length"),
)
"""The fields that are called the same inside."""


class SamplingBody(KeepingBody):
    """A body that asks for an answer."""

    model_config = ConfigDict(extra="ignore")

    model: str = ""
    stream: bool | None = None
    temperature: Temperature | None = None
    top_p: Probability | None = None
    top_k: Count | None = None
    min_p: Probability | None = None
    typical_p: Probability | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    repeat_penalty: RepeatPenalty | None = Field(
        default=None, validation_alias=AliasChoices("repeat_penalty", "repetition_penalty")
    )
    dry_multiplier: Annotated[FiniteFloat, clamped(0.0, 10.0)] | None = None
    dry_base: Annotated[FiniteFloat, clamped(1.0, 10.0)] | None = None
    dry_allowed_length: Annotated[int, Field(ge=0, le=1000)] | None = None
    min_tokens: Annotated[int, Field(ge=0, le=MOST_TOKENS)] | None = None
    ignore_eos: bool | None = None
    seed: int | None = None
    stop: Stop | None = None
    logit_bias: dict[int, Annotated[FiniteFloat, clamped(-100.0, 100.0)]] | None = None
    grammar: str | None = None
    vaultbridge: VaultOptions | None = None

    def to_sampling(self, form: Grammar | None, max_tokens: int | None, logprobs: int | None, n: int = 1) -> Sampling:
        """How to sample; what the body leaves open keeps its default. Raises InvalidRequest for two forms at once."""
        given = {name: value for name in _AS_THEY_ARE if (value := getattr(self, name)) is not None}
        if self.grammar:
            if form is not None:
                raise InvalidRequest("An answer has one form.", "Send grammar or response_format.", param="grammar")
            form = Grammar("gbnf", self.grammar)
        return Sampling(
            **given,
            stop=tuple(self.stop or ()),
            logit_bias=tuple((self.logit_bias or {}).items()),
            max_tokens=max_tokens,
            logprobs=logprobs,
            grammar=form,
            n=n,
        )


class StreamOptions(BaseModel):
    """What a stream holds beside text."""

    model_config = ConfigDict(extra="ignore")

    include_usage: bool | None = None


class ChoicesBody(SamplingBody):
    """What chat and plain completions share: an answer in several choices."""

    stream_options: StreamOptions | None = None
    max_tokens: Limit = None
    n: Annotated[int, Field(ge=1, le=MOST_CHOICES)] | None = None
    response_format: ResponseFormat | None = None

    @property
    def form(self) -> Grammar | None:
        """What the answer must look like. Raises InvalidRequest."""
        return self.response_format.to_grammar() if self.response_format else None

    @property
    def wants_usage(self) -> bool:
        """Whether a stream shall end with a usage chunk."""
        return bool(self.stream_options and self.stream_options.include_usage)
