"""llama.cpp's sampler chain: how the next token of one sequence is chosen."""

from __future__ import annotations

import ctypes
from collections import deque
from typing import Any

import llama_cpp
import numpy as np

from vaultbridge.backends.llama_candidates import Candidates, Logits, Tokens
from vaultbridge.backends.llama_grammar import LlamaGrammar, token_bytes
from vaultbridge.core.dialogue import Sampling, TokenLogprob
from vaultbridge.core.errors import DecodeFailed, InvalidRequest

PENALTY_WINDOW = 256
"""Tokens of the answer that penalties look back at."""
DRY_WINDOW = 1024
"""The same for DRY."""
MOST_ENDS = 16
"""More tokens than any vocabulary ends generation with."""
WIDTHS = (512, 8192)
"""How many of the likeliest tokens a grammar is asked about before it is asked about all."""

_SEEDS = 0xFFFFFFFF
"""The last one means a random one to llama.cpp."""


class LlamaSampler:
    """Implements ``core.ports.TokenSampler`` with the C sampler chain, in llama.cpp's own order, penalties first.

    The chain is shown only what can win: as many of the likeliest tokens as top_k keeps, as many more as penalties
    can push out of them, and those that a negative penalty favours. Its result is that of the whole vocabulary, in a
    fraction of the time.
    """

    def __init__(self, model: object, context: object, sampling: Sampling) -> None:
        """Raises InvalidRequest for a grammar that cannot be read and for a bias on tokens that do not exist."""
        self._context = context
        self._vocabulary = llama_cpp.llama_model_get_vocab(model)
        self._size = int(llama_cpp.llama_vocab_n_tokens(self._vocabulary))
        self._sampling = sampling
        self._biased = np.array([token for token, _ in sampling.logit_bias], np.int64)
        self._biases = np.array([bias for _, bias in sampling.logit_bias], np.float32)
        if any(not 0 <= token < self._size for token in self._biased):
            raise InvalidRequest(f"The model's tokens are 0 to {self._size - 1}.", param="logit_bias")
        self._grammar = LlamaGrammar(self._vocabulary, sampling.grammar) if sampling.grammar else None
        self._greedy = sampling.temperature <= 0
        self._keeps = 1 if self._greedy else sampling.top_k if sampling.top_k > 0 else self._size
        # Tokens this much less likely than the likeliest have no chance.
        self._reach = 0.0 if self._greedy else -np.log(sampling.min_p) if sampling.min_p > 0 else np.inf
        self._chain = self._built(sampling)
        self._said = 0
        self._recent: deque[int] = deque(maxlen=_window(sampling))
        self._candidates = Candidates()
        self._favours = min(sampling.repeat_penalty - 1, sampling.frequency_penalty, sampling.presence_penalty) < 0
        self._row = ctypes.c_float * self._size

    def _built(self, sampling: Sampling) -> Any:
        chain = llama_cpp.llama_sampler_chain_init(llama_cpp.llama_sampler_chain_default_params())
        # Without breakers a list would be punished for its bullets; each costs a look at the whole vocabulary.
        breakers = (ctypes.c_char_p * 1)(b"\n")
        parts = [
            llama_cpp.llama_sampler_init_penalties(
                self._size,
                PENALTY_WINDOW,
                sampling.repeat_penalty,
                sampling.frequency_penalty,
                sampling.presence_penalty,
            ),
            llama_cpp.llama_sampler_init_dry(
                self._vocabulary,
                sampling.dry_multiplier,
                sampling.dry_base,
                sampling.dry_allowed_length,
                DRY_WINDOW,
                breakers,
                len(breakers),
            ),
        ]
        if self._greedy:
            parts.append(llama_cpp.llama_sampler_init_greedy())
        else:
            parts += [
                llama_cpp.llama_sampler_init_top_k(min(sampling.top_k, self._size)),
                llama_cpp.llama_sampler_init_typical(sampling.typical_p, 1),
                llama_cpp.llama_sampler_init_top_p(sampling.top_p, 1),
                llama_cpp.llama_sampler_init_min_p(sampling.min_p, 1),
                llama_cpp.llama_sampler_init_temp(sampling.temperature),
                llama_cpp.llama_sampler_init_dist(_SEEDS if sampling.seed is None else sampling.seed % _SEEDS),
            ]
        for part in parts:
            llama_cpp.llama_sampler_chain_add(chain, part)
        return chain

    def sample(self, row: int) -> int:
        """Choose and accept the next token."""
        scores = self._logits(row)
        if len(self._biased):
            scores = scores.copy()
            np.add.at(scores, self._biased, self._biases)
        recent = np.array(sorted(set(self._recent)), np.int64)
        best = self._shown(_best(scores, self._keeps + len(recent) + MOST_ENDS), recent)
        token = self._choose(scores, best)
        if self._grammar is not None:
            # As llama.cpp does: a look at one token is cheap, and mostly enough.
            if not self._grammar.allows(token):
                token = self._choose(scores, self._within(self._grammar, scores, recent))
            self._grammar.accept(token)
        llama_cpp.llama_sampler_accept(self._chain, token)
        self._recent.append(token)
        self._said += 1
        return token

    def _choose(self, scores: Logits, tokens: Tokens) -> int:
        """One of ``tokens`` by the chain; what is refused only for now is left out and another one chosen."""
        while True:
            array = self._candidates.filled(tokens, scores[tokens])
            llama_cpp.llama_sampler_apply(self._chain, ctypes.byref(array))
            token = int(array.data[array.selected].id)
            if len(tokens) == 1 or not self._refused(token):
                return token
            tokens = tokens[tokens != token]

    def _refused(self, token: int) -> bool:
        if self._goes_on and self._is_end(token):
            return True
        return self._grammar is not None and self._grammar.waiting and not self._grammar.allows(token)

    @property
    def _goes_on(self) -> bool:
        return self._sampling.ignore_eos or self._said < self._sampling.min_tokens

    def _is_end(self, token: int) -> bool:
        return bool(llama_cpp.llama_vocab_is_eog(self._vocabulary, token))

    def _within(self, grammar: LlamaGrammar, scores: Logits, recent: Tokens) -> Tokens:
        """The tokens among which the chain's result is, of those that the grammar allows."""
        if grammar.waiting:
            raise InvalidRequest("A trigger fires where its grammar cannot begin.", param="grammar")
        for width in WIDTHS:
            best = _best(scores, width)
            allowed = grammar.narrow(self._shown(best, recent))
            plain = np.setdiff1d(allowed, recent)
            if len(plain) >= self._keeps + MOST_ENDS:
                return allowed
            if self._goes_on:
                plain = plain[[not self._is_end(token) for token in plain]]
            if len(plain) and scores[plain].max() - scores[best].min() > self._reach:
                return allowed
        allowed = grammar.narrow(np.arange(self._size))
        if not len(allowed):
            raise InvalidRequest("The grammar allows nothing that this model could say next.", param="grammar")
        return allowed

    def _shown(self, best: Tokens, recent: Tokens) -> Tokens:
        """The best, and whatever else a penalty might lift above them."""
        return np.union1d(best, recent) if self._favours else best

    def logprob(self, row: int, token: int) -> TokenLogprob:
        """The token's log probability and those of the likeliest, by a softmax over the raw logits."""
        logits = self._logits(row)
        peak = logits.max()
        whole = float(peak) + float(np.log(np.exp(logits - peak).sum(dtype=np.float64)))
        count = self._sampling.logprobs or 0
        best = _best(logits, count) if count else np.empty(0, np.int64)
        order = best[np.argsort(-logits[best], kind="stable")][:count]

        def named(one: int, top: tuple[TokenLogprob, ...] = ()) -> TokenLogprob:
            data = token_bytes(self._vocabulary, one)
            return TokenLogprob(data.decode(errors="replace"), data, float(logits[one]) - whole, top)

        return named(token, tuple(named(int(one)) for one in order))

    def _logits(self, row: int) -> Logits:
        pointer = llama_cpp.llama_get_logits_ith(self._context, row)
        values = memoryview(self._row.from_address(ctypes.addressof(pointer.contents)))
        return np.frombuffer(values, np.float32)

    def close(self) -> None:
        """Free the chain."""
        llama_cpp.llama_sampler_free(self._chain)
        if self._grammar is not None:
            self._grammar.close()


def _window(sampling: Sampling) -> int:
    if sampling.dry_multiplier:
        return DRY_WINDOW
    penalised = sampling.repeat_penalty != 1.0 or sampling.frequency_penalty or sampling.presence_penalty
    return PENALTY_WINDOW if penalised else 0


def _best(scores: Logits, count: int) -> Tokens:
    """At least the ``count`` best tokens, in their order.

    The vocabulary is read as stripes and the best of each is taken: as many stripes as tokens are wanted reach above
    the bar that is found so, and the tokens above it are few. Several times as fast as a partition of all.
    """
    stripes = len(scores) // 64
    if count >= len(scores):
        return np.arange(len(scores))
    peaks = scores.copy() if count >= stripes else scores[: stripes * 64].reshape(64, stripes).max(axis=0)
    peaks.partition(len(peaks) - count)
    tokens = np.flatnonzero(scores >= peaks[len(peaks) - count])
    if not len(tokens):
        raise DecodeFailed("The model computed something that is not a number.")
    return tokens
