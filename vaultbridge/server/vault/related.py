"""``/vault/related``: notes that have to do with a note or a text."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from vaultbridge.core.errors import InvalidRequest
from vaultbridge.core.notes import NotePath
from vaultbridge.core.search import Query, Scope
from vaultbridge.retrieve.related import Related, by_note, relating
from vaultbridge.server.services import Services
from vaultbridge.server.vault.views import SearchView, found_view

MOST_NOTES = 50
TAIL_CHARACTERS = 1000
"""How much of a long text, from its end, is what it is about now."""
_CHUNKS = 8
"""Chunks looked at for each note that is wanted: the best of one note stand together."""


class RelatedBody(BaseModel):
    """A note's path, or a text that is in no note yet, and how many related notes are wanted."""

    model_config = ConfigDict(
        extra="ignore", json_schema_extra={"examples": [{"note": "Garden/Tomatoes.md", "k": 5}, {"text": "red fruit"}]}
    )

    note: str | None = None
    text: str | None = None
    k: Annotated[int, Field(ge=1, le=MOST_NOTES)] = 10
    exclude: list[str] = Field(default_factory=list)

    @model_validator(mode="after")
    def _one_of_both(self) -> RelatedBody:
        if not (self.note or (self.text or "").strip()):
            raise ValueError("give a note or a text")
        return self


async def related_view(services: Services, body: RelatedBody) -> SearchView:
    """The related notes, each by the passage that relates most. Raises InvalidRequest for one that is not indexed."""
    exclude = tuple(NotePath(path) for path in body.exclude)
    if body.note:
        path = NotePath(body.note)
        receipt = (await services.store.receipts([path])).get(path)
        if receipt is None:
            raise InvalidRequest(
                "The note is not in the index.",
                "GET /vault/notes/{path} says why; send its text instead.",
                param="note",
            )
        name = " ".join(dict.fromkeys((receipt.title, *receipt.aliases, *receipt.headings)))
        related = Related(services.store, services.retriever.weights)
        floor = await services.retriever.floor(name)
        return await found_view(services, name, await related.to_note(path, name, body.k, exclude, floor))
    text = (body.text or "").strip()[-TAIL_CHARACTERS:]
    found = await services.retriever.search(Query(text, Scope(exclude=exclude), limit=_CHUNKS * body.k))
    hits = relating(found.hits, text, await services.retriever.floor(text))
    return await found_view(services, text, replace(found, hits=by_note(hits, body.k)))
