"""``vaultbridge index`` and ``vaultbridge status``."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from vaultbridge.cli.console import err, out, print_json, progress_bar
from vaultbridge.cli.options import (
    BackendOption,
    ConfigOption,
    DataOption,
    EmbedderOption,
    JsonOption,
    VaultOption,
    settings_of,
)
from vaultbridge.core.errors import ConfigError, VaultbridgeError

if TYPE_CHECKING:
    from vaultbridge.place import Place
    from vaultbridge.server.client import Client
    from vaultbridge.settings import Settings
    from vaultbridge.wiring import House


def index(
    vault: VaultOption = None,
    data: DataOption = None,
    embedder: EmbedderOption = None,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Throw the index away first.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Go on following the vault.")] = False,
    backend: BackendOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring the index up to date with the vault, with a progress bar."""
    settings = settings_of(
        config, vault=vault, data=data, models__embedder=embedder, models__backend=backend, models__generator="none"
    )
    asyncio.run(_index(settings, rebuild, watch, as_json))


async def _index(settings: Settings, rebuild: bool, watch: bool, as_json: bool) -> None:
    from vaultbridge.place import client_of, place_of
    from vaultbridge.server.vault.views import status_view
    from vaultbridge.wiring import open_house

    place = place_of(settings)
    if client := client_of(place):
        if rebuild:
            raise ConfigError("A server uses this index.", "Stop it before --rebuild.")
        async with client:
            await _wait_for_server(client, as_json)
        return
    async with open_house(settings, watch=watch, rebuild=rebuild) as house:
        if watch:
            err.print(f"Following {place.vault.name}. Ctrl-C stops it.")
            await asyncio.Event().wait()
        working = asyncio.create_task(house.synced())
        with progress_bar(quiet=as_json) as bar:
            notes = bar.add_task("Reading notes", total=None)
            vectors = bar.add_task("Embedding", total=None, visible=False)
            while not working.done():
                progress, pending = house.indexer.progress, house.indexer.freshness.pending
                if progress.total:
                    bar.update(notes, completed=progress.done, total=progress.total)
                if pending or house.backfill.embedded:
                    done = house.backfill.embedded
                    bar.update(vectors, completed=done, total=done + pending, visible=True)
                await asyncio.wait([working], timeout=0.2)
            done = house.backfill.embedded
            bar.update(notes, completed=house.indexer.progress.total, total=house.indexer.progress.total)
            bar.update(vectors, completed=done, total=done)
        await working
        _print_status(await status_view(house.services), as_json)


VECTOR_PATIENCE_SECONDS = 8.0


async def nearly_synced(house: House) -> None:
    """In sync for keyword search; vectors are waited for a moment only, and what lacks then is said.

    An embedder that fails is no reason not to answer: the keyword lane is left.
    """
    await house.indexer.sync()
    try:
        await asyncio.wait_for(house.indexer.settled(), VECTOR_PATIENCE_SECONDS)
    except VaultbridgeError as error:
        err.print(f"(No new vectors: {error})", style="dim")
    except asyncio.TimeoutError:
        counts = await house.store.counts()
        err.print(
            f"(Vectors: {counts.vectors} of {counts.chunks} passages. `vaultbridge index` makes the rest.)", style="dim"
        )


RERANKER_PATIENCE_SECONDS = 60.0


async def reranker_loaded(house: House) -> None:
    """The reranker is waited for, since it would rank nothing while it loads; without it there is an order, too."""
    if house.services.reranker is None:
        return
    try:
        await asyncio.wait_for(house.services.reranker.ready(), RERANKER_PATIENCE_SECONDS)
    except (VaultbridgeError, asyncio.TimeoutError) as error:
        err.print(f"(Not reranked: {error or 'the reranker is still loading'})", style="dim")


async def _wait_for_server(client: Client, as_json: bool) -> None:
    with progress_bar(quiet=as_json) as bar:
        task = bar.add_task("The running server indexes", total=None)
        while True:
            status = await client.get("/vault/status")
            if problem := status["problems"].get("index"):
                raise VaultbridgeError(f"The server cannot index: {problem}")
            freshness, counts = status["freshness"], status["counts"]
            bar.update(task, completed=counts["chunks"] - freshness["pending"], total=counts["chunks"])
            embedding = freshness["pending"] and not status["problems"].get("vectors")
            if freshness["visible"] == freshness["wanted"] > 0 and not embedding:
                break
            await asyncio.sleep(0.3)
    _print_status(status, as_json)


def status(
    note: Annotated[str | None, typer.Argument(help="One note: is it indexed, and if not, why?")] = None,
    vault: VaultOption = None,
    data: DataOption = None,
    embedder: EmbedderOption = None,
    backend: BackendOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say how much is indexed and how fresh it is."""
    settings = settings_of(
        config, vault=vault, data=data, models__embedder=embedder, models__backend=backend, models__generator="none"
    )
    asyncio.run(_status(settings, note, as_json))


async def _status(settings: Settings, note: str | None, as_json: bool) -> None:

    from vaultbridge.core.notes import NotePath
    from vaultbridge.place import client_of, place_of
    from vaultbridge.server.vault.views import note_view, status_view
    from vaultbridge.wiring import open_house

    place = place_of(settings)
    path = _note_path(place, note) if note else None
    if client := client_of(place):
        async with client:
            view = await client.get(f"/vault/notes/{quote(path)}" if path else "/vault/status")
    else:
        async with open_house(settings) as house:
            view = await (note_view(house.services, NotePath(path)) if path else status_view(house.services))
    if path is None:
        _print_status(view, as_json)
    elif as_json:
        print_json(view)
    elif view["indexed"]:
        out.print(f"{path}: indexed, {view['chunks']} chunks" + (f"; {view['reason']}" if view["reason"] else ""))
    else:
        out.print(f"{path}: not indexed: {view['reason']}")


def _note_path(place: Place, note: str) -> str:
    """A note as a path in the vault, given so, by its absolute path, or relative to here."""
    given = Path(note).expanduser()
    for path in (given if given.is_absolute() else place.vault / given, Path.cwd() / given):
        if path.exists() and path.resolve().is_relative_to(place.vault):
            return path.resolve().relative_to(place.vault).as_posix()
    return note


def _print_status(view: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(view)
        return
    counts, freshness = view["counts"], view["freshness"]
    out.print(f"{view['vault']['name']}: {counts['notes']} notes, {counts['chunks']} chunks")
    if counts["unreadable"]:
        out.print(f"  {counts['unreadable']} notes have a problem: vaultbridge status NOTE says which")
    embedder = view["models"]["embedder"] or "none"
    out.print(f"  vectors: {counts['vectors']} of {counts['chunks']} chunks (embedder {embedder})")
    if freshness["visible"] < freshness["wanted"]:
        out.print("  changes are being read")
    for place, problem in view["problems"].items():
        out.print(f"  {place}: {problem}")
