"""``vaultbridge search`` and ``vaultbridge ask``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vaultbridge.cli.console import err, out, print_json
from vaultbridge.cli.index import nearly_synced, reranker_loaded
from vaultbridge.cli.options import (
    BackendOption,
    ConfigOption,
    DataOption,
    EmbedderOption,
    JsonOption,
    ModelOption,
    ModeName,
    RerankerOption,
    VaultOption,
    settings_of,
)
from vaultbridge.core.errors import VaultbridgeError

if TYPE_CHECKING:
    from vaultbridge.settings import Settings


def search(
    text: Annotated[str, typer.Argument(help="What to look for.")],
    vault: VaultOption = None,
    limit: Annotated[int, typer.Option("-k", min=1, max=200, help="How many passages.")] = 10,
    mode: Annotated[ModeName, typer.Option(help="How to search.")] = ModeName.hybrid,
    data: DataOption = None,
    embedder: EmbedderOption = None,
    reranker: RerankerOption = None,
    backend: BackendOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find passages in the vault."""
    settings = settings_of(
        config,
        vault=vault,
        data=data,
        models__embedder=embedder,
        models__reranker=reranker,
        models__backend=backend,
        models__generator="none",
    )
    asyncio.run(_search(settings, text, limit, mode.value, as_json))


async def _search(settings: Settings, text: str, limit: int, mode: Any, as_json: bool) -> None:
    from vaultbridge.core.search import Query
    from vaultbridge.place import client_of, place_of
    from vaultbridge.server.vault.views import search_view
    from vaultbridge.wiring import open_house

    if client := client_of(place_of(settings)):
        async with client:
            found = await client.get("/vault/search", {"q": text, "k": limit, "mode": mode})
    else:
        async with open_house(settings) as house:
            await nearly_synced(house)
            await reranker_loaded(house)
            found = await search_view(house.services, Query(text, limit=limit, mode=mode))
    if as_json:
        print_json(found)
        return
    _print_away(found)
    if not found["hits"]:
        err.print("Nothing found.")
    for hit in found["hits"]:
        lanes = ", ".join(f"{lane} {score:.2f}" for lane, score in hit["lanes"].items())
        out.print(f"{hit['link']}  ({hit['note']}:{hit['span']['start_line']}; {lanes})", style="bold")
        out.print("  " + " ".join(hit["text"].split())[:200])


def ask(
    text: Annotated[str, typer.Argument(help="The question.")],
    vault: VaultOption = None,
    data: DataOption = None,
    model: ModelOption = None,
    embedder: EmbedderOption = None,
    reranker: RerankerOption = None,
    backend: BackendOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask the vault a question; the answer streams, its sources follow."""
    settings = settings_of(
        config,
        vault=vault,
        data=data,
        models__generator=model,
        models__embedder=embedder,
        models__reranker=reranker,
        models__backend=backend,
    )
    asyncio.run(_ask(settings, text, as_json))


async def _ask(settings: Settings, text: str, as_json: bool) -> None:
    from vaultbridge.place import client_of, place_of
    from vaultbridge.wiring import open_house

    if client := client_of(place_of(settings)):
        body = {"messages": [{"role": "user", "content": text}], "vaultbridge": {"sources": "field"}}
        async with client:
            await _print_answer(client.stream("/v1/chat/completions", body), as_json)
        return
    from vaultbridge.chat.service import Request
    from vaultbridge.core.dialogue import Conversation, Message
    from vaultbridge.server.asking import opened
    from vaultbridge.server.openai.answer import chunks
    from vaultbridge.server.openai.chat import ChatEnvelope

    async with open_house(settings) as house:
        await nearly_synced(house)
        await reranker_loaded(house)
        request = Request(
            Conversation((Message("user", (text,)),)), grounding=settings.chat.grounding, k=settings.chat.k
        )
        first, events = await opened(house.services.chat.answer(request))
        await _print_answer(
            chunks(ChatEnvelope(house.services.names.generator), first, events, include_usage=False), as_json
        )


def _print_away(view: Mapping[str, Any]) -> None:
    for away in view.get("degraded", ()):
        err.print(f"(Without the lane {away['lane']}: {away['reason']})", style="dim")


async def _print_answer(chunks: AsyncIterator[Mapping[str, Any]], as_json: bool) -> None:
    answer: list[str] = []
    citations: list[dict[str, Any]] = []
    ours: dict[str, Any] = {}
    async for chunk in chunks:
        if "error" in chunk:
            raise VaultbridgeError(chunk["error"]["message"])
        ours |= chunk.get("vaultbridge", {})
        citations = ours.get("citations", [])
        for choice in chunk["choices"]:
            piece = choice["delta"].get("content", "")
            answer.append(piece)
            if not as_json:
                out.print(piece, end="")
    used = [citation for citation in citations if citation["number"] in ours.get("used", [])]
    if as_json:
        print_json({"answer": "".join(answer), "model": chunk["model"], **ours})
        return
    out.print()
    _print_away(ours)
    for citation in used:
        place = f"{citation['path']}:{citation['span']['start_line']}"
        out.print(f"[{citation['number']}] {citation['link']}  ({place})", style="dim")
    if ours.get("omitted"):
        out.print(f"Left out for lack of room: {' · '.join(ours['omitted'])}", style="dim")
    if not ours.get("grounded"):
        out.print("(Not from your notes: none speaks of this.)", style="dim")
