"""The door: parse, load settings, wire, print. Only this file knows exit codes."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import AsyncExitStack
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from vaultbridge import __version__
from vaultbridge.core.errors import ConfigError, RequestError, VaultbridgeError

if TYPE_CHECKING:
    from vaultbridge.server.client import Client
    from vaultbridge.settings import Settings
    from vaultbridge.wiring import House, Place

app = typer.Typer(
    help="Answers grounded in your Obsidian vault, from a model on your own computer.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
models_app = typer.Typer(help="The models: list, fetch, describe, remove.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(models_app, name="models")

# What is printed is other people's text: no markup, and ``:tada:`` stays what it is.
out = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)

WORK_FAILED = 1
WRONG_USAGE = 2
INTERRUPTED = 130
VECTOR_PATIENCE_SECONDS = 8.0


class ModeName(str, Enum):
    """How to search."""

    hybrid = "hybrid"
    dense = "dense"
    keyword = "keyword"


VaultOption = Annotated[Path | None, typer.Option("--vault", help="The folder of notes.", show_default=False)]
DataOption = Annotated[Path | None, typer.Option("--data", help="Where the index is kept.", show_default=False)]
ConfigOption = Annotated[Path | None, typer.Option("--config", help="A settings file.", show_default=False)]
ModelOption = Annotated[
    str | None, typer.Option("--model", help="Chat model: a name, a .gguf file, `none`.", show_default=False)
]
EmbedderOption = Annotated[
    str | None, typer.Option("--embedder", help="Embedder: a name, a folder, `none`.", show_default=False)
]
BackendOption = Annotated[
    str | None, typer.Option("--backend", help="`fakes` runs everything without any model.", show_default=False)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]


def main() -> None:
    """Run the command line; every error becomes one line and an exit code."""
    try:
        app(standalone_mode=True)
    except VaultbridgeError as error:
        err.print(f"vaultbridge: {error.message}")
        if error.hint:
            err.print(f"  {error.hint}")
        sys.exit(WRONG_USAGE if isinstance(error, (ConfigError, RequestError)) else WORK_FAILED)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _version(asked: bool) -> None:
    if asked:
        out.print(f"vaultbridge {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more.")] = False,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO,
        format="%(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    for noisy in ("httpx", "httpcore", "watchdog", "asyncio", "filelock", "uvicorn"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _settings(config: Path | None, **flags: Any) -> Settings:
    from vaultbridge.settings import load_settings

    return load_settings(config, {name.replace("__", "."): value for name, value in flags.items()})


def _print_json(document: Any) -> None:
    print(json.dumps(document, ensure_ascii=False, indent=2))  # noqa: T201  rich would wrap it


def _run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


# --- serve ------------------------------------------------------------------------------------------------------


@app.command()
def serve(
    vault: VaultOption = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.", show_default=False)] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on (1234).", show_default=False)] = None,
    data: DataOption = None,
    model: ModelOption = None,
    embedder: EmbedderOption = None,
    context: Annotated[int | None, typer.Option(help="Tokens of context.", show_default=False)] = None,
    backend: BackendOption = None,
    config: ConfigOption = None,
) -> None:
    """Watch a vault and answer on localhost as OpenAI's API does."""
    settings = _settings(
        config,
        vault=vault,
        data=data,
        server__host=host,
        server__port=port,
        models__generator=model,
        models__embedder=embedder,
        models__backend=backend,
        engine__context=context,
    )
    _run(_serve(settings))


