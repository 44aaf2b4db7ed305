"""``POST /vault/warm``: what a chat request will ask, before it is asked."""

from __future__ import annotations

from pydantic import ConfigDict, Field, model_validator
from starlette.datastructures import Headers
from typing_extensions import TypedDict

from vaultbridge.chat.service import Request
from vaultbridge.server.openai.chat import ChatBody
from vaultbridge.server.openai.messages import WireMessage
from vaultbridge.server.options import choose
from vaultbridge.server.services import Services
from vaultbridge.server.views import CitationView, citation_view


class WarmBody(ChatBody):
    """A chat's body as it will be sent. ``draft`` is the newest question as far as it is typed, behind ``messages``."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"draft": "When do I water the tom"}]})

    messages: list[WireMessage] = Field(default_factory=list)
    draft: str | None = None

    @model_validator(mode="after")
    def _with_draft(self) -> WarmBody:
        if self.draft is not None:
            self.messages = [*self.messages, WireMessage(role="user", content=self.draft)]
        return self


class WarmView(TypedDict):
    """Whether it was prefilled, how many tokens it has, how many of them were cached, and what may be cited."""

    warmed: bool
    prompt_tokens: int
    cached_tokens: int
    citations: list[CitationView]


async def warm_view(services: Services, body: WarmBody, headers: Headers) -> WarmView:
    """Whether it was prefilled, how many tokens it has, how many of them were cached, and what may be cited."""
    served = services.names.serving(body.model)
    chosen = choose(body.vaultbridge, headers, body.model, services.defaults)
    warmed = await services.chat.warm(
        Request(
            prompt=body.to_conversation(),
            grounding=chosen.grounding,
            scope=chosen.scope,
            k=chosen.k,
            note=chosen.note,
            model=served,
        )
    )
    usage = warmed.usage
    return {
        "warmed": usage is not None,
        "prompt_tokens": usage.prompt_tokens if usage else 0,
        "cached_tokens": usage.cached_tokens if usage else 0,
        "citations": [citation_view(cited) for cited in warmed.citations],
    }
