"""Fetching one file over HTTP: several parts at a time, resumed after any end, checked at last.

``huggingface_hub`` finds files well, but (2.4) it writes each attempt into a file of its own and deletes that when it
fails: a killed download begins anew. So the bytes are fetched here.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from email.utils import parsedate_to_datetime
from pathlib import Path
from time import time

import httpx

from vaultbridge.catalog.partial import Gap, PartialFile
from vaultbridge.core.errors import DiskFull, DownloadFailed, ModelInvalid, ModelMissing
from vaultbridge.core.ports import RemoteFile

Advance = Callable[[str, int], None]
"""Called with the stage (``fetching``, ``checking``) and the bytes done. What it raises ends the transfer."""

_CONNECTIONS = 4
_LOOK_SECONDS = 0.2
_LOOKS_PER_SAVE = 5
_TIMEOUT_SECONDS = 30.0
_ATTEMPTS = 5
"""Failures in a row, without a byte between them, before a transfer gives up."""
_LONGEST_WAIT = 120.0
_BLOCK = 1 << 20
_BUSY = (408, 425, 429, 500, 502, 503, 504)
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def describe(file: RemoteFile, pause: float = 1.0) -> RemoteFile:
    """A file with its size, and its digest if the server tells, for one of which only the address is known.

    Raises as ``fetch``.
    """

    async def ask() -> RemoteFile:
        async with _client(file) as client:
            return (await _probe(client, file, pause))[0]

    return asyncio.run(ask())


def fetch(file: RemoteFile, path: Path, advance: Advance, pause: float = 1.0) -> None:
    """Bring ``file`` to ``path``, going on where the last attempt ended; what arrived is kept if this one ends early.

    ``pause`` is the first wait, in seconds, after a failure; it doubles. Raises ModelMissing if there is no such file
    or it is refused, DownloadFailed if the network or the server fails for long, ModelInvalid for a wrong content and
    DiskFull, both of which leave nothing.
    """
    if not (PartialFile.is_whole(path) and _is_right(file, path, advance)):
        asyncio.run(_Transfer(file, path, advance, pause).run())


class _Transfer:
    def __init__(self, file: RemoteFile, path: Path, advance: Advance, pause: float) -> None:
        self._file, self._path, self._advance, self._pause = file, path, advance, pause
        self._partial: PartialFile | None = None

    async def run(self) -> None:
        bringing, watching = asyncio.create_task(self._bring()), asyncio.create_task(self._watch())
        try:
            await asyncio.wait((bringing, watching), return_when=asyncio.FIRST_COMPLETED)
        finally:
            bringing.cancel()
            watching.cancel()
            await asyncio.gather(bringing, watching, return_exceptions=True)
        for task in (bringing, watching):
            if not task.cancelled():
                task.result()

    async def _watch(self) -> None:
        while True:
            for _ in range(_LOOKS_PER_SAVE):
                self._advance("fetching", self._partial.done if self._partial else 0)
                await asyncio.sleep(_LOOK_SECONDS)
            if self._partial:
                self._partial.save()

    async def _bring(self) -> None:
        async with _client(self._file) as client:
            file, tag, in_parts = await _probe(client, self._file, self._pause)
            identity = file.sha256 or file.git_blob or f"{file.url} {tag}"
            with PartialFile(self._path, file.size, identity) as partial:
                if not in_parts:
                    partial.restart()
                self._partial = partial
                try:
                    await self._fill(client, partial, in_parts)
                    if not _is_right(file, self._path, self._advance):
                        raise ModelInvalid(
                            f"{file.path} is not the file that was promised: its checksum is wrong.",
                            "Nothing was kept. Run the same command again; if it stays so, the server is at fault.",
                        )
                    partial.finish()
                except ModelInvalid:
                    partial.discard()
                    raise
                except OSError as error:
                    if error.errno not in _NO_ROOM:
                        raise
                    partial.discard()
                    raise no_room(self._path, file.size) from error
                finally:
                    self._partial = None

    async def _fill(self, client: httpx.AsyncClient, partial: PartialFile, in_parts: bool) -> None:
        waiting = deque(partial.gaps)

        async def work() -> None:
            while waiting:
                await self._fill_gap(client, partial, waiting.popleft(), in_parts)

        workers = [asyncio.create_task(work()) for _ in range(min(_CONNECTIONS, len(waiting)))]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            partial.save()
        self._advance("fetching", partial.done)

    async def _fill_gap(self, client: httpx.AsyncClient, partial: PartialFile, gap: Gap, in_parts: bool) -> None:
        async def attempt() -> None:
            if not in_parts:
                gap.at = 0
            asked = {"Range": f"bytes={gap.at}-{gap.end - 1}"} if in_parts else {}
            async with _answer(client, self._file, asked) as response:
                if in_parts and not response.headers.get("Content-Range", "").startswith(f"bytes {gap.at}-"):
                    raise httpx.RemoteProtocolError("another part came than was asked for")
                async for data in response.aiter_raw():
                    partial.fill(gap, data)
            if gap.at < gap.end:
                raise httpx.RemoteProtocolError("the answer ended early")

        await _persist(attempt, lambda: gap.at, self._pause, self._file)


def _is_right(file: RemoteFile, path: Path, advance: Advance) -> bool:
    """Whether a whole file is what was promised, as far as anything was."""
    if file.size and path.stat().st_size != file.size:
        return False
    if not (file.sha256 or file.git_blob):
        return True
    digest = hashlib.sha256() if file.sha256 else hashlib.sha1(f"blob {file.size}\0".encode(), usedforsecurity=False)
    done = 0
    with path.open("rb") as content:
        while block := content.read(_BLOCK):
            digest.update(block)
            done += len(block)
            advance("checking", done)
    return digest.hexdigest() == (file.sha256 or file.git_blob)


def no_room(path: Path, size: int) -> DiskFull:
    """The error for a disk on which ``size`` bytes do not fit at ``path``."""
    length = f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"
    return DiskFull(
        f"There is no room for {path.name} ({length}).",
        "Nothing was kept. Free some space, or set models.folder to a larger disk.",
    )


def _client(file: RemoteFile) -> httpx.AsyncClient:
    # Compressed on its way, a part could not be placed. The token in the headers stays with its host in redirects.
    headers = {"User-Agent": "vaultbridge", "Accept-Encoding": "identity", **file.headers}
    return httpx.AsyncClient(headers=headers, follow_redirects=True, timeout=_TIMEOUT_SECONDS)


async def _probe(client: httpx.AsyncClient, file: RemoteFile, pause: float) -> tuple[RemoteFile, str, bool]:
    """The file as its server describes it, what marks this version of it, and whether it may be had in parts."""
    found: list[tuple[RemoteFile, str, bool]] = []

    async def attempt() -> None:
        async with _answer(client, file, {"Range": "bytes=0-0"}) as response:
            _, _, total = response.headers.get("Content-Range", "").partition("/")
            length = total if response.status_code in (206, 416) else response.headers.get("Content-Length", "")
            if not length.isdecimal():
                raise DownloadFailed(f"{_host(file)} does not say how long {file.path} is.", "Use another address.")
            if file.size not in (0, int(length)):
                raise ModelInvalid(
                    f"{file.path} has {int(length)} bytes at {_host(file)}, and should have {file.size}.",
                    "The mirror is behind the hub, or ahead of it: try again later or another HF_ENDPOINT.",
                )
            linked = (each.headers.get("X-Linked-ETag", "").strip('W/"') for each in (*response.history, response))
            sha256 = file.sha256 or next((tag for tag in linked if len(tag) == 64), "")
            tag = response.headers.get("ETag", "") or response.headers.get("Last-Modified", "")
            found.append((replace(file, size=int(length), sha256=sha256), tag, response.status_code == 206))

    await _persist(attempt, lambda: len(found), pause, file)
    return found[-1]


@asynccontextmanager
async def _answer(
    client: httpx.AsyncClient, file: RemoteFile, headers: dict[str, str]
) -> AsyncIterator[httpx.Response]:
    async with client.stream("GET", file.url, headers=headers) as response:
        status = response.status_code
        if status in _BUSY:
            raise _Busy(status, _seconds(response.headers.get("Retry-After", "")))
        if status in (401, 403):
            raise ModelMissing(
                f"{_host(file)} refuses {file.path} ({status}).",
                "If it is gated, accept its licence on its page; then log in: set HF_TOKEN, or run hf auth login.",
            )
        if status in (404, 410):
            raise ModelMissing(f"There is no {file.path} at {_host(file)}.", "Check the name or the address.")
        if status >= 400 and status != 416:
            raise DownloadFailed(f"{_host(file)} answers {status} for {file.path}.", "Try again later.")
        yield response


class _Busy(Exception):
    """The server wants to be asked again, after ``seconds`` if it says so."""

    def __init__(self, status: int, seconds: float | None) -> None:
        super().__init__(f"it answers {status}")
        self.seconds = seconds


async def _persist(
    attempt: Callable[[], Awaitable[None]], position: Callable[[], int], pause: float, file: RemoteFile
) -> None:
    """Repeat what fails for reasons that pass, as long as it gets further or the patience lasts."""
    failures = 0
    while True:
        before = position()
        try:
            await attempt()
            return
        except (_Busy, httpx.TransportError) as error:
            failures = 1 if position() > before else failures + 1
            wait = pause * 2 ** (failures - 1)
            if isinstance(error, _Busy) and error.seconds is not None:
                wait = error.seconds
            if failures >= _ATTEMPTS or wait > _LONGEST_WAIT:
                reason = str(error) or type(error).__name__
                raise DownloadFailed(
                    f"{file.path} cannot be fetched from {_host(file)}: {reason}.",
                    "What has arrived is kept: run the same command again to go on.",
                ) from error
        except httpx.HTTPError as error:  # it redirects for ever, or to nowhere
            raise DownloadFailed(f"{file.path} cannot be fetched: {error}.", "Check the address.") from error
        await asyncio.sleep(wait)


def _seconds(retry_after: str) -> float | None:
    """``Retry-After``: seconds, or a date."""
    if retry_after.isdecimal():
        return float(retry_after)
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time())
    except (TypeError, ValueError):
        return None


def _host(file: RemoteFile) -> str:
    return httpx.URL(file.url).host
