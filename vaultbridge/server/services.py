"""What the routes stand on; ``wiring`` builds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from fastapi import Request as HttpRequest

from vaultbridge.chat.service import ChatService
from vaultbridge.core.errors import NotReady, UnknownModel
from vaultbridge.core.notes import NotePath
from vaultbridge.core.ports import ChunkStore, EmbeddingService
from vaultbridge.core.search import Freshness
from vaultbridge.retrieve.retriever import Retriever
from vaultbridge.server.metrics import Metrics
from vaultbridge.server.openai.options import Defaults


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

    def check(self, asked: str, served: str) -> None:
        """Raise UnknownModel for another id than ``served``, if model names are strict."""
        if self.strict and asked.removesuffix("@vault").removesuffix("@plain") != served:
            raise UnknownModel(f"The model {asked!r} is not served here.", f"Served: {served}.", param="model")


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that a route may use. ``vault_id`` names the vault to clients.

    ``metrics`` is what the chat service and the generator report to.
    """

    chat: ChatService
    retriever: Retriever
    store: ChunkStore
    index: IndexView
    embeddings: EmbeddingService | None
    models: tuple[ModelView, ...]
    names: ModelNames
    vault_id: str
    vault_name: str
    defaults: Defaults = field(default_factory=Defaults)
    metrics: Metrics = field(default_factory=Metrics)


def services_of(request: HttpRequest) -> Services:
    """The services of the app that a request came to. Raises NotReady while they are being built."""
    services = request.app.state.services
    if services is None:
        raise NotReady("The server is still starting.", "Try again in a moment.")
    assert isinstance(services, Services)
    return services
