"""The ids that are served."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

from vaultbridge.core.errors import UnknownModel
from vaultbridge.server.services import ModelNames


class ModelCard(TypedDict):
    """A model; ``created`` is not known."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelsView(TypedDict):
    """Each language model as it is, always grounded and never grounded, the embedder and the reranker."""

    object: Literal["list"]
    data: list[ModelCard]


def models_view(names: ModelNames) -> ModelsView:
    """All of them."""
    return {"object": "list", "data": [_card(name) for name in names.ids]}


def model_view(names: ModelNames, name: str) -> ModelCard:
    """One of them. Raises UnknownModel."""
    if name not in names.ids:
        raise UnknownModel(f"The model {name!r} is not served here.", "See /v1/models.", param="model")
    return _card(name)


def _card(name: str) -> ModelCard:
    return {"id": name, "object": "model", "created": 0, "owned_by": "vaultbridge"}
