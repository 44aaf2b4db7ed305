"""A real Chromium, and pages of strangers for it."""

from __future__ import annotations

import os
import shutil
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Newer Chromium asks its user before a page of the wide world reaches this computer. Older browsers do not, and a
    # user may agree: here the server has to do it alone.
    "--disable-features=LocalNetworkAccessChecks",
    # Names of strangers, all of which lead to this computer, as rebound names do.
    "--host-resolver-rules=MAP *.example 127.0.0.1",
)
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def chromium() -> str | None:
    """The browser's program: what ``CHROMIUM`` names, or the first that is installed."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def site(body: str = "<!doctype html><title>stranger</title>") -> Iterator[int]:
    """The port on this computer of another program's web page."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = body.encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


@contextmanager
def renaming(address: str, shown: str, called: str) -> Iterator[str]:
    """The address of a relay to ``address`` which calls the page's origin by another name, and back.

    An origin such as ``app://obsidian.md`` cannot be had in Chromium itself, which knows no such scheme; all that CORS
    is made of, preflight, headers and the reading of the stream, is the browser's own.
    """
    host, port = address.removeprefix("http://").split(":")
    open_lines: list[socket.socket] = []

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            line: socket.socket = self.request
            here = "{}:{}".format(*line.getsockname())
            there = {here: f"{host}:{port}", f"Origin: {shown}": f"Origin: {called}"}
            with socket.create_connection((host, int(port))) as other:
                open_lines.extend((line, other))
                back = threading.Thread(target=_copy, args=(other, line, {f": {called}": f": {shown}"}))
                back.start()
                _copy(line, other, there)
                back.join()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield "http://{}:{}".format(*server.server_address[:2])
        finally:
            server.shutdown()
            thread.join(5)
            for line in open_lines:
                with suppress(OSError):
                    line.shutdown(socket.SHUT_RDWR)


def _copy(source: socket.socket, target: socket.socket, names: dict[str, str]) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            for old, new in names.items():
                data = data.replace(old.encode(), new.encode())
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
