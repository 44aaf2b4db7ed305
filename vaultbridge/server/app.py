"""The application: routes, guard and errors around the services."""

from __future__ import annotations

from fastapi import FastAPI

from vaultbridge import __version__
from vaultbridge.server import errors
from vaultbridge.server.guard import Guard, GuardOptions
from vaultbridge.server.openai.routes import router as openai_router
from vaultbridge.server.services import Services
from vaultbridge.server.vault.routes import health_router
from vaultbridge.server.vault.routes import router as vault_router


def create_app(services: Services, options: GuardOptions) -> FastAPI:
    """The ASGI application over running services."""
    app = FastAPI(title="vaultbridge", version=__version__, docs_url=None, redoc_url=None)
    app.state.services = services
    app.include_router(openai_router)
    app.include_router(vault_router)
    app.include_router(health_router)
    errors.install(app)
    app.add_middleware(Guard, options=options)
    return app
