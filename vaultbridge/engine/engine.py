"""The engine: requests in, events out, a step at a time; whoever calls it owns the model and the thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import replace

from vaultbridge.core.dialogue import (
    Conversation,
    Event,
    Failed,
    Finished,
    FinishReason,
    GeneratorInfo,
    Grammar,
    Piece,
    Prompt,
    Sampling,
    Started,
)
from vaultbridge.core.errors import CacheFull, DeadlineExceeded, DecodeFailed, Overloaded, VaultbridgeError
from vaultbridge.core.ports import Decoder, ReplyFormat, Segment, TokenSampler
from vaultbridge.engine.answer import Answer
from vaultbridge.engine.calls import Generate
from vaultbridge.engine.costs import BatchCosts
from vaultbridge.engine.draft_model import DraftModel
from vaultbridge.engine.drafts import Drafter
from vaultbridge.engine.fitting import fit
from vaultbridge.engine.scheduler import Scheduler, Work
from vaultbridge.engine.sequence import Sequence
from vaultbridge.engine.slots import Slots

Events = list[tuple[int, Event]]
"""What happened, and to which call."""
CALIBRATION = (1, 2, 4, 8, 16)
CALIBRATION_SECONDS = 0.4
"""Learning what batches cost may delay the first answer by about so much."""


class Engine:
    """Continuous batching over one Decoder; ``costs`` is what an earlier one has learned about this machine.

    ``drafts``: guess ahead, with the ``draft_model``'s help if there is one; a decoder that cannot rewind never does.
    """

    def __init__(
        self,
        decoder: Decoder,
        clock: Callable[[], float] = time.monotonic,
        *,
        drafts: bool = True,
        costs: BatchCosts | None = None,
        draft_model: DraftModel | None = None,
    ) -> None:
        self._decoder = decoder
        self._clock = clock
        self._costs = costs or BatchCosts()
        self._slots = Slots(decoder, decoder.info.context)
        self._draft_model = draft_model
        self._scheduler = Scheduler(
            self._slots,
            self._costs,
            decoder.batch_size,
            drafts=drafts and decoder.rewinds,
            draft_model=draft_model,
        )

    @property
    def info(self) -> GeneratorInfo:
        """The model's."""
        return self._decoder.info

    @property
    def busy(self) -> bool:
        """Whether ``step`` has anything to do."""
        return self._scheduler.busy

    def calibrate(self) -> None:
        """Learn what small batches cost on this machine, before anybody waits."""
        text = self._decoder.tokenize("What a batch costs, nobody knows before it was computed. ") * 8
        began = self._clock()
        for place, size in enumerate((CALIBRATION[0], *CALIBRATION)):
            if self._clock() - began > CALIBRATION_SECONDS:
                break
            start = self._clock()
            self._decoder.decode([Segment(0, 0, text[:size], outputs=size)])
            if place:  # the first call warms up what the library makes on first use
                self._costs.observe(size, 0, self._clock() - start)
            self._decoder.truncate(0, 0)
        if self._draft_model:
            self._draft_model.calibrate(text)

    def submit(self, call: int, request: Generate) -> Events:
        """Let a request in: its Started, or why it fails."""
        if request.warm and any(not sequence.warm for sequence in self._scheduler.everyone()):
            return [(call, Failed(Overloaded("Somebody waits for an answer; nothing is prefilled now.")))]
        fitted = fit(request.prompt, request.sampling, self._decoder)
        asked = request.sampling
        if not request.warm:
            reply = self._decoder.reply(fitted.prompt)
            asked = replace(asked, grammar=_grammar(fitted.prompt, asked, reply))
        now = self._clock()
        events: Events = []
        for choice in range(1 if request.warm else asked.n):
            sampling = replace(asked, seed=asked.seed + choice) if asked.seed is not None else asked
            sequence = Sequence(
                call,
                list(fitted.tokens),
                0 if request.warm else fitted.max_tokens,
                sampling,
                choice=choice,
                warm=request.warm,
                deadline=now + request.deadline if request.deadline is not None else None,
                sources=fitted.sources,
                arrived=now,
            )
            if not request.warm:
                # Made here, so that a grammar that cannot be read fails before anything is computed.
                sequence.sampler = self._decoder.sampler(sampling)
                sequence.answer = Answer(reply.reader(), fitted.stop, choice)
            for warmed in self._scheduler.add(sequence):
                events.append((warmed.call, Failed(Overloaded("Another request took its place."))))
        return [*events, (call, Started(fitted.kept, fitted.omitted, len(fitted.tokens)))]

    def cancel(self, call: int) -> None:
        """Nobody waits for a call any more."""
        for sequence in self._scheduler.of(call):
            self._scheduler.remove(sequence)

    def forget(self, sources: Collection[str]) -> None:
        """Let go of what is cached of these sources' notes; slots in use follow when they are free."""
        self._scheduler.forget(sources)

    def step(self) -> Events:
        """Compute one batch: what came of it."""
        events = self._expire()
        work = self._scheduler.plan()
        if not work:
            return events
        now = self._clock()
        for part in work:
            part.sequence.admitted = part.sequence.admitted or now
        try:
            self._decoder.decode([part.segment for part in work])
        except Exception as error:  # noqa: BLE001  whose fault it is shows when each is decoded alone
            return events + self._recover(work, error)
        rows = sum(part.segment.outputs for part in work)
        events += self._commit(work)
        # After the outputs were read: a library may compute behind the caller's back until then.
        tokens = sum(len(part.segment.tokens) for part in work)
        self._costs.observe(rows, tokens - rows, self._clock() - now)
        return events

    def over(self, call: int) -> bool:
        """Whether nothing more will be heard of a call."""
        return not self._scheduler.of(call)

    # --- what a step does -----------------------------------------------------------------------------------------

    def _commit(self, work: list[Work]) -> Events:
        events: Events = []
        for part in work:
            self._slots.extend(self._slots[part.segment.slot], part.segment.tokens)
        row = 0
        for part in work:
            row += len(part.segment.tokens)
            if part.segment.outputs and part.sequence.slot is not None:  # else it went with its call just now
                try:
                    events += self._advance(part, row - part.segment.outputs)
                except Exception as error:  # noqa: BLE001  one sequence's sampler is not the others' fault
                    events += self._fail(part.sequence, error)
        return events

    def _advance(self, part: Work, row: int) -> Events:
        """Sample from a sequence's rows: one token, and further ones as long as the draft guessed right."""
        sequence, slot = part.sequence, self._slots[part.segment.slot]
        if sequence.warm:
            return self._finish(sequence, "length")
        guess = part.segment.tokens[len(part.segment.tokens) - part.drafted :]
        events: Events = []
        accepted = 0
        while True:
            token = _sampler(sequence).sample(row + accepted)
            reason, pieces = self._take(sequence, token, row + accepted)
            events += [(sequence.call, piece) for piece in pieces]
            if reason or accepted == part.drafted or token != guess[accepted]:
                break
            accepted += 1
        sequence.drafted += part.drafted
        sequence.accepted += accepted
        self._slots.truncate(slot, slot.length - (part.drafted - accepted))
        sequence.last = self._clock()
        sequence.first = sequence.first or sequence.last
        return events + self._finish(sequence, reason) if reason else events

    def _take(self, sequence: Sequence, token: int, row: int) -> tuple[FinishReason | None, list[Piece]]:
        """One more token: why the answer ends with it, if it does, and the pieces that are now certain."""
        if self._decoder.is_end(token):
            return "stop", []
        sequence.tokens.append(token)
        wanted = sequence.sampling.logprobs is not None
        logprob = _sampler(sequence).logprob(row, token) if wanted else None
        if sequence.drafter is None:
            sequence.drafter = Drafter(sequence.tokens)
        else:
            sequence.drafter.push(token)
        answer = _answer(sequence)
        pieces = answer.push(self._decoder.token_bytes(token), logprob)
        if answer.over:
            return "stop", pieces
        return ("length" if sequence.generated >= sequence.max_tokens else None), pieces

    def _finish(self, sequence: Sequence, reason: FinishReason) -> Events:
        events: Events = []
        own: tuple[int, ...] = ()
        if not sequence.warm:
            answer = _answer(sequence)
            events = [(sequence.call, piece) for piece in answer.finish()]
            own = answer.own(sequence.tokens[sequence.prompt_len :], self._decoder.token_bytes)
            reason = "tool_calls" if answer.called and reason == "stop" else reason
        finished = Finished(reason, sequence.usage, sequence.timings, sequence.choice, own)
        self._scheduler.remove(sequence)
        return [*events, (sequence.call, finished)]

    def _fail(self, sequence: Sequence, error: Exception) -> Events:
        """A call ends here, with all its choices; what its slot holds is not to be trusted."""
        if not isinstance(error, VaultbridgeError):
            error = DecodeFailed(f"The model failed: {type(error).__name__}: {error}.")
        slot = sequence.slot
        self.cancel(sequence.call)
        if slot is not None:
            self._slots.truncate(self._slots[slot], 0)
        return [(sequence.call, Failed(error))]

    def _recover(self, work: list[Work], error: Exception) -> Events:
        """A decode call failed: its cache is cut back to what is known, and each sequence tries alone."""
        for part in work:
            self._slots.restore(self._slots[part.segment.slot])
        if isinstance(error, CacheFull):
            # The model counts otherwise than we do (a sliding window's shared cells): all that nobody needs now goes.
            self._scheduler.preempt()
            self._slots.make_room(self._slots.capacity)
        elif len(work) == 1:
            return self._fail(work[0].sequence, error)
        events: Events = []
        for part in work:
            if part.sequence.slot is None or self._slots[part.segment.slot].length != part.segment.position:
                continue  # it went with its call, or begins anew
            try:
                self._decoder.decode([part.segment])
            except Exception as own:  # noqa: BLE001  this one is to blame
                self._slots.restore(self._slots[part.segment.slot])
                events += self._fail(part.sequence, own)
            else:
                events += self._commit([part])
        return events

    def _expire(self) -> Events:
        events: Events = []
        for sequence in self._scheduler.expired(self._clock()):
            if sequence not in self._scheduler.of(sequence.call):
                continue  # it went with its call just now
            if sequence.generated:
                events += self._finish(sequence, "length")
            else:
                waited = self._clock() - sequence.arrived
                error = DeadlineExceeded(
                    f"The answer had not begun after {waited:.0f} s.", "Try again later, or raise engine.deadline."
                )
                events += self._fail(sequence, error)
        return events


def _grammar(prompt: Prompt, sampling: Sampling, reply: ReplyFormat) -> Grammar | None:
    """The request's own grammar, unless a tool must be called."""
    required = isinstance(prompt, Conversation) and prompt.call_required
    return reply.grammar if required or sampling.grammar is None else sampling.grammar


def _answer(sequence: Sequence) -> Answer:
    assert sequence.answer is not None, "what is only warmed is not answered"
    return sequence.answer


def _sampler(sequence: Sequence) -> TokenSampler:
    assert sequence.sampler is not None, "the sequence is closed"
    return sequence.sampler
