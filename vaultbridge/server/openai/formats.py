"""The form of an answer: free, JSON, or JSON after a schema."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from vaultbridge.core.dialogue import Grammar
from vaultbridge.core.errors import InvalidRequest
from vaultbridge.server.bounds import JsonObject

FormatType = Literal["text", "json_object", "json_schema"]


class JsonSchema(BaseModel):
    """OpenAI's wrapping of a schema; ``strict`` or not, it is kept to."""

    model_config = ConfigDict(extra="ignore")

    name: Annotated[str, Field(min_length=1)]
    description: str | None = None
    of: JsonObject | None = Field(default=None, alias="schema")
    strict: bool | None = None


class ResponseFormat(BaseModel):
    """The form of a chat's answer; beside ``json_object`` a schema may stand, as llama-server has it."""

    model_config = ConfigDict(extra="ignore")

    type: FormatType = "text"
    json_schema: JsonSchema | None = None
    of: JsonObject | None = Field(default=None, alias="schema")

    def to_grammar(self) -> Grammar | None:
        """The same in the house's words; None: any text. Raises InvalidRequest."""
        if self.type == "json_schema" and self.json_schema is None:
            raise InvalidRequest(
                "A response_format of type 'json_schema' needs the field 'json_schema'.",
                "Put name and schema into it.",
                param="response_format.json_schema",
            )
        return _grammar(self.type, self.json_schema.of if self.json_schema and self.type == "json_schema" else self.of)


class TextFormat(BaseModel):
    """The same as the Responses API has it: flat."""

    model_config = ConfigDict(extra="ignore")

    type: FormatType = "text"
    name: str | None = None
    description: str | None = None
    of: JsonObject | None = Field(default=None, alias="schema")
    strict: bool | None = None

    def to_grammar(self) -> Grammar | None:
        """The same in the house's words; None: any text. Raises InvalidRequest."""
        if self.type == "json_schema" and not (self.name and self.of is not None):
            raise InvalidRequest(
                "A format of type 'json_schema' needs a name and a schema.",
                param=f"text.format.{'schema' if self.name else 'name'}",
            )
        return _grammar(self.type, self.of)


def _grammar(kind: FormatType, schema: dict[str, Any] | None) -> Grammar | None:
    return None if kind == "text" else Grammar("json_schema", json.dumps(schema or {"type": "object"}))
