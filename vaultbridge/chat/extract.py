"""Answers without a model: the best passages, as they stand in the notes, or that there are none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vaultbridge.chat.language import Phrases
from vaultbridge.core.search import Citation, StoreCounts

MOST_PASSAGES = 3
MOST_CHARACTERS = 600


def extract(citations: Sequence[Citation], words: Phrases, command: str) -> Iterator[str]:
    """The pieces of an extractive answer, in the language of the question; ``command`` fetches a real model."""
    if not citations:
        yield words.nothing
    else:
        yield words.extract
        for citation in citations[:MOST_PASSAGES]:
            quote = "\n".join(f"> {line}" for line in _shortened(citation.quote).splitlines())
            yield f"\n\n{quote}\n>\n> {citation.link}"
    yield "\n\n" + words.fetch.format(command=command)


def not_found(closest: Sequence[Citation], words: Phrases, counts: StoreCounts) -> str:
    """An answer that needs no model: not in the notes, what is closest, and how much is indexed if that is not all."""
    lines = [words.nothing]
    if closest:
        links = dict.fromkeys(citation.link for citation in closest)
        lines.append(words.closest + " · ".join(list(links)[:MOST_PASSAGES]))
    if counts.vectors < counts.chunks:
        lines.append(words.indexed.format(done=counts.vectors, all=counts.chunks))
    return "\n\n".join(lines)


def _shortened(text: str) -> str:
    if len(text) <= MOST_CHARACTERS:
        return text
    cut = text[:MOST_CHARACTERS]
    border = max(cut.rfind("\n"), cut.rfind(". "), cut.rfind("。"))
    return cut[: border + 1 if border > MOST_CHARACTERS // 2 else MOST_CHARACTERS].rstrip() + " …"
