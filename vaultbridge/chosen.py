"""Which models are run: those that the settings name, or else those that were chosen for their roles."""

from __future__ import annotations

import logging
from pathlib import Path

from vaultbridge.builds import FAKES
from vaultbridge.catalog.catalog import ModelRole
from vaultbridge.catalog.choice import AUTO, NONE, choose_embedder, choose_generator, choose_reranker
from vaultbridge.catalog.roles import Role, Roles
from vaultbridge.catalog.supply import Model, Supply
from vaultbridge.core.errors import VaultbridgeError
from vaultbridge.settings import Settings
from vaultbridge.vault.files import Vault
from vaultbridge.vault.script import has_cjk

log = logging.getLogger(__name__)


def as_chosen(settings: Settings, roles: Roles, supply: Supply) -> Settings:
    """The settings with the embedder and the reranker that were chosen, where nobody set one.

    One that cannot be had any more is told of in the log; what a promoted one took its role from has it again.
    """
    wanted: tuple[tuple[Role, ModelRole], ...] = (("embed", "embedder"), ("rerank", "reranker"))
    chosen: dict[str, str] = {}
    for role, key in wanted:
        if key not in settings.models.model_fields_set and (name := _first(roles, role, key, supply)):
            chosen[key] = name
    return settings.model_copy(update={"models": settings.models.model_copy(update=chosen)}) if chosen else settings


def _first(roles: Roles, role: Role, key: ModelRole, supply: Supply) -> str:
    """The choice, or else the newest former one, that is still there; empty where the role was open."""
    for name in (roles.chosen(role), *roles.former(role)):
        if not name:
            break
        try:
            return supply.resolve(name, key).name
        except VaultbridgeError as error:
            log.warning("the %s %s, which was chosen, is not used: %s", key, name, error)
    return ""


def generator_of(settings: Settings, supply: Supply) -> Model | None:
    """The chat model; None if there is none. Raises ModelMissing."""
    if settings.models.backend == FAKES:
        return Model(FAKES, Path(), "vaultbridge.backends.fakes.decoder:FakeDecoder")
    wanted, own = settings.models.generator, settings.models.generator_backend
    return choose_generator(wanted, supply) if own == AUTO else Model(Path(wanted).stem, Path(wanted), own)


def embedder_of(settings: Settings, supply: Supply, vault: Path) -> tuple[Model | None, str]:
    """The embedder of a vault's folder; None, and why, if there is none. Raises ModelMissing."""
    if settings.models.backend == FAKES:
        return Model(FAKES, Path(), "vaultbridge.backends.fakes.embedder:FakeEmbedder"), ""
    wanted, own = settings.models.embedder, settings.models.embedder_backend
    if own != AUTO:
        return Model(Path(wanted).stem, Path(wanted), own), ""
    return choose_embedder(wanted, supply, lambda: has_cjk(Vault(vault)))


def reranker_of(settings: Settings, supply: Supply) -> Model | None:
    """The reranker; None if there is none. Raises ModelMissing."""
    wanted, own = settings.models.reranker, settings.models.reranker_backend
    if settings.models.backend == FAKES and wanted != NONE:
        return Model(FAKES, Path(), "vaultbridge.backends.fakes.reranker:FakeReranker")
    return choose_reranker(wanted, supply) if own == AUTO else Model(Path(wanted).stem, Path(wanted), own)


def draft_of(settings: Settings, roles: Roles) -> str:
    """The draft model that the settings name, or else the one that was chosen."""
    named = "draft" in settings.models.model_fields_set
    return settings.models.draft if named else roles.chosen("draft") or NONE
