"""The other end: how the commands speak to a running server."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import httpx

from vaultbridge.core.errors import NotReady, VaultbridgeError

_CONNECT_SECONDS = 5.0


class Client:
    """Speaks to the server at ``address``; an async context. Its errors are ours."""

    def __init__(self, address: str, token: str = "") -> None:
        self._http = httpx.AsyncClient(
            base_url=address,
            headers={b"Authorization": f"Bearer {token}".encode()} if token else {},
            timeout=httpx.Timeout(None, connect=_CONNECT_SECONDS),
            trust_env=False,
        )

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def get(self, path: str, parameters: Mapping[str, Any] | None = None) -> Any:
        """A JSON document. Raises what the server says is wrong."""
        return await self._document("GET", path, parameters)

    async def post(self, path: str) -> Any:
        """A JSON document for which something is to be done. Raises what the server says is wrong."""
        return await self._document("POST", path)

    async def _document(self, method: str, path: str, parameters: Mapping[str, Any] | None = None) -> Any:
        try:
            response = await self._http.request(method, path, params=dict(parameters or {}))
        except httpx.HTTPError as error:
            raise NotReady(f"The server does not answer ({type(error).__name__}).", "Is it still running?") from error
        if response.is_error:
            raise VaultbridgeError(_reason(response))
        return response.json()

    async def stream(self, path: str, body: Mapping[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
        """The chunks of a streamed answer. Raises what the server says is wrong, also in the middle."""
        try:
            async with self._http.stream("POST", path, json={**body, "stream": True}) as response:
                if response.is_error:
                    await response.aread()
                    raise VaultbridgeError(_reason(response))
                async for line in response.aiter_lines():
                    if not line.startswith("data: ") or line == "data: [DONE]":
                        continue
                    chunk = json.loads(line.removeprefix("data: "))
                    if "error" in chunk:
                        raise VaultbridgeError(chunk["error"]["message"])
                    yield chunk
        except httpx.HTTPError as error:
            raise NotReady(f"The server went away ({type(error).__name__}).", "Is it still running?") from error


def _reason(response: httpx.Response) -> str:
    try:
        return str(response.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return f"The server answered {response.status_code}."
