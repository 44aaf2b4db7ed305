"""Which model drafts for another one, and what it takes beside it."""

from __future__ import annotations

from dataclasses import dataclass

from vaultbridge.catalog.fitting import Wish
from vaultbridge.catalog.footprint import PROCESS, Footprint, Use
from vaultbridge.catalog.gguf_header import GgufHeader
from vaultbridge.catalog.supply import Model, Supply
from vaultbridge.catalog.vocabulary import difference
from vaultbridge.core.errors import ConfigError

CONTEXT = 2048
"""Tokens that a draft model looks back at, at the most."""
_BACKEND = "llama"


@dataclass(frozen=True, slots=True)
class Drafting:
    """``model`` drafts for another one in the same process, where it takes ``needed`` more bytes."""

    model: Model
    needed: int


def drafting(name: str, model: Model, supply: Supply, wish: Wish) -> Drafting | None:
    """The model of that name, or in that file, as a draft model for ``model``; None if it is that model itself.

    ``wish`` says how both are run. Raises ModelMissing or ModelInvalid as Supply does, and ConfigError for one that
    cannot draft for it.
    """
    draft = supply.resolve(name, "chat")
    if draft.path == model.path:
        return None
    if (draft.backend, model.backend) != (_BACKEND, _BACKEND):
        raise ConfigError(
            f"{draft.name} cannot draft for {model.name}: only GGUF models do.", "Answers go on without it."
        )
    if reason := difference(model.path, draft.path):
        raise ConfigError(
            f"{draft.name} cannot draft for {model.name}: their {reason}.",
            "Answers go on without it; choose a smaller model of the same family.",
        )
    footprint = Footprint.of(GgufHeader.read(draft.path), Use(CONTEXT, 1, wish.cache_type, batch=wish.batch))
    return Drafting(draft, footprint.needed - PROCESS)
