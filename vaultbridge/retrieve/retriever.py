"""From a query to ranked hits: the lanes fused, links followed, and what is not relevant left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from vaultbridge.core.notes import Chunk, NotePath, note_name
from vaultbridge.core.ports import ChunkStore, EmbeddingService
from vaultbridge.core.search import Hit, Period, Query
from vaultbridge.retrieve.floors import Floor, Floors
from vaultbridge.retrieve.fusion import ranked
from vaultbridge.retrieve.lanes import Findings, Lanes
from vaultbridge.retrieve.links import gifts, givers
from vaultbridge.retrieve.passages import joined, section
from vaultbridge.retrieve.relevance import Asked
from vaultbridge.retrieve.rescoring import Rescoring
from vaultbridge.retrieve.timing import is_answer_by_time, timely, within
from vaultbridge.retrieve.weights import FusionWeights

MORE_OF_A_TIME = 4
"""So many times the wanted hits are looked at where the time decides between them."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found, best first. ``degraded``: lanes that did not answer, and the code of what kept each away.

    ``linked`` says of notes that links speak for which other note's do.
    """

    hits: Sequence[Hit] = ()
    degraded: Mapping[str, str] = field(default_factory=dict)
    linked: Mapping[NotePath, NotePath] = field(default_factory=dict)


class Retriever:
    """Finds chunks. Without an embedder, or while it is away, the keyword lane answers alone."""

    def __init__(
        self,
        store: ChunkStore,
        embeddings: EmbeddingService | None,
        weights: FusionWeights | None = None,
        rescoring: Rescoring | None = None,
        floors: Floors | None = None,
    ) -> None:
        self._store = store
        self._lanes = Lanes(store, embeddings, floors)
        self._rescoring = rescoring
        self.weights = weights or FusionWeights()

    async def search(self, query: Query) -> Found:
        """The best ``query.limit`` chunks. Raises what keeps a lane away if only that one is asked."""
        found, findings = await self._find(query)
        return await self._best(query, found, findings)

    async def relevant(self, query: Query, editing: str = "", *, any_hit: bool = False) -> Found:
        """The passages that speak of the query: near enough by meaning, with most of its words, or by both together.

        Neighbouring chunks are one passage, and one that stands alone is its whole section, if that fits. ``editing``
        is the title of a note that is left out; ``any_hit`` takes the best ones, however far they are. No hits are an
        answer too: the vault does not know. What the query says of a time puts notes of that time first.
        """
        found, findings = await self._find(query)
        asked = Asked(query.text)

        def speaks(hit: Hit, findings: Findings) -> bool:
            if editing and note_name(hit.chunk.note) == editing:
                return False
            if any_hit or is_answer_by_time(query, hit.chunk.note):
                return True
            return findings.nearness(hit.chunk) + asked.shown_by(hit.chunk) >= 1

        hits = [hit for hit in found.hits if speaks(hit, findings)]
        if query.period is None:
            best = await self._best(query, replace(found, hits=hits), findings)
        else:
            inside, near = await self._find(replace(query, scope=within(query.scope, query.period)))
            first = [hit for hit in inside.hits if speaks(hit, near)] if not query.period.newest else []
            keys = {hit.chunk.key for hit in first}
            hits = first + [hit for hit in hits if hit.chunk.key not in keys]
            best = await self._timely(query, query.period, replace(found, hits=hits), findings)
        return replace(best, hits=await self._passages(joined(best.hits)))

    async def floor(self, text: str) -> Floor | None:
        """From which cosine on a chunk speaks of a text; None without an embedder, or while it cannot say."""
        return await self._lanes.floor(text)

    async def findings(self, query: Query) -> Findings:
        """What each lane says, before anything is weighed."""
        return await self._lanes.ask(query, self.weights)

    async def _find(self, query: Query) -> tuple[Found, Findings]:
        findings = await self.findings(query)
        hits = findings.hits(self.weights)
        linked: dict[NotePath, NotePath] = {}
        if self.weights.links and hits and query.mode == "hybrid":
            hits, linked = await self._follow(hits, query)
        return Found(hits, findings.away, linked), findings

    async def _best(self, query: Query, found: Found, findings: Findings) -> Found:
        """The first ``query.limit``, looked at again if all lanes were asked: a single lane is shown as it is."""
        if self._rescoring is None or query.mode != "hybrid":
            return replace(found, hits=tuple(found.hits[: query.limit]))
        again = await self._rescoring.rescored(found.hits, query.text, findings.multi)
        return replace(found, hits=tuple(again.hits[: query.limit]), degraded={**found.degraded, **again.degraded})

    async def _timely(self, query: Query, period: Period, found: Found, findings: Findings) -> Found:
        """The same with notes of the period first, out of more than are asked for."""
        best = await self._best(replace(query, limit=MORE_OF_A_TIME * query.limit), found, findings)
        receipts = await self._store.receipts({hit.chunk.note for hit in best.hits})
        written = {note: receipt.state.written for note, receipt in receipts.items()}
        return replace(best, hits=tuple(timely(best.hits, written, period)[: query.limit]))

    async def _follow(self, hits: Sequence[Hit], query: Query) -> tuple[list[Hit], dict[NotePath, NotePath]]:
        """Let the best notes share their scores with those that they are linked with."""
        scores: dict[NotePath, float] = {}
        for hit in hits:
            scores.setdefault(hit.chunk.note, hit.score)
        best = {note: scores[note] for note in givers(scores)}
        given = gifts(best, await self._store.linked(list(best)))
        shared = [
            Hit(hit.chunk, hit.score + self.weights.links * gift.amount, {**hit.lanes, "linked": gift.amount})
            if (gift := given.get(hit.chunk.note))
            else hit
            for hit in hits
        ]
        return ranked(shared), {note: gift.giver for note, gift in given.items() if note in scores}

    async def _passages(self, hits: Sequence[Hit]) -> tuple[Hit, ...]:
        """Each hit as the whole section that it stands in, where that fits and no other hit is in it."""
        passages: list[Hit] = []
        for hit in hits:
            whole = section(hit.chunk, await self._store.chunks(hit.chunk.note))
            others = (other.chunk for other in hits if other is not hit and other.chunk.note == hit.chunk.note)
            passages.append(hit if any(_overlap(whole, other) for other in others) else replace(hit, chunk=whole))
        return tuple(passages)


def _overlap(one: Chunk, other: Chunk) -> bool:
    return one.span.start < other.span.end and other.span.start < one.span.end
