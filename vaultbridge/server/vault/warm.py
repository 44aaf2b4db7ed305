"""``POST /vault/warm``: what a chat request will ask, before it is asked."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from pydantic import Field, model_validator
from starlette.datastructures import Headers

from vaultbridge.chat.service import Request
from vaultbridge.server.openai.answer import QUOTE_CHARACTERS
from vaultbridge.server.openai.options import choose
from vaultbridge.server.openai.wire import ChatBody, WireMessage
from vaultbridge.server.services import Services


class WarmBody(ChatBody):
    """A chat's body as it will be sent. ``draft`` is the newest question as far as it is typed, behind ``messages``."""

    messages: list[WireMessage] = Field(default_factory=list)
    draft: str | None = None

    @model_validator(mode="after")
    def _with_draft(self) -> WarmBody:
        if self.draft is not None:
            self.messages = [*self.messages, WireMessage(role="user", content=self.draft)]
        return self


async def warm_view(services: Services, body: WarmBody, headers: Headers) -> dict[str, Any]:
    """Whether it was prefilled, how many tokens it has, how many of them were cached, and what may be cited."""
    services.names.check(body.model, services.names.generator)
    chosen = choose(body.vaultbridge, headers, body.model, services.defaults)
    warmed = await services.chat.warm(
        Request(
            prompt=body.to_conversation(),
            grounding=chosen.grounding,
            scope=chosen.scope,
            k=chosen.k,
            note=chosen.note,
        )
    )
    usage = warmed.usage
    return {
        "warmed": usage is not None,
        "prompt_tokens": usage.prompt_tokens if usage else 0,
        "cached_tokens": usage.cached_tokens if usage else 0,
        "citations": [asdict(cited) | {"quote": cited.quote[:QUOTE_CHARACTERS]} for cited in warmed.citations],
    }
