"""Functions that a client offers, and which of them shall be called."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from vaultbridge.core.dialogue import Tool
from vaultbridge.core.errors import InvalidRequest
from vaultbridge.server.bounds import JsonObject


def _runs_at_the_client(kind: Any) -> Any:
    if kind != "function":
        raise PydanticCustomError(
            "tool_type",
            "A tool of type {kind} cannot be had here, only functions of the client's",
            {"kind": repr(kind)},
        )
    return kind


FunctionType = Annotated[
    Literal["function"], BeforeValidator(_runs_at_the_client, json_schema_input_type=Literal["function"])
]
ToolMode = Literal["none", "auto", "required"]


class FunctionBody(BaseModel):
    """A function's name and what it takes."""

    model_config = ConfigDict(extra="ignore")

    name: Annotated[str, Field(pattern=r"^[\w.:/-]{1,128}$")]
    description: str | None = None
    parameters: JsonObject | None = None
    strict: bool | None = None

    def to_tool(self) -> Tool:
        """The same in the house's words."""
        return Tool(self.name, self.description or "", self.parameters or {}, bool(self.strict))


class ToolBody(BaseModel):
    """A function as chat completions wrap it."""

    model_config = ConfigDict(extra="ignore")

    type: FunctionType = "function"
    function: FunctionBody


class FlatToolBody(FunctionBody):
    """A function as the Responses API has it."""

    type: FunctionType


class FunctionName(BaseModel):
    """The name of a function."""

    model_config = ConfigDict(extra="ignore")

    name: str


class NamedTool(BaseModel):
    """The one function to be called, as chat completions say it."""

    model_config = ConfigDict(extra="ignore")

    type: Literal["function"] = "function"
    function: FunctionName

    @property
    def name(self) -> str:
        """Its name."""
        return self.function.name


class FlatNamedTool(FunctionName):
    """The same as the Responses API says it."""

    type: Literal["function"]


def offered(
    tools: Iterable[Tool], choice: ToolMode | NamedTool | FlatNamedTool | None
) -> tuple[tuple[Tool, ...], bool]:
    """The functions that may be called, and whether one of them must be.

    Raises InvalidRequest if there is none, or not the one that is named.
    """
    known = tuple(tools)
    if choice is None or choice == "auto":
        return known, False
    if choice == "none":
        return (), False
    asked = known if choice == "required" else tuple(tool for tool in known if tool.name == choice.name)
    if not asked:
        what = "a tool" if choice == "required" else f"the tool {choice.name!r}"
        raise InvalidRequest(f"The answer shall call {what}, and tools does not offer it.", param="tool_choice")
    return asked, True
