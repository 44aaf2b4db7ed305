"""Fields of OpenAI's bodies."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from vaultbridge.server.bounds import MOST_TOKENS, unquoted


def _limit(value: Any) -> Any:
    value = unquoted(value)
    if not isinstance(value, (int, float)) or isinstance(value, bool) or value != value:
        return value
    return None if value < 1 else min(value, MOST_TOKENS)


Limit = Annotated[Annotated[int, Field(ge=1)] | None, BeforeValidator(_limit, json_schema_input_type=int | None)]
"""A number of tokens; -1 and 0 are what some clients send for no limit."""
