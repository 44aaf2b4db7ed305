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
_TOO_MUCH = frozenset({400, 413, 422})
_KEY = "Check the key: models.embedder_key or models.reranker_key."
_ADDRESS = "Check the address, which mostly ends in /v1, and the model behind its #."
_SETTINGS_WRONG = {401: _KEY, 403: _KEY, 404: _ADDRESS, 405: _ADDRESS}
_MESSAGE_CHARACTERS = 200
_CONNECT_SECONDS = 5.0


class Refused(EmbedFailed):
    """The server does not take a body as it is: it may be too much at once."""


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
        self._seconds = seconds
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
        reason = hint = ""
        for attempt in range(self._attempts):
            if attempt:
                self._sleep(0.5 * 2 ** (attempt - 1))
            try:
                response = self._client.post(f"{self._address}/{path}", json=body)
            except httpx.TimeoutException:
                reason, hint = f"nothing came within {self._seconds:g} s", "It may still be loading its model."
                continue
            except httpx.TransportError as error:
                reason, hint = f"{type(error).__name__}: {error}", "Is that server running?"
                continue
            if response.is_success:
                try:
                    return response.json()
                except ValueError:
                    raise EmbedFailed(f"{self._host} did not answer /{path} with JSON.", "Check the address.") from None
            status = response.status_code
            reason, hint = f"status {status}{_said(response)}", "See that server's log."
            if status in _SETTINGS_WRONG:
                raise ConfigError(f"{self._host} refuses /{path}: {reason}.", _SETTINGS_WRONG[status])
            if status in _TOO_MUCH:
                raise Refused(f"{self._host} refuses what it gets at /{path}: {reason}.", hint)
            if status not in _RETRIED:
                break
        raise EmbedFailed(f"{self._host} does not answer /{path}: {reason}.", hint)


def _said(response: httpx.Response) -> str:
    """What the server says is wrong, as OpenAI's or Cohere's errors have it, and only the beginning."""
    try:
        body = response.json()
        message = body["error"]["message"] if "error" in body else body["message"]
    except (ValueError, KeyError, TypeError):
        return ""
    return f" ({message[:_MESSAGE_CHARACTERS]})" if isinstance(message, str) and message else ""


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
