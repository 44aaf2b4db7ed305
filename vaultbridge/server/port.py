"""A port before we take it: is it free, and if not, who answers there?"""

from __future__ import annotations

import socket

import httpx

from vaultbridge.core.errors import PortTaken

_ASK_SECONDS = 0.7
# What the usual neighbours say at which path.
_NEIGHBOURS = (
    ("/health", '"name":"vaultbridge"', "another vaultbridge"),
    ("/api/version", '"version"', "Ollama"),
    ("/lmstudio-greeting", "lmstudio", "LM Studio"),
    ("/api/v0/models", '"data"', "LM Studio"),
    ("/props", "default_generation_settings", "llama-server"),
    ("/v1/models", '"data"', "another OpenAI-compatible server"),
)


def claim(host: str, port: int, command: str) -> socket.socket:
    """The listening socket of ``host:port``.

    Raises PortTaken, saying who answers there, and ``command`` and endpoint with the next free port.
    """
    try:
        return _bind(host, port)
    except OSError:
        free = next(candidate for candidate in range(port + 1, 65536) if _is_free(host, candidate))
        raise PortTaken(
            f"Port {port} is taken by {_neighbour(host, port)}.",
            f"Try: {command} --port {free}   (endpoint: http://{host}:{free}/v1)",
        ) from None


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener


def _is_free(host: str, port: int) -> bool:
    try:
        _bind(host, port).close()
    except OSError:
        return False
    return True


def _neighbour(host: str, port: int) -> str:
    with httpx.Client(base_url=f"http://{host}:{port}", timeout=_ASK_SECONDS, trust_env=False) as client:
        for path, mark, name in _NEIGHBOURS:
            try:
                response = client.get(path)
            except httpx.HTTPError:
                break
            if response.is_success and mark in response.text.replace('": "', '":"'):
                return name
    return "another program"
