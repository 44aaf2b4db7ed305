"""A stand-in for the hub: a real HTTP server that speaks its API, and one more that takes the place of its CDN.

What it should do wrong is said in ``Faults``.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

COMMIT = "c" * 40
TOKEN = "hf_secret"
BLOCK = 64 << 10


@dataclass
class Faults:
    """``cut``: connections that end after so many bytes, one after the other. ``busy``: answers of 429 or 503 before
    the first good one, each with its Retry-After. ``slow``: seconds for each block. ``whole``: parts are not served."""

    cut: list[int] = field(default_factory=list)
    busy: list[tuple[int, str]] = field(default_factory=list)
    slow: float = 0.0
    whole: bool = False
    gated: bool = False
    flipped: int = -1


@dataclass
class Hub:
    """Repositories by name, with their files by path, and what was asked of it."""

    repositories: dict[str, dict[str, bytes]]
    licence: str = "gemma"
    faults: Faults = field(default_factory=Faults)
    endpoint: str = ""
    cdn: str = ""
    sent: Counter[str] = field(default_factory=Counter)
    """Bytes of each file that were sent."""
    asked: list[tuple[str, str, Mapping[str, str]]] = field(default_factory=list)
    """Server (``hub`` or ``cdn``), path and headers of each request."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def url(self, repo: str, file: str) -> str:
        return f"{self.endpoint}/{repo}/resolve/main/{file}"

    def requests(self, server: str) -> list[str]:
        return [path for name, path, _ in self.asked if name == server]


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """The hub and its CDN, each at a port of its own."""
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub, name)) for name in ("hub", "cdn")]
    hub.endpoint, hub.cdn = (f"http://127.0.0.1:{server.server_port}" for server in servers)
    threads = [threading.Thread(target=server.serve_forever, daemon=True) for server in servers]
    for thread in threads:
        thread.start()
    try:
        yield hub
    finally:
        for server, thread in zip(servers, threads, strict=True):
            server.shutdown()
            server.server_close()
            thread.join()


def _handler(hub: Hub, name: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path)
            hub.asked.append((name, path, {key.lower(): value for key, value in self.headers.items()}))
            try:
                if name == "cdn":
                    self.content(path.removeprefix("/"))
                elif match := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/([^/]+))?", path):
                    self.info(match[1], match[2] or "main")
                elif match := re.fullmatch(r"/api/v1/models/([^/]+/[^/]+)/repo/files", path):
                    self.modelscope_files(match[1])
                elif match := re.fullmatch(r"(?:/models)?/([^/]+/[^/]+)/resolve/[^/]+/(.+)", path):
                    self.resolve(match[1], match[2])
                else:
                    self.fail(404, "")
            except (BrokenPipeError, ConnectionResetError):  # whoever asked was killed
                self.close_connection = True

        def info(self, repo: str, revision: str) -> None:
            if repo not in hub.repositories:
                self.fail(401, "RepoNotFound")
                return
            if revision not in ("main", COMMIT):
                self.fail(404, "RevisionNotFound")
                return
            siblings = [
                {
                    "rfilename": path,
                    "size": len(data),
                    "blobId": hashlib.sha1(f"blob {len(data)}\0".encode() + data).hexdigest(),
                    **(
                        {"lfs": {"size": len(data), "sha256": digest(data), "pointerSize": 134}}
                        if is_large(path)
                        else {}
                    ),
                }
                for path, data in hub.repositories[repo].items()
            ]
            body = {
                "id": repo,
                "sha": COMMIT,
                "gated": "manual" if hub.faults.gated else False,
                "cardData": {"license": hub.licence},
                "siblings": siblings,
            }
            self.reply(200, json.dumps(body).encode(), {"Content-Type": "application/json"})

        def modelscope_files(self, repo: str) -> None:
            if repo not in hub.repositories or parse_qs(urlsplit(self.path).query)["Revision"] != ["master"]:
                self.fail(404, "")
                return
            files = [
                {"Path": path, "Size": len(data), "Sha256": digest(data), "Type": "blob"}
                for path, data in hub.repositories[repo].items()
            ]
            files.append({"Path": "folder", "Size": 0, "Type": "tree"})
            body = json.dumps({"Code": 200, "Data": {"Files": files}}).encode()
            self.reply(200, body, {"Content-Type": "application/json"})

        def resolve(self, repo: str, file: str) -> None:
            if hub.faults.gated and self.headers.get("Authorization") != f"Bearer {TOKEN}":
                self.fail(401, "GatedRepo")
                return
            data = hub.repositories.get(repo, {}).get(file)
            if data is None:
                self.fail(404, "EntryNotFound")
                return
            if not is_large(file):
                self.content(f"{repo}/{file}")
                return
            headers = {
                "Location": f"{hub.cdn}/{repo}/{file}",
                "X-Linked-ETag": f'"{digest(data)}"',
                "X-Linked-Size": str(len(data)),
            }
            self.reply(302, b"", headers)

        def content(self, key: str) -> None:
            owner, repo, file = key.split("/", 2)
            data = hub.repositories[f"{owner}/{repo}"][file]
            with hub.lock:
                busy = hub.faults.busy.pop(0) if hub.faults.busy else None
            if busy:
                self.reply(busy[0], b"", {"Retry-After": busy[1]})
                return
            asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
            if asked is None or hub.faults.whole:
                self.headed(200, {"Content-Length": str(len(data)), "ETag": '"tag"'})
                self.send(file, data, 0, len(data))
                return
            begin, end = int(asked[1]), min(int(asked[2]) + 1, len(data))
            if begin >= len(data):
                self.reply(416, b"", {"Content-Range": f"bytes */{len(data)}"})
                return
            headers = {"Content-Length": str(end - begin), "Content-Range": f"bytes {begin}-{end - 1}/{len(data)}"}
            self.headed(206, headers)
            self.send(file, data, begin, end)

        def send(self, file: str, data: bytes, begin: int, end: int) -> None:
            with hub.lock:
                left = hub.faults.cut.pop(0) if hub.faults.cut and end - begin > 1 else end - begin
            for at in range(begin, min(end, begin + left), BLOCK):
                block = bytearray(data[at : min(end, begin + left, at + BLOCK)])
                if at <= hub.faults.flipped < at + len(block):
                    block[hub.faults.flipped - at] ^= 1
                self.wfile.write(block)
                with hub.lock:
                    hub.sent[file] += len(block)
                time.sleep(hub.faults.slow)
            if left < end - begin:
                self.close_connection = True

        def headed(self, status: int, headers: Mapping[str, str]) -> None:
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            self.end_headers()

        def reply(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
            self.headed(status, {"Content-Length": str(len(body)), **headers})
            self.wfile.write(body)

        def fail(self, status: int, code: str) -> None:
            self.reply(status, b"", {"X-Error-Code": code})

    return Handler


def is_large(path: str) -> bool:
    """Whether the hub keeps a file in large-file storage, behind the CDN."""
    return path.endswith((".gguf", ".safetensors", ".bin"))


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
