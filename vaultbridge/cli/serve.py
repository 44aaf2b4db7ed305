"""``vaultbridge serve``."""

from __future__ import annotations

import asyncio
import gc
import os
import shlex
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vaultbridge.cli.console import err
from vaultbridge.cli.logs import follow_requests
from vaultbridge.cli.options import (
    BackendOption,
    ConfigOption,
    DataOption,
    DraftOption,
    EmbedderOption,
    ModelOption,
    RerankerOption,
    VaultOption,
    settings_of,
)
from vaultbridge.cli.progress import show_indexing
from vaultbridge.core.errors import ConfigError

if TYPE_CHECKING:
    from vaultbridge.settings import Settings


def serve(
    vault: VaultOption = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.", show_default=False)] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on (1234).", show_default=False)] = None,
    data: DataOption = None,
    model: ModelOption = None,
    draft: DraftOption = None,
    embedder: EmbedderOption = None,
    reranker: RerankerOption = None,
    context: Annotated[int | None, typer.Option(help="Tokens of context.", show_default=False)] = None,
    backend: BackendOption = None,
    config: ConfigOption = None,
) -> None:
    """Watch a vault and answer on localhost as OpenAI's API does."""
    settings = settings_of(
        config,
        vault=vault,
        data=data,
        server__host=host,
        server__port=port,
        models__generator=model,
        models__draft=draft,
        models__embedder=embedder,
        models__reranker=reranker,
        models__backend=backend,
        engine__context=context,
    )
    _warn_of_exposed_token(config)
    # Starting makes hundreds of thousands of objects that stay: looking through them meanwhile takes half a second.
    gc.disable()
    asyncio.run(_serve(settings))


def _warn_of_exposed_token(config: Path | None) -> None:
    from vaultbridge.settings import exposed_token

    if file := exposed_token(config):
        err.print(
            f"Warning: others on this computer may read the token in {file}. Run: chmod 600 {shlex.quote(str(file))}"
        )


def _offer(settings: Settings) -> None:
    """Name a Gemma that another program has, to a user who has fetched none."""
    from vaultbridge.catalog.choice import offered_gemma
    from vaultbridge.wiring import supply_of

    if gemma := offered_gemma(supply_of(settings)):
        err.print(f"  {gemma.origin} has {gemma.name} on this computer. To use it, add: --model {gemma.name}")


async def _serve(settings: Settings) -> None:
    from vaultbridge.catalog.choice import AUTO
    from vaultbridge.place import announce, check_unused, place_of, token_of
    from vaultbridge.server.app import Application
    from vaultbridge.server.guard import GuardOptions
    from vaultbridge.server.limits import LimitOptions
    from vaultbridge.server.listen import Server
    from vaultbridge.server.port import claim, in_url, is_loopback
    from vaultbridge.wiring import open_house

    host, port = settings.server.host.strip("[]"), settings.server.port
    if not is_loopback(host) and not settings.server.token:
        raise ConfigError(
            f"On {host} everybody in the network could read the vault.",
            "Set server.token (`auto` makes one), or keep to 127.0.0.1.",
        )
    place = place_of(settings)
    check_unused(place)
    token = token_of(place, settings.server.token)
    application = Application(
        GuardOptions((in_url(host), *settings.server.hosts), tuple(settings.server.origins), token),
        limits=LimitOptions(settings.server.body_mib * 2**20),
    )
    follow_requests(settings.log.format, application.request_id)
    server = Server(application)
    with claim(host, port, f"vaultbridge serve --vault {shlex.quote(str(place.vault))}") as listener:
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
                gc.freeze()
                gc.enable()
                address = f"http://{'127.0.0.1' if host in ('0.0.0.0', '::') else in_url(host)}:{port}"
                announce(place, address, token)
                if token and token != settings.server.token:
                    err.print(f"Clients need the token in {place.token_file}.")
                err.print(f"vaultbridge serves {place.vault.name} at {address}/v1 ({house.chosen}). Ctrl-C stops it.")
                if house.fit:
                    err.print(f"  {house.fit}.")
                if settings.models.generator == AUTO and settings.models.backend == AUTO:
                    await asyncio.to_thread(_offer, settings)
                shown = asyncio.create_task(show_indexing(house.services.index))
                try:
                    await serving
                finally:
                    shown.cancel()
                    place.server_file.unlink(missing_ok=True)
        finally:
            server.stop()
            await serving
