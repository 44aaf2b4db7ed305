"""Which notes are taught, and which are kept to examine with: every note is on one side only."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from heapq import heappop, heappush
from random import Random

from vaultbridge.core.notes import NotePath
from vaultbridge.lab.training.dataset import Split

SHARES: Mapping[Split, float] = {"test": 0.2, "validation": 0.1}
"""Of all pairs; the rest is for training. What proves most is chosen first."""
STARTS = 32
"""So many places to begin at are tried."""
SPARE = 1.15
"""How far a part may grow beyond its share with its last group."""

Edge = tuple[NotePath, NotePath]


def split_notes(
    sizes: Mapping[NotePath, int], edges: Sequence[Edge], alike: Iterable[Edge], seed: int
) -> dict[NotePath, Split]:
    """Put each note of ``sizes``, which counts its pairs, into a split.

    ``alike``: two notes that stay together, since one says what the other says. ``edges``: a pair for each, which is
    lost if its two notes are parted; so the kept parts grow along them, from the place that loses least. The same
    notes and seed give the same splits.
    """
    group_of = _groups(sorted(sizes), alike)
    groups: defaultdict[NotePath, list[NotePath]] = defaultdict(list)
    for note, group in group_of.items():
        groups[group].append(note)
    weight = {group: sum(sizes[note] for note in notes) for group, notes in groups.items()}
    ties: defaultdict[NotePath, Counter[NotePath]] = defaultdict(Counter)
    inner: Counter[NotePath] = Counter()
    for one, other in edges:
        first, second = group_of[one], group_of[other]
        if first == second:
            inner[first] += 1
        else:
            ties[first][second] += 1
            ties[second][first] += 1
    total = sum(weight.values()) + len(edges)
    free = set(weight)
    order = Random(seed)
    splits: dict[NotePath, Split] = dict.fromkeys(sizes, "train")
    for part, share in SHARES.items():
        chosen = _part(_Graph(weight, ties, inner), free, share * total, order)
        free -= chosen
        splits |= dict.fromkeys((note for group in chosen for note in groups[group]), part)
    return splits


class _Graph:
    """Groups of notes: the pairs in each, and those between them."""

    def __init__(
        self,
        weight: Mapping[NotePath, int],
        ties: Mapping[NotePath, Counter[NotePath]],
        inner: Mapping[NotePath, int],
    ) -> None:
        self.weight = weight
        self.ties = ties
        self.inner = inner

    def within(self, group: NotePath, others: Set[NotePath]) -> int:
        """The pairs between a group and some others."""
        return sum(count for other, count in self.ties.get(group, Counter()).items() if other in others)


def _part(graph: _Graph, free: Set[NotePath], wanted: float, order: Random) -> set[NotePath]:
    """The free groups that make about as many pairs as are ``wanted`` and lose the fewest, over some beginnings."""
    shuffled = sorted(free)
    order.shuffle(shuffled)
    degrees = {group: graph.within(group, free) for group in shuffled}
    grown = [_grown(graph, start, degrees, wanted) for start in shuffled[:STARTS]]
    return max(grown, key=lambda chosen: _worth(graph, chosen, free, wanted), default=set())


def _grown(graph: _Graph, start: NotePath, degrees: Mapping[NotePath, int], wanted: float) -> set[NotePath]:
    """Add to a group, one by one, the one whose links stay inside with the greatest part of them.

    ``degrees``: the links of each group that may be added. Where no link leads on, the next
    group is as good as any.
    """
    chosen: set[NotePath] = set()
    seen: set[NotePath] = set()
    within: Counter[NotePath] = Counter()
    nearest: list[tuple[float, NotePath]] = []  # a heap; who is drawn nearer stands in it again, further to the front
    unlinked = iter(degrees)
    size, group = 0, start
    while size < wanted:
        seen.add(group)
        bigger = size + graph.weight[group] + graph.inner[group] + within[group]
        if bigger <= SPARE * wanted:
            size = bigger
            chosen.add(group)
            for other, count in graph.ties.get(group, Counter()).items():
                if other in degrees and other not in seen:
                    within[other] += count
                    heappush(nearest, (-within[other] / degrees[other], other))
        while nearest and nearest[0][1] in seen:
            heappop(nearest)
        following = nearest[0][1] if nearest else next((other for other in unlinked if other not in seen), None)
        if following is None:
            break
        group = following
    return chosen


def _worth(graph: _Graph, chosen: Set[NotePath], free: Set[NotePath], wanted: float) -> float:
    """The pairs kept inside a part, as far as it has its size, less those that are cut off."""
    size = sum(graph.weight[group] + graph.inner[group] for group in chosen)
    inside = sum(graph.within(group, chosen) for group in chosen) / 2
    cut = sum(graph.within(group, free - chosen) for group in chosen)
    return min(size + inside, wanted) + inside - cut


def _groups(notes: Sequence[NotePath], alike: Iterable[Edge]) -> dict[NotePath, NotePath]:
    """The first note of each note's group."""
    first = {note: note for note in notes}

    def found(note: NotePath) -> NotePath:
        while first[note] != note:
            note = first[note]
        return note

    for one, other in alike:
        low, high = sorted((found(one), found(other)))
        first[high] = low
    return {note: found(note) for note in notes}
