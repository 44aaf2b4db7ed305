"""``vaultbridge models info`` and ``recommend``: what a model takes and gives on this computer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vaultbridge.cli.console import out, print_json, size
from vaultbridge.cli.options import ConfigOption, JsonOption, settings_of
from vaultbridge.core.errors import VaultbridgeError

if TYPE_CHECKING:
    from vaultbridge.catalog.recommend import Candidate
    from vaultbridge.catalog.supply import Model, ModelStatus, Supply
    from vaultbridge.settings import Settings

_DEPTH = 256
"""Tokens before the one whose speed is told: a short question."""


def models_info(
    model: Annotated[
        str, typer.Argument(metavar="NAME|FILE", help="A name from the list, or a .gguf file; +ADAPTER behind it.")
    ],
    context: Annotated[int | None, typer.Option(min=1, help="Tokens of context.", show_default=False)] = None,
    slots: Annotated[int | None, typer.Option(min=1, help="Conversations at a time.", show_default=False)] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """One model: what it is for, and what it takes and gives on this computer."""
    from vaultbridge.fitted import header_of
    from vaultbridge.wiring import supply_of

    settings = settings_of(config, engine__context=context, engine__slots=slots)
    supply = supply_of(settings)
    status = supply.status(model) if model in supply.catalog else None
    file = _gguf_model(model, supply, status)
    view = _entry_view(status) if status else {"name": file.name if file else model}
    if file:
        view |= _file_view(header_of(file), settings) | _draft_view(file, supply, settings)
    if as_json:
        print_json(view)
        return
    for line in (*_entry_lines(view), *_file_lines(view)):
        out.print(line)


def models_recommend(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """The best Gemma of the catalogue for this computer, and why."""
    from vaultbridge.backends.memory import memory
    from vaultbridge.catalog.recommend import recommend
    from vaultbridge.engine.aside import call_aside
    from vaultbridge.fitted import LLAMA_BUILD
    from vaultbridge.lab.bandwidth import quick_bandwidth
    from vaultbridge.wiring import supply_of

    build = call_aside(LLAMA_BUILD)
    bandwidth = quick_bandwidth(build.threads)
    found = recommend(supply_of(settings_of(config)).catalog.entries, memory(build), bandwidth, build.threads)
    if as_json:
        views = [_candidate_view(candidate) for candidate in (found.best, *found.others)]
        print_json({"recommended": found.best.entry.name, "bandwidth": round(bandwidth), "models": views})
        return
    best = found.best
    out.print(f"{best.entry.name}: {best.entry.summary}")
    out.print(f"  {best.obstacle or _promise(best)}; memory is read at {size(bandwidth)}/s")
    out.print(f"  vaultbridge models pull {best.entry.name}   ({size(best.entry.size)}, {best.entry.licence})")
    for other in found.others:
        out.print(f"Not {other.entry.name}: {other.obstacle or f'smaller than {best.entry.name}'}")


def _gguf_model(model: str, supply: Supply, status: ModelStatus | None) -> Model | None:
    """What to look into; None for a model that is not here, or is no GGUF file. Raises ModelMissing, ModelInvalid."""
    if status is None:
        return supply.resolve(model, "chat")
    here = status.entry.is_gguf and (status.present or status.found)
    return supply.resolve(model, status.entry.role) if here else None


def _entry_view(status: ModelStatus) -> dict[str, Any]:
    from vaultbridge.catalog.supply import how_to_fetch

    entry, found = status.entry, status.found
    fields = ("name", "role", "title", "licence", "size", "memory", "starter", "note")
    return {name: getattr(entry, name) for name in fields} | {
        "present": status.present,
        "on_disk": status.on_disk,
        "path": str(found.path if found else status.path) if status.present or found else "",
        "how_to_fetch": how_to_fetch(entry),
    }


def _file_view(header: Any, settings: Settings) -> dict[str, Any]:
    """What the file's own metadata say, and what follows for this computer."""
    from vaultbridge.backends.memory import memory
    from vaultbridge.catalog.fitting import plan
    from vaultbridge.catalog.footprint import weights_by_type
    from vaultbridge.catalog.model_bytes import ModelBytes
    from vaultbridge.catalog.speed import expected_speed
    from vaultbridge.engine.aside import call_aside
    from vaultbridge.fitted import LLAMA_BUILD, wish_of
    from vaultbridge.lab.bandwidth import quick_bandwidth

    build = call_aside(LLAMA_BUILD)
    here = memory(build)
    planned = plan(header, here, wish_of(settings.engine), repacked=build.repacked)
    model = ModelBytes.of(header)
    on_gpu = build.gpu is not None and planned.gpu_layers != 0
    threads = settings.engine.threads or build.threads
    bandwidth = None if on_gpu else quick_bandwidth(threads)
    windows = [layer.window for layer in model.layers if layer.window < math.inf]
    heads = header.get("attention.head_count", 0)
    return {
        "architecture": header.architecture,
        "parameters": model.parameters,
        "layers": len(model.layers),
        "heads": heads,
        "kv_heads": header.get("attention.head_count_kv", heads),
        "trained_context": header.get("context_length", 0),
        "weights": weights_by_type(header),
        "cache_bytes_per_token": round(model.kept(1, settings.engine.kv_type)),
        "window": {"tokens": windows[0], "layers": len(windows)} if windows else None,
        "plan": {
            "context": planned.context,
            "slots": planned.slots,
            "cache": planned.cache,
            "gpu_layers": planned.gpu_layers if build.gpu else 0,
            "fits": planned.fits,
            "room": planned.room,
        },
        "memory_use": asdict(planned.footprint)
        | {"needed": planned.footprint.needed, "resident": planned.footprint.resident},
        "machine": asdict(here) | {"bandwidth": round(bandwidth) if bandwidth else None},
        "tokens_per_second": round(expected_speed(model, bandwidth, threads, _DEPTH, settings.engine.kv_type), 1)
        if bandwidth
        else None,
    }


