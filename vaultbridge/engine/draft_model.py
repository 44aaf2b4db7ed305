"""A draft model: a small one that guesses what the large one says next, where nothing that was said before tells it.

The large one verifies its guesses as it does all drafts, so that the distribution is unchanged. A ledger of what they
cost and gain keeps a draft model that is mostly wrong from slowing an answer down: it is hardly asked any more.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable

import numpy as np

from vaultbridge.core.dialogue import Sampling
from vaultbridge.core.ports import Decoder, Segment
from vaultbridge.engine.costs import BatchCosts
from vaultbridge.engine.drafts import LONGEST
from vaultbridge.engine.ledger import Ledger
from vaultbridge.engine.sequence import common_prefix

log = logging.getLogger(__name__)

READ_STEPS = 3.0
"""What is read before a guess may take as long as so many steps of the large model."""
_LEAST = 32
"""Tokens that are read however slow the machine is: fewer tell too little."""
_GREEDY = Sampling(temperature=0.0, repeat_penalty=1.0, logprobs=0)
_GAIN = 1.03
_TICK = 1e-6


class DraftModel:
    """Guesses for one sequence at a time, of which it sees the end, and the first token: without that models lose their
    way. What its cache and the next sequence have in common is not read again.

    Tokens below ``vocabulary`` are the same to both models. ``clock`` in seconds.
    """

    def __init__(self, decoder: Decoder, vocabulary: int, clock: Callable[[], float]) -> None:
        self._decoder = decoder
        self._vocabulary = min(vocabulary, decoder.vocabulary)
        self._clock = clock
        self._sampler = decoder.sampler(_GREEDY)
        self._costs = BatchCosts()
        self._ledger = Ledger()
        self._start = 1  # where in the sequence the end begins that it sees
        self._held: list[int] = []  # the tokens in its cache
        self._place = 0  # behind how many of them its last guess begins
        self._guessed: list[tuple[int, float]] = []  # that guess, and how sure each token of it was
        self._offered = 0  # how many tokens of it were worth verifying
        self._failed = False

    def calibrate(self, text: list[int]) -> None:
        """Learn what its own batches cost, with so much of ``text`` as it takes."""
        try:
            self._read(text[: 2 * _LEAST], 0)  # warms up what the library makes on first use
            self._costs = BatchCosts()
            self._read(text[:1], 0)
            self._read(text[: 2 * _LEAST], 0)
            self.forget()
        except Exception as error:  # noqa: BLE001  whatever its library does, the large model answers without it
            self._give_up(error)

    def draft(self, tokens: list[int], most: int, cost: Callable[[int], float]) -> list[int]:
        """What may come after ``tokens``, at most ``most`` tokens, as far as that makes the step worth its time.

        ``cost`` tells what the step takes with so many drafted tokens.
        """
        step = cost(0)
        if self._failed or not step:
            return []
        seen = self._seen(tokens)
        shared = common_prefix(np.asarray(seen, np.int32), np.asarray(self._held, np.int32))
        self._judge(seen[self._place :] if shared >= self._place else [])
        self._ledger.step()
        affordable = math.ceil(self._ledger.credit * step / max(self._costs.step(1), _TICK))
        costs = [cost(count) for count in range(max(0, min(most, LONGEST, affordable)) + 1)]
        if not self._length([], 1.0, costs) or max(tokens) >= self._vocabulary:
            return []  # not even a sure guess would pay, or be understood
        began = self._clock()
        reach = self._reach(step)
        if shared <= 1 or len(seen) - shared > reach or len(seen) + LONGEST > self._decoder.info.context:
            self._start, shared = max(1, len(tokens) - reach), min(shared, 1)
            seen = self._seen(tokens)
        try:
            self._guess(seen, shared, costs)
        except Exception as error:  # noqa: BLE001  as above
            self._give_up(error)
            return []
        self._ledger.charge((self._clock() - began + costs[self._offered] - step) / step)
        return [token for token, _ in self._guessed[: self._offered]]

    def forget(self) -> None:
        """Let go of everything that it has read."""
        self._decoder.truncate(0, 0)
        self._start, self._held = 1, []
        self._guessed, self._offered = [], 0

    def _give_up(self, error: Exception) -> None:
        log.warning("the draft model failed (%s) and is not asked any more", type(error).__name__)
        self._failed = True

    def _seen(self, tokens: list[int]) -> list[int]:
        return tokens[:1] + tokens[self._start :]

    def _reach(self, step: float) -> int:
        """How many tokens may be read before a guess: half of its context where they cost next to nothing (a GPU)."""
        most = self._decoder.info.context // 2
        return min(most, max(_LEAST, self._costs.chunk(READ_STEPS * step, 0) or most))

    def _judge(self, came: list[int]) -> None:
        """Learn from what came where the last guess stood, up to the first token that was wrong."""
        for at, (token, (guess, sure)) in enumerate(zip(came, self._guessed, strict=False)):
            self._ledger.judge(sure, right=token == guess, offered=at < self._offered)
            if token != guess:
                break
        self._guessed, self._offered = [], 0

    def _guess(self, seen: list[int], shared: int, costs: list[float]) -> None:
        """Draw tokens as long as more of them should make the step worth more; offer those that do.

        The first one is drawn in any case: whether it was right is learned for nothing.
        """
        token, sure = self._read(seen, shared)
        promises: list[float] = []
        while token < self._vocabulary and not self._decoder.is_end(token):
            self._guessed.append((token, sure))
            promises.append((promises or [1.0])[-1] * self._ledger.chance(sure))
            length = self._length(promises, self._ledger.rate, costs)
            self._offered = min(length, len(promises))
            if length <= len(promises):
                break
            token, sure = self._draw([token])

    def _length(self, promises: list[float], rate: float, costs: list[float]) -> int:
        """How many tokens give the most for the time. The first are drawn, and right with the probability ``promises``;
        each further one takes time to draw, and is right at this ``rate``."""
        each, drawn = self._costs.step(1), len(promises)
        best, length = _GAIN / (drawn * each + costs[0]), 0
        expected = promise = 1.0
        for count in range(1, len(costs)):
            promise = promises[count - 1] if count <= drawn else promise * rate
            expected += promise
            worth = expected / (max(count, drawn) * each + costs[count])
            if worth > best:
                best, length = worth, count
        return length

    def _read(self, seen: list[int], shared: int) -> tuple[int, float]:
        """Bring the cache to ``seen``, whose ``shared`` first tokens it holds: what is likeliest to follow."""
        self._place = len(seen)
        shared = min(shared, len(seen) - 1)
        shared = shared if self._decoder.truncate(0, shared) else 0
        self._held = seen[:shared]
        size = self._decoder.batch_size
        for at in range(shared, len(seen), size):
            drawn = self._draw(seen[at : at + size])
        return drawn

    def _draw(self, tokens: list[int]) -> tuple[int, float]:
        """Decode further tokens: what is likeliest to follow, and how likely it is."""
        began = self._clock()
        self._decoder.decode([Segment(0, len(self._held), tokens, outputs=1)])
        self._held += tokens
        token = self._sampler.sample(len(tokens) - 1)
        sure = math.exp(self._sampler.logprob(len(tokens) - 1, token).logprob)
        if len(tokens) == 1 or len(tokens) >= _LEAST:  # what a few more take is told by neither
            self._costs.observe(1, len(tokens) - 1, self._clock() - began)
        return token, sure
