"""From a client's question, in whatever dialect it came, to the events of its answer: the dialects' common ground."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TypeVar

from starlette.datastructures import Headers

from vaultbridge.chat.service import AnswerEvent, Grounding
from vaultbridge.chat.service import Request as AnswerRequest
from vaultbridge.core.dialogue import Continuation, Failed, Prompt, Sampling
from vaultbridge.core.errors import VaultbridgeError
from vaultbridge.server.options import VaultOptions, choose
from vaultbridge.server.services import Services

log = logging.getLogger(__name__)

CLIENT_LEFT = 499
"""The status of an answer that nobody reads."""

PATIENCE_SECONDS = 5.0
"""How long a stream's first event is waited for before its headers are sent, behind which the line is kept alive."""

Events = AsyncGenerator[AnswerEvent, None]
Begun = tuple[AnswerEvent, Events]
T = TypeVar("T")


def ask(
    services: Services,
    headers: Headers,
    model: str,
    prompt: Prompt,
    sampling: Sampling,
    options: VaultOptions | None = None,
    keep_alive: float | None = None,
) -> Events:
    """The events of an answer to ``prompt``, grounded as model id, ``options``, headers and defaults say.

    ``keep_alive``: seconds that the model stays loaded when nobody asks it any more.

    What has a form of its own (a grammar, a schema, a text that is continued, a tool's call) carries no sources in it.
    Raises UnknownModel, InvalidRequest.
    """
    served = services.names.serving(model, "completion" if isinstance(prompt, Continuation) else "chat")
    structured = isinstance(prompt, Continuation) or bool(prompt.tools) or sampling.grammar is not None
    chosen = choose(options, headers, model, services.defaults, structured)
    return services.chat.answer(
        AnswerRequest(
            prompt=prompt,
            sampling=sampling,
            grounding=chosen.grounding,
            scope=chosen.scope,
            k=chosen.k,
            sources=chosen.sources,
            note=chosen.note,
            editor=chosen.editor,
            hygiene=chosen.hygiene,
            model=served,
            keep_alive=keep_alive,
        )
    )


async def opened(events: Events) -> Begun:
    """The first event, drawn before any header is sent, so that an early failure has its own status.

    Raises the error if it is one.
    """
    first = await anext(events)
    if isinstance(first, Failed):
        await events.aclose()
        raise first.error
    return first, events


async def opening(events: Events) -> asyncio.Task[Begun]:
    """What ``opened`` gives, which is here already unless it takes long: a model is being loaded, or others are served.

    Raises the error if it is one by then.
    """
    begun = asyncio.create_task(opened(events))
    try:
        await asyncio.wait([begun], timeout=PATIENCE_SECONDS)
    except asyncio.CancelledError:
        begun.cancel()
        raise
    if begun.done():
        begun.result()
    return begun


async def streaming(
    services: Services, begun: asyncio.Task[Begun], written: Callable[[Begun], AsyncGenerator[T, None]]
) -> AsyncGenerator[T, None]:
    """The answer as ``written``, once it is opened; a failure until then is written as one in the middle."""
    try:
        answer = await begun
    except Exception as error:
        if not isinstance(error, VaultbridgeError):
            log.error("an answer failed: %s", type(error).__name__, exc_info=error)
        answer = Grounding((), (), services.index.freshness), _only(Failed(error))
    async with aclosing(written(answer)) as parts:
        async for part in parts:
            yield part


async def _only(event: AnswerEvent) -> Events:
    yield event


async def failing_softly(events: Events) -> Events:
    """The same events; an unforeseen error becomes the last of them, since the headers are sent already."""
    async with aclosing(events):
        try:
            async for event in events:
                yield event
        except Exception as error:
            log.error("an answer failed: %s", type(error).__name__, exc_info=error)
            yield Failed(error)
