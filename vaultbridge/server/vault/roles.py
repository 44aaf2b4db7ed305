"""``/vault/roles``: which model serves which purpose, and choosing another."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict
from typing_extensions import TypedDict

from vaultbridge.catalog.roles import Role
from vaultbridge.core.errors import UnknownModel
from vaultbridge.server.services import Services


class RoleView(TypedDict):
    """``model`` serves now, and ``chosen`` was chosen here, empty if nothing was; ``choices`` are on this computer."""

    model: str
    chosen: str
    choices: list[str]


class RolesView(TypedDict):
    """Every purpose."""

    chat: RoleView
    completion: RoleView
    draft: RoleView
    embed: RoleView
    rerank: RoleView


class RoleBody(BaseModel):
    """A purpose and the model for it, one of its choices; an empty one leaves it open again."""

    model_config = ConfigDict(
        extra="ignore", json_schema_extra={"examples": [{"role": "chat", "model": "gemma-3-4b-it"}]}
    )

    role: Role
    model: str


async def roles_view(services: Services) -> RolesView:
    """Every purpose, with a fresh look at the disk."""
    await services.fleet.look()
    names, found = services.names, services.inventory.models

    def view(role: Role, model: str, choices: Iterable[str]) -> RoleView:
        return {"model": model, "chosen": services.roles.chosen(role), "choices": list(choices)}

    return {
        "chat": view("chat", names.usual("chat"), services.fleet.names),
        "completion": view("completion", names.usual("completion"), services.fleet.names),
        "draft": view("draft", services.draft(), services.fleet.names),
        "embed": view("embed", names.embedder, (one.name for one in found if one.role == "embedder")),
        "rerank": view("rerank", names.reranker, (one.name for one in found if one.role == "reranker")),
    }


async def choose_model(services: Services, body: RoleBody) -> RolesView:
    """Keep a choice, and what serves from now on. Raises UnknownModel for what is none of the choices."""
    view = await roles_view(services)
    if body.model and body.model not in view[body.role]["choices"]:
        raise UnknownModel(
            f"The model {body.model!r} cannot be used for {body.role}.",
            "GET /vault/roles lists what can; fetch others with /vault/models/pull.",
            param="model",
        )
    await asyncio.to_thread(services.roles.choose, body.role, body.model)
    if body.role == "chat" or body.role == "completion":
        services.fleet.choose(body.role, body.model)
    return await roles_view(services)
