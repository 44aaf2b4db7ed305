"""``vaultbridge models``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vaultbridge.cli.console import out, print_json, progress_bar, size
from vaultbridge.cli.options import ConfigOption, JsonOption, settings_of

if TYPE_CHECKING:
    pass

if TYPE_CHECKING:
    from vaultbridge.catalog.supply import ModelStatus, Supply

models_app = typer.Typer(help="The models: list, fetch, describe, remove.", no_args_is_help=True, rich_markup_mode=None)


def _supply(config: Path | None) -> Supply:
    from vaultbridge.catalog.folder import ModelFolder
    from vaultbridge.catalog.supply import Supply

    return Supply(folder=ModelFolder(settings_of(config).models.folder))


@models_app.command("list")
def models_list(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """What the catalogue has, and what is fetched."""
    statuses = _supply(config).statuses()
    if as_json:
        print_json([_model_view(status) for status in statuses])
        return
    for status in statuses:
        entry = status.entry
        mark = "fetched" if status.present else f"{size(entry.size)} to fetch"
        out.print(f"{entry.name:<24} {entry.role:<11} {mark:<18} {entry.title}")


@models_app.command("info")
def models_info(
    name: Annotated[str, typer.Argument(help="A name from the list.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """One model: what it is for, its size, memory and licence."""
    view = _model_view(_supply(config).status(name))
    if as_json:
        print_json(view)
        return
    out.print(f"{view['name']}: {view['title']}")
    out.print(f"  role {view['role']}, licence {view['licence']}")
    out.print(f"  {size(view['size'])} to fetch, about {size(view['memory'])} of memory")
    out.print(f"  {'fetched: ' + view['path'] if view['present'] else view['how_to_fetch']}")
    if view["note"]:
        out.print(f"  {view['note']}")


def _model_view(status: ModelStatus) -> dict[str, Any]:
    from vaultbridge.catalog.supply import how_to_fetch

    entry = status.entry
    fields = ("name", "role", "title", "licence", "size", "memory", "starter", "note")
    return {name: getattr(entry, name) for name in fields} | {
        "present": status.present,
        "on_disk": status.on_disk,
        "path": str(status.path) if status.present else "",
        "how_to_fetch": how_to_fetch(entry),
    }


@models_app.command("pull")
def models_pull(
    names: Annotated[list[str], typer.Argument(help="Names from the list.")], config: ConfigOption = None
) -> None:
    """Fetch models."""
    supply = _supply(config)
    for name in names:
        with progress_bar(quiet=False) as bar:
            task = bar.add_task(name, total=None)

            def show(stage: str, done: int, total: int, name: str = name, bar: Any = bar, task: Any = task) -> None:
                bar.update(task, description=f"{name}: {stage}", completed=done // 1_000_000, total=total // 1_000_000)

            supply.pull(name, show)
        entry = supply.status(name).entry
        out.print(f"{name} is here." + (f" {entry.note}" if entry.note else ""))


@models_app.command("remove")
def models_remove(
    name: Annotated[str, typer.Argument(help="A name from the list.")], config: ConfigOption = None
) -> None:
    """Delete a fetched model's files."""
    supply = _supply(config)
    removed = supply.folder.remove(supply.catalog.get(name))
    out.print(f"{name} is removed." if removed else f"{name} was not here.")
