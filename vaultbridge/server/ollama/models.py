"""Which models there are, as Ollama tells of them. What is not known of a model is empty or zero."""

from __future__ import annotations

import hashlib
from datetime import datetime, timezone
from typing import Any, Literal

from typing_extensions import TypedDict

from vaultbridge.core.errors import UnknownModel
from vaultbridge.engine.berth import Loaded
from vaultbridge.server.services import EXTRACTIVE, ModelFacts, Services

_NEVER = "9999-12-31T23:59:59Z"
"""When a model is unloaded that stays loaded."""
_ARCHITECTURE = "vaultbridge"
"""Under this name stands what is known of the numbers of a model."""

Capability = Literal["completion", "tools", "embedding"]


class DetailsView(TypedDict):
    """What a model is made of."""

    parent_model: str
    format: str
    family: str
    families: list[str]
    parameter_size: str
    quantization_level: str


class ModelView(TypedDict):
    """A model that is served; the ``digest`` stands for its name, not for its content."""

    name: str
    model: str
    modified_at: str
    size: int
    digest: str
    details: DetailsView
    capabilities: list[Capability]


class TagsView(TypedDict):
    """All of them."""

    models: list[ModelView]


class RunningView(TypedDict):
    """A model that is loaded."""

    name: str
    model: str
    size: int
    digest: str
    details: DetailsView
    expires_at: str
    size_vram: int
    context_length: int


class ProcessesView(TypedDict):
    """All of them."""

    models: list[RunningView]


class ShowView(TypedDict):
    """One model."""

    modelfile: str
    parameters: str
    template: str
    modified_at: str
    details: DetailsView
    model_info: dict[str, Any]
    capabilities: list[Capability]


def tags(services: Services) -> TagsView:
    """Each language model in its three forms, the embedder and the reranker."""
    return {"models": [_tag(services, name) for name in services.names.ids]}


def show(services: Services, name: str) -> ShowView:
    """One model. Another name than those served means the chat model, unless names are strict: raises UnknownModel."""
    names = services.names
    if name not in names.ids:
        if names.strict:
            raise UnknownModel(f"The model {name!r} is not served here.", "See /api/tags.", param="model")
        name = names.generator
    facts = services.facts(names.base(name))
    info: dict[str, Any] = {"general.architecture": _ARCHITECTURE, "general.basename": name}
    if facts.context:
        info[f"{_ARCHITECTURE}.context_length"] = facts.context
    return {
        "modelfile": "",
        "parameters": "",
        "template": "",
        "modified_at": _time(facts.modified),
        "details": _details(facts),
        "model_info": info,
        "capabilities": _capabilities(services, name),
    }


def running(services: Services) -> ProcessesView:
    """The models that are loaded at this moment."""
    ids = {"embedder": services.names.embedder, "reranker": services.names.reranker}
    search = [
        Loaded(ids[model.name], expires=model.expires) for model in services.search_models if model.state == "ready"
    ]
    return {"models": [_running(services, one) for one in (*services.fleet.loaded(), *search)]}


def _tag(services: Services, name: str) -> ModelView:
    facts = services.facts(services.names.base(name))
    return {
        "name": name,
        "model": name,
        "modified_at": _time(facts.modified),
        "size": facts.size,
        "digest": _digest(name),
        "details": _details(facts),
        "capabilities": _capabilities(services, name),
    }


def _running(services: Services, one: Loaded) -> RunningView:
    facts = services.facts(one.name)
    return {
        "name": one.name,
        "model": one.name,
        "size": one.needed or facts.size,
        "digest": _digest(one.name),
        "details": _details(facts),
        "expires_at": _NEVER if one.expires is None else _time(one.expires),
        "size_vram": 0,
        "context_length": one.context or facts.context,
    }


def _capabilities(services: Services, name: str) -> list[Capability]:
    names, base = services.names, services.names.base(name)
    # Passages, which are served where there is no model, call no tools.
    chats: list[Capability] = ["completion"] if base == EXTRACTIVE else ["completion", "tools"]
    embeds: list[Capability] = ["embedding"] if name == names.embedder else []
    return [*(chats if base in names.generators else ()), *embeds]


def _details(facts: ModelFacts) -> DetailsView:
    return {
        "parent_model": "",
        "format": facts.format,
        "family": "",
        "families": [],
        "parameter_size": "",
        "quantization_level": "",
    }


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat().replace("+00:00", "Z")


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()
