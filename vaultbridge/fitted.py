"""The engine's settings as they are run: what the user left open is chosen so that the model fits this computer."""

from __future__ import annotations

from dataclasses import dataclass, replace

from vaultbridge.backends.llama_files import gpu_kinds
from vaultbridge.backends.memory import memory
from vaultbridge.catalog.adapter import adapted
from vaultbridge.catalog.drafting import Drafting
from vaultbridge.catalog.fitting import ALL_LAYERS, MOST_SLOTS, USUAL_CONTEXT, Plan, Wish, plan
from vaultbridge.catalog.gguf_header import GgufHeader
from vaultbridge.catalog.supply import Model
from vaultbridge.core.errors import ModelInvalid, WorkerLost
from vaultbridge.core.machine import Memory
from vaultbridge.engine.aside import call_aside
from vaultbridge.settings import EngineSettings

LLAMA_BUILD = "vaultbridge.backends.llama_devices:build"


@dataclass(frozen=True, slots=True)
class FittedEngine:
    """``engine`` with nothing left open, a line that says what was chosen, and the bytes that it takes.

    The line is empty where there was nothing to choose, and the bytes are 0 where nobody knows them.
    """

    engine: EngineSettings
    chosen: str = ""
    fits: bool = True
    needed: int = 0


def wish_of(engine: EngineSettings) -> Wish:
    """What the settings ask for."""
    return Wish(
        engine.context,
        engine.slots,
        engine.cache,
        engine.gpu_layers,
        engine.kv_type,
        engine.swa_full,
        min(engine.ubatch, engine.batch),
    )


def header_of(model: Model) -> GgufHeader:
    """What a language model's file says of itself, its adapter's weights included. Raises ModelInvalid."""
    header, adapter = GgufHeader.read(model.path), model.options.get("adapter")
    return adapted(header, GgufHeader.of_file(adapter)) if adapter else header


def machine() -> Memory:
    """This computer's memory. Asking llama.cpp itself takes a second, and only a GPU is worth it."""
    try:
        return memory(call_aside(LLAMA_BUILD)) if gpu_kinds() else memory()
    except WorkerLost:
        return memory()


def fitted(
    engine: EngineSettings,
    model: Model,
    others: int = 0,
    here: Memory | None = None,
    draft: Drafting | None = None,
) -> FittedEngine:
    """Choose for ``model`` beside ``others``, bytes of models that run too, as if the memory were as it is ``here``.

    What drafts for it is a part of it. A file that cannot be read is left to the process that loads it, which says why.
    """
    usual = {"context": engine.context or USUAL_CONTEXT, "slots": engine.slots or MOST_SLOTS}
    if model.backend != "llama":
        return FittedEngine(engine.model_copy(update=usual))
    try:
        header = header_of(model)
        beside = draft.needed if draft else 0
        found = plan(header, _without(here or machine(), beside), wish_of(engine), others)
    except ModelInvalid:
        return FittedEngine(engine.model_copy(update=usual))
    chosen = {name: getattr(found, name) for name in ("context", "slots", "cache", "gpu_layers")}
    line = describe(model.name, found)
    if draft:
        line += f", and {beside / 1e9:.1f} GB for {draft.model.name}, which drafts"
    return FittedEngine(engine.model_copy(update=chosen), line, found.fits, found.footprint.needed + beside)


def _without(memory: Memory, taken: int) -> Memory:
    """What is left of it: a card's own memory is taken first."""
    on_card = min(taken, memory.gpu)
    return replace(memory, gpu=memory.gpu - on_card, available=memory.available - (taken - on_card))


def describe(name: str, found: Plan) -> str:
    """A plan in a line."""
    layers = {0: "on the CPU", ALL_LAYERS: "on the GPU"}.get(
        found.gpu_layers, f"{found.gpu_layers} of {found.layers} layers on the GPU"
    )
    needed, room = found.footprint.needed / 1e9, found.room / 1e9
    size = f"{needed:.1f} of {room:.1f} GB that are free"
    if not found.fits:
        size = f"{needed:.1f} GB where {room:.1f} are free, so it will be slow (see: vaultbridge models recommend)"
    return f"{name}: {found.context:,} tokens of context, {found.slots} conversations, {layers}, {size}"
