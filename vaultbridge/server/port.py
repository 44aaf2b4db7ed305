"""An address before we take it: who could reach it, is it free, and if not, who answers there?"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket

import httpx

from vaultbridge.core.errors import ConfigError, PortTaken

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


def is_loopback(host: str) -> bool:
    """Whether only programs on this computer reach what listens on ``host``."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def in_url(host: str) -> str:
    """A host as it stands in an address."""
    return f"[{host}]" if ":" in host else host


def claim(host: str, port: int, command: str) -> socket.socket:
    """The listening socket of ``host:port``.

    Raises PortTaken, saying who answers there, and ``command`` and endpoint with the next free port; ConfigError if
    this computer cannot listen there at all.
    """
    try:
        return _bind(host, port)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            hint = "Check server.host and server.port; ports below 1024 need rights that vaultbridge should not have."
            raise ConfigError(f"Cannot listen on {host}, port {port}: {error.strerror}.", hint) from error
    free = next((candidate for candidate in range(port + 1, 65536) if _is_free(host, candidate)), None)
    raise PortTaken(
        f"Port {port} is taken by {_neighbour(host, port)}.",
        f"Try: {command} --port {free}   (endpoint: http://{in_url(host)}:{free}/v1)"
        if free is not None
        else "Choose a lower one with --port.",
    )


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":  # elsewhere it would take a port that is in use
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
    with httpx.Client(base_url=f"http://{in_url(host)}:{port}", timeout=_ASK_SECONDS, trust_env=False) as client:
        for path, mark, name in _NEIGHBOURS:
            try:
                response = client.get(path)
            except httpx.HTTPError:
                break
            if response.is_success and mark in response.text.replace('": "', '":"'):
                return name
    return "another program"
