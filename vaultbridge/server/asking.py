"""From a client's question, in whatever dialect it came, to the events of its answer: the dialects' common ground."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing

from starlette.datastructures import Headers

from vaultbridge.chat.service import AnswerEvent
from vaultbridge.chat.service import Request as AnswerRequest
from vaultbridge.core.dialogue import Continuation, Failed, Prompt, Sampling
from vaultbridge.server.options import VaultOptions, choose
from vaultbridge.server.services import Services

log = logging.getLogger(__name__)

CLIENT_LEFT = 499
"""The status of an answer that nobody reads."""

Events = AsyncGenerator[AnswerEvent, None]


def ask(
    services: Services,
    headers: Headers,
    model: str,
    prompt: Prompt,
    sampling: Sampling,
    options: VaultOptions | None = None,
) -> Events:
    """The events of an answer to ``prompt``, grounded as model id, ``options``, headers and defaults say.

    What has a form of its own (a grammar, a schema, a text that is continued, a tool's call) carries no sources in it.
    Raises UnknownModel, InvalidRequest.
    """
    services.names.check(model, services.names.generator)
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
        )
    )


async def opened(events: Events) -> tuple[AnswerEvent, Events]:
    """The first event, drawn before any header is sent, so that an early failure has its own status.

    Raises the error if it is one.
    """
    first = await anext(events)
    if isinstance(first, Failed):
        await events.aclose()
        raise first.error
    return first, events


async def failing_softly(events: Events) -> Events:
    """The same events; an unforeseen error becomes the last of them, since the headers are sent already."""
    async with aclosing(events):
        try:
            async for event in events:
                yield event
        except Exception as error:
            log.error("an answer failed: %s", type(error).__name__, exc_info=error)
            yield Failed(error)
