"""How an answer is to be written, whatever it says."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass

from vaultbridge.chat.evidence import Evidence
from vaultbridge.chat.known_links import KnownLinks, quoted_places
from vaultbridge.chat.language import Phrases
from vaultbridge.chat.request import Request, SourcesMode
from vaultbridge.core.dialogue import Continuation, Prompt
from vaultbridge.core.search import Citation
from vaultbridge.retrieve.draft import Draft, newest_draft
from vaultbridge.retrieve.intent import read_intent


@dataclass(frozen=True, slots=True)
class Manner:
    """The same for all choices of an answer.

    ``verbatim`` text has a form of its own, JSON for example, in which nothing may be changed. ``clean``: editor
    hygiene is kept. ``editor``: what it says will stand in a note, right behind ``draft``. ``known`` None: links are
    left alone.
    """

    words: Phrases
    sources: SourcesMode
    verbatim: bool
    clean: bool
    editor: bool
    draft: Draft
    known: KnownLinks | None


def choose_manner(request: Request, evidence: Evidence, cited: Sequence[Citation], gone: Set[str]) -> Manner:
    """How the answer to a request is written whose prompt holds what is ``cited``; notes that get into ``gone``
    meanwhile are linked no more.

    What will stand in a title, or in the middle of a line, has no links in it.
    """
    draft = newest_draft(request.prompt)
    editor = request.editor or bool(draft.title)
    in_a_line = read_intent(request.prompt) in ("title", "suggestion", "code")
    grammar = request.sampling.grammar
    verbatim = grammar is not None and not grammar.triggers
    read = [*_texts(request.prompt), *(citation.quote for citation in cited)]
    return Manner(
        words=evidence.words,
        sources="none" if request.sources == "markdown" and in_a_line else request.sources,
        verbatim=verbatim,
        clean=request.hygiene and not verbatim and (editor or bool(cited)),
        editor=editor,
        draft=draft,
        known=None
        if request.grounding == "off"
        else KnownLinks(evidence.writer, evidence.notes, quoted_places(read), gone),
    )


def _texts(prompt: Prompt) -> list[str]:
    return [prompt.text] if isinstance(prompt, Continuation) else [message.text for message in prompt.messages]