async def _serve(settings: Settings) -> None:
    from vaultbridge.server.app import Application
    from vaultbridge.server.guard import GuardOptions
    from vaultbridge.server.listen import Server
    from vaultbridge.server.port import claim, in_url, is_loopback
    from vaultbridge.wiring import announce, check_unused, open_house, place_of

    host, port = settings.server.host.strip("[]"), settings.server.port
    if not is_loopback(host) and not settings.server.token:
        raise ConfigError(
            f"On {host} everybody in the network could read the vault.", "Set server.token, or keep to 127.0.0.1."
        )
    place = place_of(settings)
    check_unused(place)
    hosts = (in_url(host), *settings.server.hosts)
    application = Application(GuardOptions(hosts, tuple(settings.server.origins), settings.server.token))
    server = Server(application)
    with claim(host, port, f"vaultbridge serve --vault {_shell(place.vault)}") as listener:
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            async with AsyncExitStack() as stack:
                # It answers /health while the index is opened.
                opening = asyncio.create_task(stack.enter_async_context(open_house(settings, watch=True)))
                try:
                    await asyncio.wait((opening, serving), return_when=asyncio.FIRST_COMPLETED)
                finally:
                    if not opening.done():
                        # Ctrl-C. A library that is being imported cannot be stopped, and nothing else is under way.
                        os._exit(0)
                house = await opening
                application.open(house.services)
                address = f"http://{'127.0.0.1' if host in ('0.0.0.0', '::') else in_url(host)}:{port}"
                announce(place, address, settings.server.token)
                err.print(f"vaultbridge serves {place.vault.name} at {address}/v1 ({house.chosen}). Ctrl-C stops it.")
                try:
                    await serving
                finally:
                    place.server_file.unlink(missing_ok=True)
        finally:
            server.stop()
            await serving


def _shell(path: Path) -> str:
    import shlex

    return shlex.quote(str(path))


# --- index ------------------------------------------------------------------------------------------------------


@app.command()
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
    settings = _settings(
        config, vault=vault, data=data, models__embedder=embedder, models__backend=backend, models__generator="none"
    )
    _run(_index(settings, rebuild, watch, as_json))


async def _index(settings: Settings, rebuild: bool, watch: bool, as_json: bool) -> None:
    from vaultbridge.server.vault.views import status_view
    from vaultbridge.wiring import open_house, place_of, running_server

    place = place_of(settings)
    if client := _client(running_server(place)):
        if rebuild:
            raise ConfigError("A server uses this index.", "Stop it before --rebuild.")
        async with client:
            await _wait_for_server(client, as_json)
        return
    async with open_house(settings, watch=watch, rebuild=rebuild) as house:
        if watch:
            err.print(f"Following {place.vault.name}. Ctrl-C stops it.")
            await asyncio.Event().wait()
        working = asyncio.create_task(_synced(house))
        with _progress(as_json) as bar:
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


async def _synced(house: House) -> None:
    await house.indexer.sync()
    await house.indexer.settled()


async def _nearly_synced(house: House) -> None:
    """In sync for keyword search; vectors are waited for a moment only, and what lacks then is said."""
    await house.indexer.sync()
    try:
        await asyncio.wait_for(house.indexer.settled(), VECTOR_PATIENCE_SECONDS)
    except asyncio.TimeoutError:
        counts = await house.store.counts()
        err.print(
            f"(Vectors: {counts.vectors} of {counts.chunks} passages. `vaultbridge index` makes the rest.)", style="dim"
        )


async def _wait_for_server(client: Client, as_json: bool) -> None:
    with _progress(as_json) as bar:
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


def _progress(quiet: bool) -> Any:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=err, disable=quiet)


# --- search, ask, status ----------------------------------------------------------------------------------------


