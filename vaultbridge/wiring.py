"""The only place where real objects are built and joined."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from vaultbridge.builds import embedder_build, reranker_build
from vaultbridge.catalog.choice import NONE
from vaultbridge.catalog.folder import ModelFolder
from vaultbridge.catalog.inventory import Inventory
from vaultbridge.catalog.parts import parts_of
from vaultbridge.catalog.predecessor import Predecessor
from vaultbridge.catalog.pull import Puller
from vaultbridge.catalog.roles import Roles
from vaultbridge.catalog.supply import Model, Supply
from vaultbridge.chat.service import ChatService
from vaultbridge.chosen import as_chosen, draft_of, embedder_of, generator_of, reranker_of
from vaultbridge.core.duration import seconds_of
from vaultbridge.core.errors import VaultbridgeError
from vaultbridge.core.ports import ChunkStore, Clock, ModelHub
from vaultbridge.core.search import EmbedderInfo
from vaultbridge.engine.activity import Activity
from vaultbridge.engine.batcher import Batcher
from vaultbridge.engine.fleet import Fleet
from vaultbridge.engine.generator import Home, HostedGenerator
from vaultbridge.engine.host import Host, Rest
from vaultbridge.engine.load import load_class
from vaultbridge.engine.pool import ProcessPool
from vaultbridge.engine.reranker import HostedReranker
from vaultbridge.engine.succession import Succession
from vaultbridge.index.backfill import Backfill
from vaultbridge.index.indexer import Indexer
from vaultbridge.index.report import IndexReport
from vaultbridge.language_models import LanguageModels, Room, is_short_of_memory
from vaultbridge.place import Place, lock, only_for_owner, place_of
from vaultbridge.retrieve.floors import Floors
from vaultbridge.retrieve.rescoring import Rescoring
from vaultbridge.retrieve.retriever import Retriever
from vaultbridge.retrieve.weights import read_weights
from vaultbridge.server.metrics import Metrics
from vaultbridge.server.options import Defaults
from vaultbridge.server.services import ModelFacts, ModelNames, Services
from vaultbridge.settings import Settings
from vaultbridge.vault.files import Vault

log = logging.getLogger(__name__)

RECOMMENDED = "gemma-3-4b-it"
"""The model to fetch instead of a starter."""


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
    roles = Roles(place.folder / "roles.json")
    settings = as_chosen(settings, roles, supply)
    generator_model = generator_of(settings, supply)
    embedder_model, no_embedder = embedder_of(settings, supply, place.vault)
    reranker_model = reranker_of(settings, supply)
    async with AsyncExitStack() as stack:
        stack.callback(lock(place).release)
        stack.enter_context(only_for_owner(place))
        place.server_file.unlink(missing_ok=True)  # whoever wrote it is gone, or we had not got the lock
        if rebuild and Path(place.store_uri).exists():
            await asyncio.to_thread(shutil.rmtree, place.store_uri)
        store = await open_store(place)
        stack.push_async_callback(store.close)
        activity = Activity()
        metrics = Metrics()
        clock = load_class("vaultbridge.backends.clock:SystemClock")()
        rest = Rest(seconds_of(settings.models.search_keep_alive), clock)
        hosts: list[Host] = []
        embeddings: Batcher | None = None
        if embedder_model is not None:
            hosts.append(Host("embedder", embedder_build(embedder_model, settings), rest=rest))
            embeddings = Batcher(hosts[-1], activity)
            stack.push_async_callback(hosts[-1].close)
            stack.push_async_callback(embeddings.close)
        predecessor = Predecessor(place.folder)
        succession: Succession | None = None
        if embeddings is not None and embedder_model and (former := predecessor.of(embedder_model, supply)):
            leaving = Host("former embedder", embedder_build(former, settings), rest=rest)
            last = Batcher(leaving, activity)
            stack.push_async_callback(leaving.close)
            stack.push_async_callback(last.close)

            async def farewell() -> None:
                await last.close()
                await leaving.close()

            succession = Succession(last, embeddings, farewell)
        reranker: HostedReranker | None = None
        if reranker_model is not None:
            hosts.append(Host("reranker", reranker_build(reranker_model, settings), rest=rest))
            reranker = HostedReranker(reranker_model.name, hosts[-1], activity)
            stack.push_async_callback(hosts[-1].close)
        inventory = Inventory(partial(supply_of, settings))
        room = await asyncio.to_thread(Room.of, settings, _memory_of((embedder_model, reranker_model), supply))
        draft = partial(draft_of, settings, roles)
        models = LanguageModels(settings, generator_model, room, inventory, partial(supply_of, settings), draft)
        fleet = await _fleet(
            settings,
            roles,
            models,
            room.budget,
            lambda name, home: HostedGenerator(
                name, home, activity, settings.engine.queue, settings.engine.deadline, metrics.observe
            ),
            clock,
        )
        stack.push_async_callback(fleet.close)
        asked = succession or embeddings
        floors = Floors(place.folder, store, asked)

        async def grown(chunks: int) -> None:
            if succession is None or succession.over:
                await floors.renew(chunks)

        async def embedded(info: EmbedderInfo) -> None:
            assert embedder_model is not None
            await asyncio.to_thread(predecessor.keep, embedder_model, supply)
            if succession is not None:
                await succession.complete()

        power = load_class("vaultbridge.backends.power:on_battery")
        pause = power if watch and settings.index.pause_on_battery else str
        backfill = Backfill(store, embeddings, clock, grown, pause, embedded)
        observer = load_class("vaultbridge.backends.observer:Observer")(place.vault)
        indexer = Indexer(
            Vault(place.vault), store, observer, clock, backfill, lambda paths: chat.forget(paths), ProcessPool
        )
        rescoring = Rescoring(store, reranker, settings.retrieval.rerank_seconds)
        retriever = Retriever(store, asked, read_weights(place.folder), rescoring, floors)
        chat = ChatService(
            retriever,
            store,
            fleet,
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
            search_models=tuple(hosts),
            fleet=fleet,
            roles=roles,
            inventory=inventory,
            names=ModelNames(
                chat=fleet,
                embedder=embedder_model.name if embedder_model else "",
                strict=settings.server.strict_models,
                reranker=reranker.name if reranker else "",
            ),
            vault_id=place.id,
            vault_name=place.vault.name,
            puller=partial(puller_of, settings),
            facts=partial(_facts, inventory, fleet, (generator_model, embedder_model, reranker_model)),
            defaults=Defaults(settings.chat.grounding, settings.chat.k, settings.chat.sources),
            metrics=metrics,
            draft=lambda: draft().replace(NONE, ""),
        )
        tasks = [asyncio.create_task(backfill.run(), name="backfill")]
        if watch:
            tasks.append(asyncio.create_task(indexer.run(), name="indexer"))
            tasks.append(asyncio.create_task(fleet.watch(is_short_of_memory), name="memory"))
            for host in hosts:
                host.start()
            await fleet.start()
        for task in tasks:
            task.add_done_callback(partial(_ended, problems))
        stack.push_async_callback(_end, tasks)
        yield House(
            place,
            services,
            indexer,
            backfill,
            store,
            _describe(fleet.default(), embedder_model, reranker_model),
            await _chosen_way(fleet),
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


def _memory_of(models: Iterable[Model | None], supply: Supply) -> int:
    """Bytes that models of the catalogue take."""
    return sum(supply.catalog.get(model.name).memory for model in models if model and model.name in supply.catalog)


async def _fleet(
    settings: Settings,
    roles: Roles,
    models: LanguageModels,
    budget: int,
    generator: Callable[[str, Home], HostedGenerator],
    clock: Clock,
) -> Fleet:
    """The language models, with those that the user chose as the defaults where the settings leave it open."""
    keep_alive = seconds_of(settings.models.keep_alive)
    fleet = Fleet(models.load, models.installed, generator, budget, keep_alive, clock)
    await fleet.look()
    if "generator" not in settings.models.model_fields_set:
        fleet.choose("chat", roles.chosen("chat"))
    fleet.choose("completion", roles.chosen("completion"))
    return fleet


async def _chosen_way(fleet: Fleet) -> str:
    """What was decided for the usual model; one that cannot be loaded says why when it is asked."""
    with suppress(VaultbridgeError):
        return (await fleet.planned(fleet.default())).chosen if fleet.default() else ""
    return ""


def _facts(inventory: Inventory, fleet: Fleet, running: Iterable[Model | None], name: str) -> ModelFacts:
    """What is known of a model that is served."""
    own = next((model for model in running if model and model.name == name), None)
    if own is not None:
        context = own.context or int(own.options.get("max_tokens", 0))
        return _facts_of(own.path, fleet.context(name) or context)
    found = next((model for model in inventory.models if model.name == name), None)
    return _facts_of(found.path, fleet.context(name) or found.context) if found else ModelFacts()


def _facts_of(path: Path, context: int) -> ModelFacts:
    files = parts_of(path) if path.is_file() else path.glob("*") if path.parts else ()
    stats = [file.stat() for file in files if file.is_file()]
    size, modified = sum(stat.st_size for stat in stats), max((stat.st_mtime for stat in stats), default=0.0)
    return ModelFacts(context, size, modified, "gguf" if path.suffix == ".gguf" else "")


def _describe(generator: str, embedder: Model | None, reranker: Model | None) -> str:
    chat = generator or "none (answers are passages)"
    vectors = _named(embedder) if embedder else "none (keyword search only)"
    return f"chat model {chat}, embedder {vectors}" + (f", reranker {_named(reranker)}" if reranker else "")


def _named(model: Model) -> str:
    return f"{model.name} at {model.address}" if model.address else model.name
