"""The order in which examples are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from vaultbridge.lab.training.dataset import Example


def in_batches(examples: Sequence[Example], size: int, group: int, rounds: int, seed: int) -> list[Example]:
    """All batches, one behind the other: in none of them do two queries look for the same note.

    What one query looks for is a wrong answer to all others of its batch, so the same note must not be both. An example
    that finds no place waits for the next round; what finds none in the last is not shown. Each is shown with a
    ``group`` of passages, one of them right. Chance decides here and not in the trainer, so that a run that was stopped
    goes on as it would have.
    """
    random = Random(seed)
    shown: list[Example] = []
    waiting: list[Example] = []
    for _ in range(rounds):
        waiting += random.sample(examples, len(examples))
        while len(batch := _batch(waiting, size)) == size:
            shown += [_with_group(waiting[at], group, random) for at in batch]
            taken = set(batch)
            waiting = [example for at, example in enumerate(waiting) if at not in taken]
    return shown


def _with_group(example: Example, group: int, random: Random) -> Example:
    wrong = group - 1
    enough = example.neg * -(-wrong // len(example.neg))
    return replace(example, pos=(random.choice(example.pos),), neg=tuple(random.sample(enough, wrong)))


def _batch(waiting: Sequence[Example], size: int) -> list[int]:
    targets: dict[str, int] = {}
    for at, example in enumerate(waiting):
        targets.setdefault(example.target, at)
        if len(targets) == size:
            break
    return list(targets.values())
