"""``vaultbridge index`` and ``vaultbridge status``."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterable, Mapping
from datetime import datetime
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
from vaultbridge.cli.progress import LOOK_SECONDS, IndexBars
from vaultbridge.core.errors import ConfigError, VaultbridgeError
from vaultbridge.vault.files import Vault

if TYPE_CHECKING:
    from rich.console import Console

    from vaultbridge.place import Place
    from vaultbridge.server.client import Client
    from vaultbridge.server.vault.verify import VerificationView
    from vaultbridge.settings import Settings
    from vaultbridge.wiring import House

STANDARD_OUTPUT = Path("-")


def index(
    vault: VaultOption = None,
    data: DataOption = None,
    embedder: EmbedderOption = None,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Throw the index away first.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Go on following the vault.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Compare it with the notes, and repair it.")] = False,
    dump: Annotated[
        Path | None, typer.Option("--dump", help="Write every row as a JSON line; `-`: to standard output.")
    ] = None,
    backend: BackendOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring the index up to date with the vault, with a progress bar."""
    if watch and (verify or dump):
        raise ConfigError("--watch has no end, after which --verify or --dump would come.", "Leave one of them out.")
    if as_json and dump == STANDARD_OUTPUT:
        raise ConfigError("--json and --dump would both write to standard output.", "Name a file: --dump FILE.")
    settings = settings_of(
        config, vault=vault, data=data, models__embedder=embedder, models__backend=backend, models__generator="none"
    )
    asyncio.run(_index(settings, rebuild, watch, verify, dump, as_json))


async def _index(
    settings: Settings, rebuild: bool, watch: bool, verify: bool, dump: Path | None, as_json: bool
) -> None:
    from vaultbridge.index.dump import dumped
    from vaultbridge.place import client_of, place_of
    from vaultbridge.server.vault.verify import verify_view
    from vaultbridge.server.vault.views import status_view
    from vaultbridge.wiring import open_house

    place = place_of(settings)
    if client := client_of(place):
        if rebuild or dump:
            raise ConfigError("A server uses this index.", f"Stop it before {'--rebuild' if rebuild else '--dump'}.")
        async with client:
            status = await _wait_for_server(client, as_json)
            if verify:
                _print_verification(await client.post("/vault/verify"), as_json)
            else:
                _print_status(status, as_json)
        return
    async with open_house(settings, watch=watch, rebuild=rebuild) as house:
        if watch:
            err.print(f"Following {place.vault.name}. Ctrl-C stops it.")
            await asyncio.Event().wait()
        working = asyncio.create_task(house.synced())
        with progress_bar(quiet=as_json) as bar:
            bars = IndexBars(bar, house.services.index)
            while not working.done():
                bars.update()
                await asyncio.wait([working], timeout=LOOK_SECONDS)
            bars.update()
        await working
        verification = await verify_view(house.services) if verify else None
        if dump is not None:
            _write(dumped(await house.store.rows()), dump)
        if verification is not None:
            _print_verification(verification, as_json, err if dump == STANDARD_OUTPUT else out)
        elif dump != STANDARD_OUTPUT:
            _print_status(await status_view(house.services), as_json)


def _write(lines: Iterable[str], file: Path) -> None:
    if file == STANDARD_OUTPUT:
        for line in lines:
            sys.stdout.write(line + "\n")
        return
    with file.open("w", encoding="utf-8", newline="\n") as opened:
        opened.writelines(line + "\n" for line in lines)


def _print_verification(view: VerificationView, as_json: bool, told: Console = out) -> None:
    """What was compared and found; ends with exit code 1 if it could not be repaired."""
    if as_json:
        print_json(view)
    else:
        for difference in view["found"]:
            told.print(f"{difference['note']}: {difference['what']}")
        notes, chunks = view["notes"], view["chunks"]
        if not view["found"]:
            told.print(f"The index equals the vault: {notes} notes, {chunks} chunks.")
        elif view["equal"]:
            told.print(f"{len(view['found'])} notes differed and were written again. {notes} notes, {chunks} chunks.")
        for difference in view["left"]:
            told.print(f"still not equal: {difference['note']}: {difference['what']}")
    if not view["equal"]:
        raise typer.Exit(1)


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


async def _wait_for_server(client: Client, as_json: bool) -> Mapping[str, Any]:
    """The status of a server once it is in sync."""
    with progress_bar(quiet=as_json) as bar:
        task = bar.add_task("The running server indexes", total=None)
        while True:
            status: Mapping[str, Any] = await client.get("/vault/status")
            if problem := status["problems"].get("index"):
                raise VaultbridgeError(f"The server cannot index: {problem}")
            freshness, counts = status["freshness"], status["counts"]
            bar.update(task, completed=counts["chunks"] - freshness["pending"], total=counts["chunks"])
            embedding = freshness["pending"] and not status["problems"].get("vectors")
            if freshness["visible"] == freshness["wanted"] > 0 and not embedding:
                return status
            await asyncio.sleep(0.3)


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
    else:
        out.print(f"{path}: {_told(view)}")


def _told(view: Mapping[str, Any]) -> str:
    """One note's status in words."""
    if not view["indexed"]:
        told = [f"not indexed: {view['reason']}"]
    else:
        told = [f"indexed at {_clock(view['indexed_at'])}, {view['chunks']} chunks, {view['vectors']} with a vector"]
        told += [view["reason"]] if view["reason"] else []
    if view["attempts"] and view["retry_at"]:
        told.append(f"{view['attempts']} failed readings, the next one at {_clock(view['retry_at'])}")
    return "; ".join(told)


def _clock(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds):%Y-%m-%d %H:%M:%S}"


def _note_path(place: Place, note: str) -> str:
    """A note as a path in the vault, given so, by its absolute path, or relative to here."""
    vault, given = Vault(place.vault), Path(note).expanduser()
    for path in (given if given.is_absolute() else place.vault / given, Path.cwd() / given):
        # A link is not followed: it is what the question is about.
        if os.path.lexists(path) and (inside := vault.note_path(path)) is not None:
            return inside
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
    for exclusion in view["exclusions"]:
        out.print(f"  {exclusion['notes']} notes left out: {exclusion['reason']}")
    for place, problem in view["problems"].items():
        out.print(f"  {place}: {problem}")
