"""A model behind another server's HTTP API."""

from __future__ import annotations

import ipaddress
import time
import weakref
from collections.abc import Callable
from typing import Any

import httpx

from vaultbridge.core.errors import ConfigError, EmbedFailed

_RETRIED = frozenset({408, 429, 500, 502, 503, 504})
_SETTINGS_WRONG = frozenset({401, 403, 404, 405})
_MESSAGE_CHARACTERS = 200
_CONNECT_SECONDS = 5.0


class Remote:
    """Posts JSON to paths under ``address`` (``http://host:port/v1``), ``attempts`` times if it is busy or away.

    The key goes into a header and nowhere else.
    """

    def __init__(
        self,
        address: str,
        key: str = "",
        *,
        seconds: float,
        attempts: int,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._address = address.rstrip("/")
        self._attempts = attempts
        self._sleep = sleep
        url = httpx.URL(self._address)
        self._host = url.host if url.port is None else f"{url.host}:{url.port}"
        self._client = httpx.Client(
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=httpx.Timeout(seconds, connect=_CONNECT_SECONDS),
            transport=transport,
            trust_env=not _is_loopback(url.host),  # no proxy leads to this computer
        )
        weakref.finalize(self, self._client.close)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """The reply's JSON. Raises ConfigError for what the settings have to change, EmbedFailed for anything else."""
        reason = ""
        for attempt in range(self._attempts):
            if attempt:
                self._sleep(0.5 * 2 ** (attempt - 1))
            try:
                response = self._client.post(f"{self._address}/{path}", json=body)
            except httpx.TransportError as error:
                reason = f"{type(error).__name__}: {error}"
                continue
            if response.is_success:
                try:
                    return response.json()
                except ValueError:
                    raise EmbedFailed(f"{self._host} did not answer /{path} with JSON.", "Check the address.") from None
            reason = f"status {response.status_code}{_said(response)}"
            if response.status_code in _SETTINGS_WRONG:
                hint = "Check the address, the model and the key."
                raise ConfigError(f"{self._host} refuses /{path}: {reason}.", hint)
            if response.status_code not in _RETRIED:
                break
        raise EmbedFailed(f"{self._host} does not answer /{path}: {reason}.", "Is that server running?")


def _said(response: httpx.Response) -> str:
    """What the server says is wrong, as OpenAI's errors have it, and only the beginning."""
    try:
        message = response.json()["error"]["message"]
    except (ValueError, KeyError, TypeError):
        return ""
    return f" ({message[:_MESSAGE_CHARACTERS]})" if isinstance(message, str) and message else ""


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
