"""Fields that all dialects share: held within their bounds where real clients pass them, refused where nothing is
meant."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Annotated, Any

from pydantic import AfterValidator, AliasChoices, BaseModel, BeforeValidator, Field, FiniteFloat

from vaultbridge.core.duration import seconds_of

MOST_TOKENS = 2**31 - 1


def unquoted(value: Any) -> Any:
    """The number that a text is, as some clients send it; anything else as it is."""
    if isinstance(value, str):
        with suppress(ValueError):
            return float(value)
    return value


def clamped(low: float, high: float) -> BeforeValidator:
    """Numbers, also those in quotes, are moved into ``[low, high]``; what is no number is left to be refused."""

    def clamp(value: Any) -> Any:
        if isinstance(value, bool):  # they would be taken for 0 and 1
            raise ValueError("a number is wanted")
        value = unquoted(value)
        return min(max(value, low), high) if isinstance(value, (int, float)) else value

    return BeforeValidator(clamp)


def _sayable(value: dict[str, Any]) -> dict[str, Any]:
    json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    return value


Temperature = Annotated[FiniteFloat, clamped(0.0, 2.0)]
Probability = Annotated[FiniteFloat, clamped(0.0, 1.0)]
Penalty = Annotated[FiniteFloat, clamped(-2.0, 2.0)]
RepeatPenalty = Annotated[FiniteFloat, clamped(0.1, 10.0)]
Count = Annotated[int, clamped(0, MOST_TOKENS)]
Stop = Annotated[
    list[str],
    BeforeValidator(lambda value: [value] if isinstance(value, str) else value, json_schema_input_type=str | list[str]),
    Field(max_length=16),
]
"""A text, or several, that end an answer."""
JsonObject = Annotated[dict[str, Any], AfterValidator(_sayable)]
"""Any object that can be said in JSON again: no infinity, no half of a character."""


class KeepingBody(BaseModel):
    """A body that may say how long its model is wanted in memory when nobody asks it: seconds or a duration, negative
    for ever; ``ttl`` is LM Studio's name for it."""

    keep_alive: Annotated[FiniteFloat | str, AfterValidator(seconds_of)] | None = Field(
        default=None, validation_alias=AliasChoices("keep_alive", "ttl")
    )

    @property
    def keeps(self) -> float | None:
        """``keep_alive`` in seconds."""
        return None if self.keep_alive is None else seconds_of(self.keep_alive)
