"""Which vault is served, so that no client gets a stranger's notes."""

from __future__ import annotations

from fastapi import Header, Request

from vaultbridge.core.errors import WrongVault
from vaultbridge.server.services import services_of


async def right_vault(request: Request, x_vaultbridge_vault: str | None = Header(default=None)) -> None:
    """Refuse a request that names another vault. Raises WrongVault."""
    services = services_of(request)
    if x_vaultbridge_vault is not None and x_vaultbridge_vault != services.vault_id:
        raise WrongVault(
            f"This server serves the vault {services.vault_name!r}, not the one that was asked for.",
            "Connect to the server of the other vault.",
        )
