"""Which models to run, where the settings leave it open or name them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from vaultbridge.catalog.catalog import Entry
from vaultbridge.catalog.local import LocalModel, is_gemma
from vaultbridge.catalog.supply import Model, Supply

AUTO = "auto"
NONE = "none"


def choose_generator(wanted: str, supply: Supply) -> Model | None:
    """The chat model: a name or a file, none, or (``auto``) the largest fetched one that is no starter, else a starter.

    Raises ModelMissing or ModelInvalid for a model that is named and cannot be had.
    """
    if wanted == NONE:
        return None
    if wanted != AUTO:
        return supply.resolve(wanted, "chat")
    best = _best(supply, (entry for entry in supply.catalog.entries if entry.role == "chat"))
    if best is None or best.starter:
        own = [model for model in supply.folder.own() if model.role == "chat"]
        if own:
            return supply.resolve(max(own, key=lambda model: model.size).name, "chat")
    return supply.resolve(best.name, "chat") if best else None


def offered_gemma(supply: Supply) -> LocalModel | None:
    """The largest Gemma that another program has on this computer, for a user who has fetched no better chat model."""
    statuses, others = supply.statuses(), supply.others()
    fetched = [status.entry.role for status in statuses if status.present and not status.entry.starter]
    fetched += [model.role for model in others if supply.is_ours(model) and model.role]
    if "chat" in fetched:
        return None
    known = [status.found for status in statuses if status.found]
    gemmas = [model for model in (*others, *known) if is_gemma(model)]
    return max(gemmas, key=lambda model: model.size, default=None)


def choose_embedder(wanted: str, supply: Supply, has_cjk: Callable[[], bool]) -> tuple[Model | None, str]:
    """The embedder, or none and why. ``auto`` never takes an English one for a vault that ``has_cjk``.

    Raises as ``choose_generator``.
    """
    if wanted == NONE:
        return None, ""
    if wanted != AUTO:
        return supply.resolve(wanted, "embedder"), ""
    embedders = [entry for entry in supply.catalog.entries if entry.role == "embedder" and not entry.starter]
    best = _best(supply, embedders)
    if best and best.languages and has_cjk():
        best = _best(supply, (entry for entry in embedders if not entry.languages))
    if best:
        return supply.resolve(best.name, "embedder"), ""
    starter = supply.starter_embedder(has_cjk())
    if starter is None:
        return None, "No embedder for this vault's language runs here; search is by keyword. Fetch bge-m3."
    if not supply.folder.is_present(starter):
        return None, f"No embedder is fetched; search is by keyword. Fetch one: vaultbridge models pull {starter.name}"
    return supply.resolve(starter.name, "embedder"), ""


def choose_reranker(wanted: str, supply: Supply) -> Model | None:
    """The reranker: a name, a file or folder, an address, none, or (``auto``) the largest fetched one.

    Raises as ``choose_generator``.
    """
    if wanted == NONE:
        return None
    if wanted != AUTO:
        return supply.resolve(wanted, "reranker")
    best = _best(supply, (entry for entry in supply.catalog.entries if entry.role == "reranker"))
    return supply.resolve(best.name, "reranker") if best else None


def _best(supply: Supply, entries: Iterable[Entry]) -> Entry | None:
    present = [entry for entry in entries if supply.folder.is_present(entry)]
    return max(present, key=lambda entry: (not entry.starter, entry.size), default=None)