@app.command()
def search(
    text: Annotated[str, typer.Argument(help="What to look for.")],
    vault: VaultOption = None,
    limit: Annotated[int, typer.Option("-k", min=1, max=200, help="How many passages.")] = 10,
    mode: Annotated[ModeName, typer.Option(help="How to search.")] = ModeName.hybrid,
    data: DataOption = None,
    embedder: EmbedderOption = None,
    backend: BackendOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find passages in the vault."""
    settings = _settings(
        config, vault=vault, data=data, models__embedder=embedder, models__backend=backend, models__generator="none"
    )
    _run(_search(settings, text, limit, mode.value, as_json))


async def _search(settings: Settings, text: str, limit: int, mode: Any, as_json: bool) -> None:
    from vaultbridge.core.search import Query
    from vaultbridge.server.vault.views import search_view
    from vaultbridge.wiring import open_house, place_of, running_server

    if client := _client(running_server(place_of(settings))):
        async with client:
            found = await client.get("/vault/search", {"q": text, "k": limit, "mode": mode})
    else:
        async with open_house(settings) as house:
            await _nearly_synced(house)
            found = await search_view(house.services, Query(text, limit=limit, mode=mode))
    if as_json:
        _print_json(found)
        return
    if not found["hits"]:
        err.print("Nothing found.")
    for hit in found["hits"]:
        lanes = ", ".join(f"{lane} {score:.2f}" for lane, score in hit["lanes"].items())
        out.print(f"{hit['link']}  ({hit['note']}:{hit['span']['start_line']}; {lanes})", style="bold")
        out.print("  " + " ".join(hit["text"].split())[:200])


@app.command()
def ask(
    text: Annotated[str, typer.Argument(help="The question.")],
    vault: VaultOption = None,
    data: DataOption = None,
    model: ModelOption = None,
    embedder: EmbedderOption = None,
    backend: BackendOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask the vault a question; the answer streams, its sources follow."""
    settings = _settings(
        config,
        vault=vault,
        data=data,
        models__generator=model,
        models__embedder=embedder,
        models__backend=backend,
    )
    _run(_ask(settings, text, as_json))


async def _ask(settings: Settings, text: str, as_json: bool) -> None:
    from vaultbridge.wiring import open_house, place_of, running_server

    if client := _client(running_server(place_of(settings))):
        body = {"messages": [{"role": "user", "content": text}], "vaultbridge": {"sources": "field"}}
        async with client:
            await _print_answer(client.stream("/v1/chat/completions", body), as_json)
        return
    from vaultbridge.chat.service import Request
    from vaultbridge.core.dialogue import Conversation, Message
    from vaultbridge.server.openai.answer import Envelope, chunks, opened

    async with open_house(settings) as house:
        await _nearly_synced(house)
        request = Request(
            Conversation((Message("user", (text,)),)), grounding=settings.chat.grounding, k=settings.chat.k
        )
        first, events = await opened(house.services.chat.answer(request))
        await _print_answer(
            chunks(Envelope(house.services.names.generator, chat=True), first, events, include_usage=False), as_json
        )


async def _print_answer(chunks: AsyncIterator[dict[str, Any]], as_json: bool) -> None:
    answer: list[str] = []
    citations: list[dict[str, Any]] = []
    ours: dict[str, Any] = {}
    async for chunk in chunks:
        if "error" in chunk:
            raise VaultbridgeError(chunk["error"]["message"])
        ours |= chunk.get("vaultbridge", {})
        citations = ours.get("citations", [])
        for choice in chunk["choices"]:
            piece = choice["delta"].get("content", "")
            answer.append(piece)
            if not as_json:
                out.print(piece, end="")
    used = [citation for citation in citations if citation["number"] in ours.get("used", [])]
    if as_json:
        _print_json({"answer": "".join(answer), "model": chunk["model"], **ours})
        return
    out.print()
    for citation in used:
        place = f"{citation['path']}:{citation['span']['start_line']}"
        out.print(f"[{citation['number']}] {citation['link']}  ({place})", style="dim")
    if ours.get("omitted"):
        out.print(f"Left out for lack of room: {' · '.join(ours['omitted'])}", style="dim")
    if not ours.get("grounded"):
        out.print("(Not from your notes: none speaks of this.)", style="dim")


@app.command()
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
    settings = _settings(
        config, vault=vault, data=data, models__embedder=embedder, models__backend=backend, models__generator="none"
    )
    _run(_status(settings, note, as_json))


async def _status(settings: Settings, note: str | None, as_json: bool) -> None:
    from urllib.parse import quote

    from vaultbridge.core.notes import NotePath
    from vaultbridge.server.vault.views import note_view, status_view
    from vaultbridge.wiring import open_house, place_of, running_server

    place = place_of(settings)
    path = _note_path(place, note) if note else None
    if client := _client(running_server(place)):
        async with client:
            view = await client.get(f"/vault/notes/{quote(path)}" if path else "/vault/status")
    else:
        async with open_house(settings) as house:
            view = await (note_view(house.services, NotePath(path)) if path else status_view(house.services))
    if path is None:
        _print_status(view, as_json)
    elif as_json:
        _print_json(view)
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
        _print_json(view)
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


def _client(running: Mapping[str, Any] | None) -> Client | None:
    from vaultbridge.server.client import Client

    return Client(running["address"], running["token"]) if running else None


# --- models -----------------------------------------------------------------------------------------------------


def _supply(config: Path | None) -> Any:
    from vaultbridge.catalog.folder import ModelFolder
    from vaultbridge.catalog.supply import Supply

    return Supply(folder=ModelFolder(_settings(config).models.folder))


def _size(size: float) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


@models_app.command("list")
def models_list(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """What the catalogue has, and what is fetched."""
    statuses = _supply(config).statuses()
    if as_json:
        _print_json([_model_view(status) for status in statuses])
        return
    for status in statuses:
        entry = status.entry
        mark = "fetched" if status.present else f"{_size(entry.size)} to fetch"
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
        _print_json(view)
        return
    out.print(f"{view['name']}: {view['title']}")
    out.print(f"  role {view['role']}, licence {view['licence']}")
    out.print(f"  {_size(view['size'])} to fetch, about {_size(view['memory'])} of memory")
    out.print(f"  {'fetched: ' + view['path'] if view['present'] else 'not fetched'}")
    if view["note"]:
        out.print(f"  {view['note']}")


def _model_view(status: Any) -> dict[str, Any]:
    entry = status.entry
    fields = ("name", "role", "title", "licence", "size", "memory", "starter", "note")
    return {name: getattr(entry, name) for name in fields} | {
        "present": status.present,
        "on_disk": status.on_disk,
        "path": str(status.path) if status.present else "",
    }


@models_app.command("pull")
def models_pull(
    names: Annotated[list[str], typer.Argument(help="Names from the list.")], config: ConfigOption = None
) -> None:
    """Fetch models."""
    supply = _supply(config)
    for name in names:
        with _progress(quiet=False) as bar:
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


# --- eval -------------------------------------------------------------------------------------------------------


@app.command("eval")
def evaluate(
    folder: Annotated[Path, typer.Argument(help="corpus.jsonl, queries.jsonl, qrels/*.tsv")],
    mode: Annotated[ModeName | None, typer.Option(help="One lane only.", show_default=False)] = None,
    embedder: EmbedderOption = None,
    backend: BackendOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure retrieval on a test collection, through the real pipeline into a throwaway index."""
    _run(_evaluate(folder, mode.value if mode else None, embedder, backend, config, as_json))


async def _evaluate(
    folder: Path, mode: str | None, embedder: str | None, backend: str | None, config: Path | None, as_json: bool
) -> None:
    from vaultbridge.lab.collection import read_collection, write_vault
    from vaultbridge.lab.evaluate import LANES, evaluate
    from vaultbridge.wiring import open_house

    collection = read_collection(folder)
    with tempfile.TemporaryDirectory(prefix="vaultbridge-eval-") as scratch:
        vault = Path(scratch, folder.resolve().name)
        vault.mkdir()
        ids = write_vault(collection, vault)
        settings = _settings(
            config,
            vault=vault,
            data=Path(scratch, "data"),
            models__embedder=embedder,
            models__backend=backend,
            models__generator="none",
        )
        async with open_house(settings) as house:
            with _progress(as_json) as bar:
                bar.add_task("Indexing", total=None)
                await _synced(house)
            names = house.services.names
            lanes = [lane for lane, value in LANES.items() if mode in (None, value)]
            lanes = lanes if names.embedder else ["keyword"]
            with _progress(as_json) as bar:
                task = bar.add_task("Asking", total=len(collection.queries))
                scores = await evaluate(
                    house.services.retriever, collection, ids, lanes, lambda done: bar.update(task, completed=done)
                )
    if as_json:
        _print_json({"collection": folder.resolve().name, "embedder": names.embedder, "lanes": scores})
        return
    out.print(f"{folder.resolve().name}, embedder {names.embedder or 'none'}, {len(collection.queries)} queries")
    for lane, values in scores.items():
        out.print(f"  {lane:<8} nDCG@10 {values['ndcg@10']:.3f}   recall@10 {values['recall@10']:.3f}")
