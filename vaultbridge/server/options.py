"""Our own keys in a request: the ``vaultbridge`` object of a body, or ``X-Vaultbridge-*`` headers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError
from starlette.datastructures import Headers

from vaultbridge.chat.service import GroundingMode, SourcesMode
from vaultbridge.core.errors import InvalidRequest
from vaultbridge.core.notes import NotePath
from vaultbridge.core.search import Scope
from vaultbridge.server.guard import OBSIDIAN_ORIGINS

MOST_CHUNKS = 50


@dataclass(frozen=True, slots=True)
class Defaults:
    """What holds where a request says nothing."""

    grounding: GroundingMode = "auto"
    k: int = 8
    sources: Literal["auto", "field", "markdown", "none"] = "auto"


class ScopeBody(BaseModel):
    """Which notes may be seen; empty lists do not restrict."""

    model_config = ConfigDict(extra="ignore")

    folders: list[str] = []
    tags: list[str] = []
    notes: list[str] = []
    exclude: list[str] = []
    since: FiniteFloat | None = None
    until: FiniteFloat | None = None

    def to_scope(self) -> Scope:
        """The same in the house's words."""
        return Scope(
            folders=tuple(folder.strip("/") for folder in self.folders),
            tags=tuple(tag.lstrip("#") for tag in self.tags),
            notes=tuple(NotePath(note) for note in self.notes),
            exclude=tuple(NotePath(note) for note in self.exclude),
            since=self.since,
            until=self.until,
        )


class VaultOptions(BaseModel):
    """The ``vaultbridge`` object."""

    model_config = ConfigDict(extra="ignore")

    grounding: GroundingMode | None = None
    scope: ScopeBody = Field(default_factory=ScopeBody)
    k: int | None = Field(default=None, ge=1, le=MOST_CHUNKS)
    sources: Literal["auto", "field", "markdown", "none"] | None = None
    note: str | None = None
    hygiene: Literal["auto", "off"] | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """What holds for one request."""

    grounding: GroundingMode
    scope: Scope
    k: int
    sources: SourcesMode
    note: NotePath | None
    editor: bool
    hygiene: bool


def choose(
    body: VaultOptions | None, headers: Headers, model: str, defaults: Defaults, structured: bool = False
) -> Chosen:
    """Join model id, body, headers and defaults, the first that speaks wins.

    ``sources: auto`` is the field for a body that has our key, and a line of text for one that has not;
    ``structured`` answers carry none in their text, and nothing in them is changed. Raises InvalidRequest for a header
    that makes no sense.
    """
    options = body or _from_headers(headers)
    grounding = options.grounding or defaults.grounding if options else defaults.grounding
    if model.endswith("@vault"):
        grounding = "always"
    elif model.endswith("@plain"):
        grounding = "off"
    asked = (options.sources if options else None) or defaults.sources
    sources: SourcesMode = asked if asked != "auto" else "field" if body else "markdown"
    return Chosen(
        grounding=grounding,
        scope=options.scope.to_scope() if options else Scope(),
        k=(options.k if options else None) or defaults.k,
        sources="none" if structured else sources,
        note=NotePath(options.note) if options and options.note else None,
        editor=bool(options and options.note) or headers.get("origin") in OBSIDIAN_ORIGINS,
        hygiene=not (structured or model.endswith("@plain") or (options and options.hygiene == "off")),
    )


def _from_headers(headers: Headers) -> VaultOptions | None:
    prefix = "x-vaultbridge-"
    given = {name[len(prefix) :]: value for name, value in headers.items() if name.startswith(prefix)}
    given = {name: value for name, value in given.items() if name in ("grounding", "k", "sources", "note", "hygiene")}
    if not given:
        return None
    try:
        return VaultOptions.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        name = prefix + str(first["loc"][0])
        raise InvalidRequest(f"{name}: {first['msg']}.", param=name) from error
