"""What the next step computes: no thread and no clock in here, and of models only the one that drafts.

A step decodes one token, or a draft, for every sequence that is generating, and fills the rest of the batch with
chunks of prompts, first come, first through. Requests join and leave between steps.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from vaultbridge.core.ports import Segment
from vaultbridge.engine.costs import BatchCosts
from vaultbridge.engine.draft_model import DraftModel
from vaultbridge.engine.sequence import Sequence, common_prefix
from vaultbridge.engine.slots import Slots

CHUNK_SECONDS = 0.15
"""How long a step may take beside running streams, which wait for it."""
LEAST_CHUNK = 16
"""Tokens of a prompt that every step takes, however slow the machine: progress for everyone."""
OUTPUT_SHARE = 256
"""Tokens of the answer that memory is reserved for when a sequence is admitted: more are found or waited for."""
PASS_TOKENS = 512
"""So many tokens of shorter prompts may pass a long one."""
MOST_OUTPUTS = 64
"""Rows of logits in a step, 64 MB with Gemma's vocabulary, beside the one that each sequence needs."""
WORTH_WAITING = 32
"""Tokens of a prefix that another sequence is just computing, from which on waiting for them is worth it."""


@dataclass(frozen=True, slots=True)
class Work:
    """A sequence's part of a step: the tokens that are decoded, the last ``drafted`` of them a guess."""

    sequence: Sequence
    segment: Segment
    drafted: int = 0