def _draft_view(model: Model, supply: Supply, settings: Settings) -> dict[str, Any]:
    """The draft model of the settings, if there is one: what it takes, or why it cannot draft for this one."""
    from vaultbridge.catalog.choice import NONE
    from vaultbridge.catalog.drafting import drafting
    from vaultbridge.fitted import wish_of

    name = settings.models.draft
    if name == NONE:
        return {}
    try:
        found = drafting(name, model, supply, wish_of(settings.engine))
    except VaultbridgeError as error:
        return {"draft": {"name": name, "needed": 0, "obstacle": str(error)}}
    return {"draft": {"name": found.model.name, "needed": found.needed, "obstacle": ""}} if found else {}


def _entry_lines(view: Mapping[str, Any]) -> Iterator[str]:
    if "title" not in view:
        yield str(view["name"])
        return
    yield f"{view['name']}: {view['title']}"
    yield f"  role {view['role']}, licence {view['licence']}"
    yield f"  {size(view['size'])} to fetch, about {size(view['memory'])} of memory"
    yield f"  {'here: ' + view['path'] if view['path'] else view['how_to_fetch']}"
    if view["note"]:
        yield f"  {view['note']}"


def _file_lines(view: Mapping[str, Any]) -> Iterator[str]:
    if "architecture" not in view:
        return
    use, planned, machine = view["memory_use"], view["plan"], view["machine"]
    weights = ", ".join(f"{type_} {size(count)}" for type_, count in view["weights"].items())
    yield f"  model     {view['architecture']}, {view['parameters'] / 1e6:,.0f} million weights: {weights}"
    heads = "" if view["heads"] == view["kv_heads"] else f" over {_each(view['kv_heads'])} of keys and values"
    trained = f"trained on {view['trained_context']:,} tokens"
    yield f"  layers    {view['layers']}, {_each(view['heads'])} heads{heads}; {trained}"
    window = view["window"]
    local = f"; {window['layers']} layers look back {window['tokens']} tokens" if window else ""
    yield f"  cache     {view['cache_bytes_per_token'] / 1e3:,.1f} kB a token{local}"
    yield (
        f"  memory    {size(use['needed'])}: weights {size(use['weights'])}, cache {size(use['cache'])} for "
        f"{planned['cache']:,} tokens, work {size(use['work'])}, program {size(use['process'])}"
    )
    if use["copies"]:
        yield (
            f"            shown as {size(use['resident'])}: {size(use['copies'])} of the file stay mapped "
            "until the memory is needed"
        )
    if draft := view.get("draft"):
        yield "  draft     " + (draft["obstacle"] or f"{draft['name']}, {size(draft['needed'])} more")
    layers = planned["gpu_layers"]
    where = "on the CPU" if not layers else "on the GPU" if layers < 0 else f"{layers} layers on the GPU"
    yield f"  run with  {planned['context']:,} tokens of context, {planned['slots']} conversations, {where}"
    if planned["fits"]:
        yield f"  fits      yes: {size(planned['room'])} are free for it"
    else:
        yield f"  fits      no: {size(planned['room'])} are free for it; see: vaultbridge models recommend"
    if view["tokens_per_second"]:
        rate = f"memory is read at {size(machine['bandwidth'])}/s"
        yield f"  speed     about {view['tokens_per_second']} tokens/s, since {rate}"
    else:
        yield "  speed     not known before: how fast a GPU reads its memory cannot be measured from here"


def _each(count: int | list[int]) -> str:
    return str(count) if isinstance(count, int) else f"{min(count)} to {max(count)}"


def _candidate_view(candidate: Candidate) -> dict[str, Any]:
    entry = candidate.entry
    return {
        "name": entry.name,
        "size": entry.size,
        "memory": entry.memory,
        "tokens_per_second": round(candidate.speed, 1) if candidate.speed else None,
        "obstacle": candidate.obstacle,
    }


def _promise(candidate: Candidate) -> str:
    speed = f"about {candidate.speed:.0f} tokens/s" if candidate.speed else "on the GPU"
    return f"the largest that runs well here: {size(candidate.entry.memory)} of memory, {speed}"
