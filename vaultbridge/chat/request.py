"""What a client wants answered."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from vaultbridge.chat.format import Format
from vaultbridge.core.dialogue import Prompt, Sampling
from vaultbridge.core.notes import NotePath
from vaultbridge.core.search import Scope

GroundingMode = Literal["auto", "always", "off"]
SourcesMode = Literal["field", "markdown", "none"]


@dataclass(frozen=True, slots=True)
class Request:
    """What a client wants. ``k`` counts chunks; ``note`` is the one being edited and left out.

    ``editor``: the answer will stand in a note. ``hygiene`` False: the client gets the model's text untouched.
    ``format`` None: the one for the model. ``model`` is the id of one that is served; another is the usual one.
    ``keep_alive``: seconds that it stays loaded from then on when nobody asks it; None: as it was.
    """

    prompt: Prompt
    sampling: Sampling = field(default_factory=Sampling)
    grounding: GroundingMode = "auto"
    scope: Scope = field(default_factory=Scope)
    k: int = 8
    sources: SourcesMode = "field"
    note: NotePath | None = None
    editor: bool = False
    hygiene: bool = True
    format: Format | None = None
    model: str = ""
    keep_alive: float | None = None
