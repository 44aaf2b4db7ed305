"""What the index has for a question: hits, and what may be cited."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from vaultbridge.chat.citations import LinkWriter, is_real, repeats
from vaultbridge.chat.language import Phrases, phrases
from vaultbridge.chat.request import GroundingMode
from vaultbridge.core.dialogue import Conversation, Prompt
from vaultbridge.core.notes import Chunk, IndexedNote, NotePath, note_name
from vaultbridge.core.ports import ChunkStore, Clock
from vaultbridge.core.search import Citation, Hit, Query, Scope
from vaultbridge.retrieve.intent import names_the_vault, read_intent
from vaultbridge.retrieve.query import read_question
from vaultbridge.retrieve.retriever import Found, Retriever


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the index has at one moment: hits, best first, and the receipts of what may be cited.

    ``unknown``: only the vault shall answer, and no hit speaks of the question; ``closest`` are the best of the others.
    ``unseen`` notes may not be cited, whatever was cited before. ``words`` are in the language of the question.
    ``outlines`` are all chunks of the notes in which a hit's heading stands twice. ``degraded``: lanes of the search
    that did not answer, and the code of what kept each away.
    """

    words: Phrases
    hits: Sequence[Hit] = ()
    unknown: bool = False
    closest: Sequence[Hit] = ()
    notes: Mapping[NotePath, IndexedNote] = field(default_factory=dict)
    writer: LinkWriter = field(default_factory=lambda: LinkWriter({}))
    unseen: Collection[NotePath] = ()
    outlines: Mapping[NotePath, Sequence[Chunk]] = field(default_factory=dict)
    degraded: Mapping[str, str] = field(default_factory=dict)

    def stands(self, citation: Citation) -> bool:
        """Whether a citation of a former turn may be cited again."""
        return citation.path not in self.unseen and is_real(citation.path, citation.heading, self.notes)


class Finder:
    """Finds evidence."""

    def __init__(self, retriever: Retriever, store: ChunkStore, clock: Clock) -> None:
        self._retriever = retriever
        self._store = store
        self._clock = clock

    async def find(
        self,
        prompt: Prompt,
        grounding: GroundingMode,
        scope: Scope,
        k: int,
        editing: NotePath | None,
        before: Iterable[NotePath] = (),
    ) -> Evidence:
        """At most ``k`` hits, and the receipts of their notes and of those that were cited ``before``.

        The note that is being edited must not answer itself. ``off`` never looks into the vault; ``auto`` finds
        nothing for a request that does not want it, and for one that names the vault what is nearest.
        """
        now = datetime.fromtimestamp(self._clock.now()).astimezone()
        question = read_question(prompt, scope, now)
        words = phrases(question.text)
        if grounding == "off":
            return Evidence(words)
        scope = question.scope
        if editing is not None:
            scope = replace(scope, exclude=(*scope.exclude, editing))
        found = Found()
        closest: Sequence[Hit] = ()
        asks = read_intent(prompt) == "question"
        alone = grounding == "always" and asks and isinstance(prompt, Conversation)
        if grounding == "always" or asks:
            query = Query(
                question.text,
                scope,
                limit=k,
                phrases=question.phrases,
                without=question.without,
                period=question.period,
                diary=question.diary,
            )
            any_hit = not alone and (grounding == "always" or names_the_vault(question.text))
            found = await self._retriever.relevant(query, question.editing, any_hit=any_hit)
            if alone and not found.hits:
                closest = (await self._retriever.relevant(query, question.editing, any_hit=True)).hits
        # Asked after the search: what is gone or renamed by now is not cited.
        paths = dict.fromkeys([*(hit.chunk.note for hit in (*found.hits, *closest)), *before])
        known = await self._store.receipts(paths.keys())
        notes = {path: known[path] for path in paths if path in known}  # the best first
        shown = [hit.chunk for hit in (*found.hits, *closest) if hit.chunk.note in notes]
        twice = {chunk.note for chunk in shown if repeats(chunk, notes[chunk.note])}
        return Evidence(
            words,
            found.hits,
            unknown=alone and not found.hits,
            closest=closest,
            notes=notes,
            writer=LinkWriter(await self._store.names()),
            unseen={path for path in paths if path == editing or note_name(path) == question.editing},
            outlines={path: await self._store.chunks(path) for path in twice},
            degraded=found.degraded,
        )
