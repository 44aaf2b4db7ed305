"""What the routes stand on; ``wiring`` builds it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from fastapi import Request as HttpRequest

from vaultbridge.catalog.pull import Puller
from vaultbridge.chat.service import ChatService
from vaultbridge.core.errors import ModelMissing, NotReady, UnknownModel
from vaultbridge.core.notes import NotePath
from vaultbridge.core.ports import ChunkStore, EmbeddingService, RerankService
from vaultbridge.core.search import Freshness
from vaultbridge.retrieve.retriever import Retriever
from vaultbridge.server.metrics import Metrics
from vaultbridge.server.options import Defaults


class IndexView(Protocol):
    """What the status shows of the indexer."""

    @property
    def freshness(self) -> Freshness:
        """How far the index is behind."""

    @property
    def notes_done(self) -> tuple[int, int]:
        """Written and all notes of the present batch of changes."""

    @property
    def embedded(self) -> int:
        """Texts embedded since the start."""

    @property
    def problems(self) -> Mapping[str, str]:
        """What is wrong just now, by what it is wrong with."""

    def excluded(self, path: NotePath) -> str:
        """Why a path is not indexed; empty if it may be."""


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


@dataclass(frozen=True, slots=True)
class ModelNames:
    """The ids that are served. An id stands as it is, with ``@vault`` (always grounded) or ``@plain`` (never)."""

    generator: str
    embedder: str
    strict: bool = False
    reranker: str = ""

    @property
    def ids(self) -> tuple[str, ...]:
        """All of them: the chat model in its three forms, the embedder and the reranker if there are such."""
        forms = (self.generator, f"{self.generator}@vault", f"{self.generator}@plain")
        return tuple(dict.fromkeys((*forms, *filter(None, (self.embedder, self.reranker)))))

    def base(self, asked: str) -> str:
        """An id without its form."""
        return asked.removesuffix("@vault").removesuffix("@plain")

    def check(self, asked: str, served: str) -> None:
        """Raise UnknownModel for another id than ``served``, if model names are strict."""
        if self.strict and self.base(asked) != served:
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

    ``puller`` makes one with a fresh look at the disk. ``facts`` are those of the models by their ids, ``metrics`` is
    what the chat service and the generator report to.
    """

    chat: ChatService
    retriever: Retriever
    store: ChunkStore
    index: IndexView
    embeddings: EmbeddingService | None
    reranker: RerankService | None
    models: tuple[ModelView, ...]
    names: ModelNames
    vault_id: str
    vault_name: str
    puller: Callable[[], Puller]
    facts: Mapping[str, ModelFacts] = field(default_factory=dict)
    defaults: Defaults = field(default_factory=Defaults)
    metrics: Metrics = field(default_factory=Metrics)

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
