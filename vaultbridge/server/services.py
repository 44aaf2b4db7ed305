"""What the routes stand on; ``wiring`` builds it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from fastapi import Request as HttpRequest

from vaultbridge.catalog.inventory import Inventory
from vaultbridge.catalog.pull import Puller
from vaultbridge.catalog.roles import Roles
from vaultbridge.chat.service import ChatService
from vaultbridge.core.errors import ModelMissing, NotReady, UnknownModel
from vaultbridge.core.notes import NotePath
from vaultbridge.core.ports import ChunkStore, EmbeddingService, GeneratorRole, RerankService
from vaultbridge.core.search import Freshness, IndexProgress
from vaultbridge.engine.fleet import Fleet
from vaultbridge.index.note_status import NoteStatus
from vaultbridge.index.verify import Verification
from vaultbridge.retrieve.retriever import Retriever
from vaultbridge.server.metrics import Metrics
from vaultbridge.server.options import Defaults

EXTRACTIVE = "passages"
"""The model id under which answers without a model are given."""


class IndexView(Protocol):
    """What the status shows of the indexer."""

    @property
    def freshness(self) -> Freshness:
        """How far the index is behind."""

    @property
    def progress(self) -> IndexProgress:
        """How far indexing is."""

    @property
    def embedded(self) -> int:
        """Texts embedded since the start."""

    @property
    def problems(self) -> Mapping[str, str]:
        """What is wrong just now, by what it is wrong with."""

    @property
    def exclusions(self) -> Mapping[str, int]:
        """How many notes each rule keeps out."""

    async def note(self, path: NotePath) -> NoteStatus:
        """Whether a note is in the index, and if not, why."""

    async def verify(self) -> Verification:
        """Compare the index with a fresh reading of the vault, and write again what differs."""


class ModelView(Protocol):
    """What the health shows of a model's process."""

    @property
    def name(self) -> str:
        """The role."""

    @property
    def state(self) -> str:
        """stopped, loading, ready, restarting or failed."""

    @property
    def reason(self) -> str:
        """Why it is not ready."""


class SearchModelView(ModelView, Protocol):
    """The embedder's or the reranker's."""

    @property
    def expires(self) -> float | None:
        """When it ends if nobody needs it, in seconds since 1970; None: never."""


class ChatModels(Protocol):
    """Which language models there are just now."""

    @property
    def names(self) -> Sequence[str]:
        """All of them."""

    def default(self, role: GeneratorRole = "chat") -> str:
        """The one for requests that name none of them; empty if there is none."""


@dataclass(frozen=True, slots=True)
class ModelNames:
    """The ids that are served. An id stands as it is, with ``@vault`` (always grounded) or ``@plain`` (never)."""

    chat: ChatModels
    embedder: str
    strict: bool = False
    reranker: str = ""

    def usual(self, role: GeneratorRole = "chat") -> str:
        """The language model for requests that name none."""
        return self.chat.default(role) or EXTRACTIVE

    @property
    def generator(self) -> str:
        """The usual chat model."""
        return self.usual()

    @property
    def generators(self) -> tuple[str, ...]:
        """Every language model, the usual one first."""
        return tuple(dict.fromkeys((self.generator, *self.chat.names)))

    @property
    def ids(self) -> tuple[str, ...]:
        """All of them: each language model in its three forms, the embedder and the reranker if there are such."""
        forms = (name + form for name in self.generators for form in ("", "@vault", "@plain"))
        return tuple(dict.fromkeys((*forms, *filter(None, (self.embedder, self.reranker)))))

    def base(self, asked: str) -> str:
        """An id without its form."""
        return asked.removesuffix("@vault").removesuffix("@plain")

    def serving(self, asked: str, role: GeneratorRole = "chat") -> str:
        """The language model that answers: the one that is named, or the usual one. Raises UnknownModel if strict."""
        named = self.base(asked)
        if named in self.generators:
            return named
        usual = self.usual(role)
        self.check(asked, usual)
        return usual

    def check(self, asked: str, served: str) -> None:
        """Raise UnknownModel if another id than ``served`` is named, and model names are strict."""
        if self.strict and asked and self.base(asked) != served:
            raise UnknownModel(f"The model {asked!r} is not served here.", f"Served: {served}.", param="model")


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What is known of a model without loading it: zero and empty are what is not.

    ``context`` in tokens; ``size`` of its files in bytes, ``modified`` in seconds since 1970, ``format`` their kind.
    """

    context: int = 0
    size: int = 0
    modified: float = 0.0
    format: str = ""


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that a route may use. ``vault_id`` names the vault to clients.

    ``search_models`` are the processes of the embedder and the reranker, as far as there are such. ``fleet`` are the
    language models, ``roles`` what was chosen for which purpose, and ``inventory`` what could be.
    ``draft`` names the model that drafts for those that are loaded from now on, nothing if none does.
    ``puller`` makes one with a fresh look at the disk. ``facts`` tells those of a model by its id, ``metrics`` is what
    the chat service and the generators report to.
    """

    chat: ChatService
    retriever: Retriever
    store: ChunkStore
    index: IndexView
    embeddings: EmbeddingService | None
    reranker: RerankService | None
    search_models: tuple[SearchModelView, ...]
    fleet: Fleet
    roles: Roles
    inventory: Inventory
    names: ModelNames
    vault_id: str
    vault_name: str
    puller: Callable[[], Puller]
    facts: Callable[[str], ModelFacts] = lambda name: ModelFacts()
    defaults: Defaults = field(default_factory=Defaults)
    metrics: Metrics = field(default_factory=Metrics)
    draft: Callable[[], str] = str

    @property
    def models(self) -> tuple[ModelView, ...]:
        """All processes, of the language models the usual one's."""
        return (*self.search_models, self.fleet) if self.fleet.names else self.search_models

    def embedder(self, asked: str) -> EmbeddingService:
        """The embedder, if that is what ``asked`` names. Raises ModelMissing, UnknownModel."""
        if self.embeddings is None:
            raise ModelMissing("No embedder is loaded.", "Start the server with --embedder NAME.")
        self.names.check(asked, self.names.embedder)
        return self.embeddings


def services_of(request: HttpRequest) -> Services:
    """The services of the app that a request came to. Raises NotReady while they are being built."""
    services = request.app.state.services
    if services is None:
        raise NotReady("The server is still starting.", "Try again in a moment.")
    assert isinstance(services, Services)
    return services
