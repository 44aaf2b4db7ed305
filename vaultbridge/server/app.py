"""The application: routes, guard and errors around the services."""

from __future__ import annotations

from starlette.types import Receive, Scope, Send

from vaultbridge.server import errors
from vaultbridge.server.bodies import JsonBodies
from vaultbridge.server.guard import Guard, GuardOptions
from vaultbridge.server.limits import LimitOptions, Limits
from vaultbridge.server.ollama.routes import root_router as ollama_root_router
from vaultbridge.server.ollama.routes import router as ollama_router
from vaultbridge.server.openai.routes import router as openai_router
from vaultbridge.server.openapi import OLLAMA_FAILURES, DescribedApi, failures
from vaultbridge.server.page.routes import router as page_router
from vaultbridge.server.record import Record
from vaultbridge.server.services import Services
from vaultbridge.server.vault.routes import health_router
from vaultbridge.server.vault.routes import router as vault_router


class Application:
    """The ASGI application. It answers before the house is open: until ``open``, all but ``/health`` is 503.

    The guard stands outside of the routes and the limits, so that errors too reach those pages that may read them, and
    no others; the record stands outside of the guard, so that what was refused is written down as well.
    """

    def __init__(
        self, options: GuardOptions, services: Services | None = None, limits: LimitOptions | None = None
    ) -> None:
        self._routes = DescribedApi()
        self._routes.state.services = services
        self._routes.include_router(openai_router, responses=failures())
        self._routes.include_router(ollama_router, responses=OLLAMA_FAILURES)
        self._routes.include_router(ollama_root_router)
        self._routes.include_router(vault_router, responses=failures())
        self._routes.include_router(health_router, responses=failures())
        self._routes.include_router(page_router)
        errors.install(self._routes)
        guard = Guard(Limits(JsonBodies(self._routes), limits or LimitOptions()), options)
        self._record = Record(guard, self._observe)

    def open(self, services: Services) -> None:
        """Serve everything from now on."""
        self._routes.state.services = services

    def request_id(self) -> str:
        """The request in whose course this is called; empty outside of any."""
        return self._record.request_id()

    def _observe(self, method: str, route: str, status: int, seconds: float) -> None:
        if (services := self._routes.state.services) is not None:
            services.metrics.requested(method, route, status, seconds)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self._record(scope, receive, send)
