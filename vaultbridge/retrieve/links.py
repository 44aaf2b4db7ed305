"""One hop over the links between notes: who is linked with the best notes is a better find."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vaultbridge.core.notes import NotePath

GIVERS = 10
"""Notes whose links are followed."""


@dataclass(frozen=True, slots=True)
class Gift:
    """What a note gets from those that it is linked with: their scores, each divided by its number of links.

    ``giver`` is the one that gives most.
    """

    amount: float
    giver: NotePath


def givers(scores: Mapping[NotePath, float]) -> list[NotePath]:
    """The notes whose links are worth following, best first."""
    return sorted(scores, key=lambda note: (-scores[note], note))[:GIVERS]


def gifts(scores: Mapping[NotePath, float], linked: Mapping[NotePath, Sequence[NotePath]]) -> dict[NotePath, Gift]:
    """What each note gets from the ``linked`` ones that have a score. A hub, linked with everything, gives little."""
    amounts: defaultdict[NotePath, dict[NotePath, float]] = defaultdict(dict)
    for giver, neighbours in linked.items():
        for note in neighbours:
            if note != giver and scores.get(giver, 0.0) > 0:
                amounts[note][giver] = scores[giver] / len(neighbours)
    return {
        note: Gift(sum(given.values()), min(given, key=lambda giver: (-given[giver], giver)))
        for note, given in amounts.items()
    }
