"""``/vault/models``: which models there are, and fetching one while the client watches."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from vaultbridge.catalog.catalog import ModelRole
from vaultbridge.catalog.local import LocalModel
from vaultbridge.catalog.pull import Pulled, Puller
from vaultbridge.catalog.reference import InRepository, Named, parse
from vaultbridge.catalog.supply import ModelStatus, Supply
from vaultbridge.core.errors import ConfigError, InvalidRequest
from vaultbridge.server.errors import ErrorView, error_view

log = logging.getLogger(__name__)

_TELL_SECONDS = 0.2


class ModelView(TypedDict):
    """A model, by the name to use it by: fetched (``present``), ``found`` with another program, or to be fetched.

    ``size`` is what is downloaded, or on the disk; ``role`` is null if only loading it would tell.
    """

    name: str
    role: ModelRole | None
    title: str
    licence: str
    size: int
    present: bool
    found: str
    starter: bool
    note: str
    origin: str


class ModelsView(TypedDict):
    """All models."""

    models: list[ModelView]


class PullBody(BaseModel):
    """What to fetch: a name of the catalogue, or a file of a repository on the hub."""

    model_config = ConfigDict(
        extra="ignore", json_schema_extra={"examples": [{"model": "gemma-3-4b-it"}, {"model": "hf:OWNER/REPO:Q4_K_M"}]}
    )

    model: str = Field(min_length=1, max_length=400)


class PullProgress(TypedDict):
    """How far it is; ``total`` is 0 if nobody knows. ``waiting``: another pull of the same model is at work."""

    type: Literal["progress"]
    stage: str
    done: int
    total: int


class PullEnd(TypedDict):
    """The model is here."""

    type: Literal["end"]
    name: str
    licence: str
    note: str


class PullError(TypedDict):
    """The model is not here, and why. What has arrived is kept unless it is wrong or the disk is full."""

    type: Literal["error"]
    error: ErrorView


PullEvent = PullProgress | PullEnd | PullError


def models_view(supply: Supply) -> ModelsView:
    """The catalogue's models as they stand here, and those outside of it."""
    others = (local_view(model, supply.is_ours(model)) for model in supply.others())
    return {"models": [*map(entry_view, supply.statuses()), *others]}


def entry_view(status: ModelStatus) -> ModelView:
    """A model of the catalogue."""
    entry = status.entry
    return {
        "name": entry.name,
        "role": entry.role,
        "title": entry.title,
        "licence": entry.licence,
        "size": status.on_disk or entry.size,
        "present": status.present,
        "found": status.found.origin if status.found else "",
        "starter": entry.starter,
        "note": entry.note,
        "origin": "",
    }


def local_view(model: LocalModel, ours: bool) -> ModelView:
    """A model outside of the catalogue."""
    return {
        "name": model.name,
        "role": model.role,
        "title": model.name,
        "licence": model.licence,
        "size": model.size,
        "present": ours,
        "found": "" if ours else model.origin,
        "starter": False,
        "note": "",
        "origin": model.origin if ours else "",
    }


def check_pull(body: PullBody) -> None:
    """Raise InvalidRequest for what cannot be read, or is for the command line only.

    That is whatever is not on the hub: a page that may ask here could have us fetch from anywhere in the network.
    """
    try:
        reference = parse(body.model)
    except ConfigError as error:
        raise InvalidRequest(error.message, error.hint, param="model") from error
    if not isinstance(reference, Named | InRepository):
        raise InvalidRequest(
            "Only names of the catalogue and hf:OWNER/REPO are fetched here.",
            "Fetch it on the command line: vaultbridge models pull",
            param="model",
        )


class Pull:
    """One pull, watched from the loop while a thread does it."""

    def __init__(self, puller: Puller, wanted: str) -> None:
        self._puller, self._wanted = puller, wanted
        self._loop = asyncio.get_running_loop()
        self._news: asyncio.Queue[PullProgress | None] = asyncio.Queue()
        self._stopped = threading.Event()
        self._told = 0.0
        self.last: PullProgress = {"type": "progress", "stage": "asking", "done": 0, "total": 0}
        """What was told last."""

    async def events(self) -> AsyncGenerator[PullEvent, None]:
        """Fetch the model and tell how far it is; closing this ends the pull, and what has arrived is kept."""
        task = asyncio.create_task(asyncio.to_thread(self._puller.pull, self._wanted, self._tell))
        task.add_done_callback(lambda _: self._news.put_nowait(None))
        try:
            yield self.last
            while (event := await self._news.get()) is not None:
                self.last = event
                yield event
            yield _outcome(task)
        finally:
            self._stopped.set()
            task.add_done_callback(_forget)

    def _tell(self, stage: str, done: int, total: int) -> None:
        if self._stopped.is_set():
            raise _Stopped
        if stage != self.last["stage"] or time.monotonic() - self._told >= _TELL_SECONDS or done == total:
            self._told = time.monotonic()
            event: PullProgress = {"type": "progress", "stage": stage, "done": done, "total": total}
            with suppress(RuntimeError):  # the loop is closed: the server ends
                self._loop.call_soon_threadsafe(self._news.put_nowait, event)


class _Stopped(Exception):
    """Nobody watches any more."""


def _outcome(task: asyncio.Task[Pulled]) -> PullEnd | PullError:
    error = task.exception()
    if error is None:
        pulled = task.result()
        return {"type": "end", "name": pulled.name, "licence": pulled.licence, "note": pulled.note}
    if not isinstance(error, Exception):
        raise error
    view = error_view(error)
    if view["code"] == "internal_error":
        log.error("a pull failed", exc_info=error)
    return {"type": "error", "error": view}


def _forget(task: asyncio.Task[Pulled]) -> None:
    """Take note of how an abandoned pull ended, so that asyncio does not complain."""
    if not task.cancelled():
        task.exception()
