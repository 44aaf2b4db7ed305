"""The application: routes, guard and errors around the services."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from vaultbridge import __version__
from vaultbridge.server import errors
from vaultbridge.server.guard import Guard, GuardOptions
from vaultbridge.server.openai.routes import router as openai_router
from vaultbridge.server.services import Services
from vaultbridge.server.vault.routes import health_router
from vaultbridge.server.vault.routes import router as vault_router


class Application:
    """The ASGI application. It answers before the house is open: until ``open``, all but ``/health`` is 503.

    The guard stands outside of everything, so that errors too reach those pages that may read them, and no others.
    """

    def __init__(self, options: GuardOptions, services: Services | None = None) -> None:
        self._routes = FastAPI(title="vaultbridge", version=__version__, docs_url=None, redoc_url=None)
        self._routes.state.services = services
        self._routes.include_router(openai_router)
        self._routes.include_router(vault_router)
        self._routes.include_router(health_router)
        errors.install(self._routes)
        self._guard = Guard(self._routes, options)

    def open(self, services: Services) -> None:
        """Serve everything from now on."""
        self._routes.state.services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self._guard(scope, receive, send)