class Scheduler:
    """Holds every sequence that is not finished, waiting or running in a slot."""

    def __init__(
        self,
        slots: Slots,
        costs: BatchCosts,
        batch_size: int,
        *,
        drafts: bool = True,
        draft_model: DraftModel | None = None,
    ) -> None:
        self._slots = slots
        self._costs = costs
        self._batch_size = batch_size
        self._drafts = drafts
        self._draft_model = draft_model
        self._ranks = 0
        self.waiting: list[Sequence] = []
        self.running: list[Sequence] = []

    @property
    def busy(self) -> bool:
        """Whether anything is to be done."""
        return bool(self.waiting or self.running)

    def add(self, sequence: Sequence) -> list[Sequence]:
        """Let a sequence wait for its turn. What is being warmed makes way for it, and is returned."""
        self._ranks += 1
        sequence.rank = self._ranks
        gone = [other for other in self.everyone() if other.warm]
        for other in gone:
            self.remove(other)
        self.waiting.append(sequence)
        return gone

    def remove(self, sequence: Sequence) -> None:
        """A sequence is finished, failed or cancelled; its cache stays for whoever begins as it did."""
        if sequence in self.waiting:
            self.waiting.remove(sequence)
        else:
            self.running.remove(sequence)
            self._leave(sequence)
        sequence.close()

    def everyone(self) -> list[Sequence]:
        """All sequences."""
        return [*self.waiting, *self.running]

    def of(self, call: int) -> list[Sequence]:
        """A call's sequences."""
        return [sequence for sequence in self.everyone() if sequence.call == call]

    def expired(self, now: float) -> list[Sequence]:
        """Sequences whose deadline is over."""
        return [sequence for sequence in self.everyone() if sequence.deadline is not None and sequence.deadline <= now]

    def preempt(self) -> Sequence | None:
        """The newest running sequence goes back into the queue, its tokens kept; None if it is the only one."""
        if len(self.running) < 2:
            return None
        newest = max(self.running, key=lambda sequence: sequence.rank)
        self.running.remove(newest)
        self._leave(newest)
        self.waiting.append(newest)
        self.waiting.sort(key=lambda sequence: sequence.rank)
        return newest

    def forget(self, sources: Collection[str]) -> None:
        """No later sequence shall reuse what is cached of these sources, or will be by those who wait."""
        for sequence in self.everyone():
            sequence.doomed |= not sequence.sources.isdisjoint(sources)
        self._slots.forget(sources)
        if self._draft_model:
            self._draft_model.forget()

    def plan(self) -> list[Work]:
        """The next step: empty only if nobody is left."""
        while True:
            self._admit()
            generating = [sequence for sequence in self.running if self._pending(sequence) == 1][: self._batch_size]
            # A full cache: whoever came last waits, and the others go on.
            if self._room(0, len(generating)) < len(generating) and self.preempt():
                continue
            step = self._generate(generating)
            step += self._prefill(step)
            if step or not self.preempt():
                return step

    # --- admission ------------------------------------------------------------------------------------------------

    def _admit(self) -> None:
        for sequence in list(self.waiting):
            if self._shares_with_one_under_way(sequence):
                continue
            if not self._fits(sequence):
                return
            claimed = self._slots.claim(np.asarray(sequence.tokens, np.int32), sequence.sources)
            if claimed is None:
                return
            slot, cached = claimed
            sequence.slot = slot.index
            slot.doomed = sequence.doomed
            sequence.cached_len = cached if sequence.cached_len is None else sequence.cached_len
            self.waiting.remove(sequence)
            self.running.append(sequence)

    def _shares_with_one_under_way(self, sequence: Sequence) -> bool:
        """Whether somebody is just computing what this prompt begins with; copying it then costs nothing."""
        have = None
        for other in self.running:
            slot = self._slots[_slot(other)]
            if slot.length >= other.prompt_len or slot.doomed:
                continue
            shared = min(common_prefix(other.prompt, sequence.prompt), sequence.prompt_len - 1)
            if shared > slot.length:
                have = self._slots.best(sequence.prompt)[1] if have is None else have
                if shared - have >= WORTH_WAITING:
                    return True
        return False

    def _fits(self, sequence: Sequence) -> bool:
        """Whether there is memory for a sequence and a fair part of its answer, beside what others may still take."""
        if not self.running:
            return True
        promised = sum(
            max(0, min(other.max_tokens, max(OUTPUT_SHARE, other.generated)) + other.prompt_len - self._length(other))
            for other in self.running
        )
        source, shared = self._slots.best(sequence.prompt)
        # What a busy slot holds of this prompt is shared; what an idle one does is counted as claimable.
        shared = shared if source is not None and source.busy else 0
        wanted = len(sequence.tokens) - shared + min(sequence.max_tokens - sequence.generated, OUTPUT_SHARE)
        return wanted + promised <= self._slots.claimable

    # --- the step -------------------------------------------------------------------------------------------------

    def _generate(self, generating: list[Sequence]) -> list[Work]:
        """One token for each, and drafts where they make the step worth its time."""
        step: list[Work] = []
        rows = len(generating)
        for sequence in generating:
            draft = self._draft(sequence, rows, len(generating) - 1)
            rows += len(draft)
            step.append(self._work(sequence, 1, draft))
        return step

    def _draft(self, sequence: Sequence, rows: int, others: int) -> list[int]:
        """``rows`` are in the step already, this sequence's own included."""
        if sequence.drafter is None or not self._drafts:
            return []
        most = min(self._batch_size - rows, MOST_OUTPUTS - rows + others, sequence.max_tokens - sequence.generated - 1)
        if any(self._pending(other) > 1 for other in self.running):
            # A draft beside a chunk makes every stream wait for both: they share the time.
            most = min(most, max(0, self._costs.chunk(CHUNK_SECONDS, rows) - LEAST_CHUNK))

        def cost(drafted: int) -> float:
            return self._costs.step(rows + drafted)

        draft = sequence.drafter.draft(most, cost, others)
        # It computes one token after the other, and whoever else runs would wait for it.
        if self._draft_model and not draft and len(self.running) == 1 and not sequence.doomed:
            draft = self._draft_model.draft(sequence.tokens, most, cost)
        return draft[: self._room(rows, len(draft))]

    def _prefill(self, generating: list[Work]) -> list[Work]:
        """Chunks of prompts, as many as the step can take."""
        prompts = [sequence for sequence in self.running if self._pending(sequence) > 1]
        if not prompts:
            return []
        prompts.sort(key=lambda sequence: sequence.rank)
        taken = sum(len(work.segment.tokens) for work in generating)
        left = self._batch_size - taken
        if generating or prompts[0].warm:
            left = min(left, max(LEAST_CHUNK, self._costs.chunk(CHUNK_SECONDS, taken)))
        step: list[Work] = []
        for sequence in self._passing(prompts):
            count = self._room(taken, min(left, self._pending(sequence)))
            if count <= 0:
                break
            if sequence is not prompts[0]:
                prompts[0].passed += count
            step.append(self._work(sequence, count, []))
            taken += count
            left -= count
        return step

    def _passing(self, prompts: list[Sequence]) -> list[Sequence]:
        """The order of prefill: that of arrival, but for prompts so short that the first one hardly notices."""
        first, *others = prompts
        passed, short = first.passed, []
        for sequence in others:
            pending = self._pending(sequence)
            if pending * 4 <= self._pending(first) and passed + pending <= PASS_TOKENS:
                short.append(sequence)
                passed += pending
        return short + [sequence for sequence in prompts if sequence not in short]

    def _room(self, taken: int, wanted: int) -> int:
        """How many of ``wanted`` tokens there are cells for, beside those ``taken``; idle slots give theirs up."""
        self._slots.make_room(taken + wanted)
        return min(wanted, self._slots.free - taken)

    def _work(self, sequence: Sequence, count: int, draft: list[int]) -> Work:
        start = self._length(sequence)
        tokens = sequence.tokens[start : start + count]
        last = start + count == len(sequence.tokens)
        segment = Segment(_slot(sequence), start, tokens + draft, outputs=1 + len(draft) if last else 0)
        return Work(sequence, segment, len(draft))

    def _length(self, sequence: Sequence) -> int:
        return self._slots[_slot(sequence)].length

    def _pending(self, sequence: Sequence) -> int:
        return len(sequence.tokens) - self._length(sequence)

    def _leave(self, sequence: Sequence) -> None:
        self._slots.release(self._slots[_slot(sequence)])
        sequence.slot = None


def _slot(sequence: Sequence) -> int:
    assert sequence.slot is not None, "the sequence does not run"
    return sequence.slot
