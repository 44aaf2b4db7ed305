"""From a vault's notes to what is taught and what is examined."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from vaultbridge.core.errors import ConfigError
from vaultbridge.core.notes import Chunk, NotePath
from vaultbridge.lab.training.dataset import SPLITS, Example, Split
from vaultbridge.lab.training.near import Shelf, shingles, words
from vaultbridge.lab.training.negatives import Miner
from vaultbridge.lab.training.pairs import Cut, Pair, heading_pairs, link_pairs, passage_of, title_pairs
from vaultbridge.lab.training.quoted import callout_pairs, card_pairs, question_pairs
from vaultbridge.lab.training.split import Edge, split_notes
from vaultbridge.lab.training.translations import translated, translation_pairs

FEWEST_NOTES = 20
FEWEST: Mapping[Split, int] = {"train": 100, "validation": 20, "test": 30}
"""Pairs without which a model learns nothing, or nobody could tell."""
ALIKE_WORDS = 20
"""A passage of fewer words may stand in two notes that have nothing to do with each other."""
AT_ONCE = 8
"""Queries that are looked up side by side, so that the embedder gets batches."""

# The rarest first: of two queries that are nearly the same the first one stays.
_KINDS = (link_pairs, question_pairs, card_pairs, translation_pairs, callout_pairs, heading_pairs, title_pairs)


@dataclass(frozen=True, slots=True)
class Draft:
    """Pairs by split, the notes of each, and how many pairs were ``dropped`` for what reason."""

    pairs: Mapping[Split, Sequence[Pair]]
    cuts: Mapping[Split, Sequence[Cut]]
    dropped: Mapping[str, int]


def drafted(cuts: Sequence[Cut], seed: int) -> Draft:
    """Make pairs of a vault's notes, and split them. The same notes and seed give the same.

    Raises ConfigError for a vault that is too small to be learned from.
    """
    cuts = sorted(cuts, key=lambda cut: cut.note.path)
    if len(cuts) < FEWEST_NOTES:
        raise _too_small(f"It has {_counted(len(cuts), 'note')} that can be read; {FEWEST_NOTES} are needed.")
    dropped: Counter[str] = Counter()
    pairs = list(_unlike(chain.from_iterable(kind(cuts) for kind in _KINDS), dropped))
    notes = _split(cuts, pairs, seed)
    kept: dict[Split, list[Pair]] = {split: [] for split in SPLITS}
    for pair in pairs:
        split = notes[pair.source]
        if notes[pair.target] != split:
            dropped["between splits"] += 1
        elif pair.quoted and split != "train":
            dropped["quoted by what answers"] += 1
        else:
            kept[split].append(pair)
    for split, fewest in FEWEST.items():
        if len(kept[split]) < fewest:
            raise _too_small(f"It gives {_counted(len(kept[split]), 'pair')} for {split}; {fewest} are needed.")
    parts = {split: [cut for cut in cuts if notes[cut.note.path] == split] for split in SPLITS}
    return Draft(kept, parts, dropped)


async def examples(pairs: Sequence[Pair], miner: Miner, count: int, progress: Callable[[int], None]) -> list[Example]:
    """The pairs with ``count`` negatives each; one for which there is none is left out."""
    made: list[Example] = []
    for at in range(0, len(pairs), AT_ONCE):
        some = pairs[at : at + AT_ONCE]
        found = await asyncio.gather(*(miner.mined(pair, count) for pair in some))
        made += [_example(pair, negatives) for pair, negatives in zip(some, found, strict=True) if negatives]
        progress(len(some))
    return made


def counts(examples: Iterable[Example]) -> dict[str, int]:
    """How many there are of each kind, by name."""
    return dict(sorted(Counter(example.kind for example in examples).items()))


def _example(pair: Pair, negatives: tuple[str, ...]) -> Example:
    return Example(pair.query, pair.pos, negatives, pair.kind, pair.source, pair.target, pair.bare)


def _unlike(pairs: Iterable[Pair], dropped: Counter[str]) -> Iterator[Pair]:
    """Each query once: whoever is taught two answers to it learns neither, and one that is known proves nothing.

    What stands in one language may ask for a passage in each: its own and the other.
    """
    shelves: dict[bool, Shelf[str]] = {True: Shelf(), False: Shelf()}
    for pair in pairs:
        asked, shelf = shingles(pair.query), shelves[pair.kind == "translation"]
        if shelf.near(asked):
            dropped["near-duplicates"] += 1
            continue
        shelf.add(pair.query, asked)
        yield pair


def _split(cuts: Sequence[Cut], pairs: Sequence[Pair], seed: int) -> dict[NotePath, Split]:
    sizes = dict.fromkeys((cut.note.path for cut in cuts), 0)
    edges: list[Edge] = []
    for pair in pairs:
        if pair.source == pair.target:
            sizes[pair.target] += 1
        else:
            edges.append((pair.source, pair.target))
    return split_notes(sizes, edges, list(_alike(cuts)), seed)


def _alike(cuts: Sequence[Cut]) -> Iterator[Edge]:
    """Notes of which one says what the other says: they share a passage, or are translations."""
    shelf: Shelf[Chunk] = Shelf()
    for chunk in chain.from_iterable(cut.chunks for cut in cuts):
        bare = passage_of(chunk).bare
        if len(words(bare)) >= ALIKE_WORDS:
            said = shingles(bare)
            yield from ((other.note, chunk.note) for other in shelf.near(said) if other.note != chunk.note)
            shelf.add(chunk, said)
    yield from ((one.note.path, other.note.path) for one, other in translated(cuts))


def _too_small(what: str) -> ConfigError:
    return ConfigError(
        f"This vault is too small to learn from. {what}",
        "The model that you have is the better choice for it; nothing was written.",
    )


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
