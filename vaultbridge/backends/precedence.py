"""Which notes are embedded first: a vault takes hours, and somebody works with it meanwhile."""

from __future__ import annotations

from collections.abc import Mapping

from vaultbridge.backends.link_graph import LinkGraph
from vaultbridge.core.notes import NotePath


def foremost(ages: Mapping[NotePath, float], graph: LinkGraph) -> list[NotePath]:
    """The newest notes and the most linked ones in turns; ``ages`` in any unit, the least are the newest.

    Each note stands where the better of its two ranks puts it; one that no other links to has only the one of its age.
    """
    ranks = {note: rank for rank, note in enumerate(sorted(ages, key=lambda note: (ages[note], note)))}
    links = {note: count for note in ages if (count := graph.mentioned(note))}
    linked = sorted(links, key=lambda note: (-links[note], ranks[note]))
    better = {**ranks, **{note: min(rank, ranks[note]) for rank, note in enumerate(linked)}}
    return sorted(ages, key=lambda note: (better[note], ranks[note]))
