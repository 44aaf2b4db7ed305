"""A grammar as llama.cpp follows it, token by token."""

from __future__ import annotations

import ctypes
import os
import re
import tempfile
from typing import Any

import llama_cpp
import numpy as np

from vaultbridge.backends.gbnf import check
from vaultbridge.backends.json_grammar import json_grammar
from vaultbridge.backends.llama_candidates import Candidates, Tokens
from vaultbridge.core.dialogue import Grammar
from vaultbridge.core.errors import InvalidRequest


class LlamaGrammar:
    """Where an answer stands in its grammar; a lazy one waits for its first trigger.

    Triggers are looked for here and not by llama.cpp, which ends the process when the token that completes one goes
    on as the grammar does not, and whose regular expressions overflow the stack over long texts.
    """

    def __init__(self, vocabulary: Any, grammar: Grammar) -> None:
        """Raises InvalidRequest for a grammar that cannot be read."""
        self._vocabulary = vocabulary
        self._sampler = _sampler(vocabulary, grammar)
        self._candidates = Candidates()
        try:
            self._triggers = [re.compile(trigger.encode()) for trigger in grammar.triggers]
        except re.error as error:
            self.close()
            raise InvalidRequest(f"A trigger cannot be read: {error}.", param="grammar") from error
        self.waiting = bool(self._triggers)
        self._said = b""
        self._tokens: list[tuple[int, int]] = []

    def allows(self, token: int) -> bool:
        """Whether the answer may go on with ``token``."""
        if not self.waiting:
            return _fits(self._sampler, token)
        begun = self._begun(token)
        if begun is None:
            return True
        trial = llama_cpp.llama_sampler_clone(self._sampler)
        try:
            return all(_accepted(trial, one) for one in begun)
        finally:
            llama_cpp.llama_sampler_free(trial)

    def narrow(self, tokens: Tokens) -> Tokens:
        """Those of ``tokens`` that the answer may go on with; a grammar that waits is not asked this."""
        llama_cpp.llama_sampler_apply(self._sampler, ctypes.byref(self._candidates.filled(tokens, 0.0)))
        allowed: Tokens = tokens[np.isfinite(self._candidates.logits(len(tokens)))]
        return allowed

    def accept(self, token: int) -> None:
        """Go on with ``token``, which must be allowed."""
        if not self.waiting:
            llama_cpp.llama_sampler_accept(self._sampler, token)
            return
        begun = self._begun(token)
        if begun is not None:
            self.waiting = False
            for one in begun:
                llama_cpp.llama_sampler_accept(self._sampler, one)
        self._tokens.append((token, len(self._said)))
        self._said += token_bytes(self._vocabulary, token)

    def close(self) -> None:
        """Free it."""
        llama_cpp.llama_sampler_free(self._sampler)

    def _begun(self, token: int) -> list[int] | None:
        """The tokens with which the grammar's text begins if ``token`` completes a trigger."""
        said = self._said + token_bytes(self._vocabulary, token)
        for trigger in self._triggers:
            if found := trigger.search(said):
                # As llama.cpp has it: the grammar begins with the first group that took part, or with the whole.
                start = next((found.start(i) for i in range(1, trigger.groups + 1) if found[i]), found.start())
                tokens = [*self._tokens, (token, len(self._said))]
                ends = [*(at for _, at in tokens[1:]), len(said)]
                within = [(one, at, end) for (one, at), end in zip(tokens, ends, strict=True) if end > start]
                _, first, end = within[0]
                head = [within[0][0]] if first == start else _tokens(self._vocabulary, said[start:end])
                return [*head, *(one for one, _, _ in within[1:])]
        return None


def token_bytes(vocabulary: Any, token: int) -> bytes:
    """The bytes that a token stands for; a control token's are its name."""
    room = 64
    while True:
        buffer = ctypes.create_string_buffer(room)
        length = llama_cpp.llama_token_to_piece(vocabulary, token, buffer, room, 0, True)
        if length >= 0:
            return buffer.raw[:length]
        room = -length


def _tokens(vocabulary: Any, text: bytes) -> list[int]:
    buffer = (llama_cpp.llama_token * (len(text) + 8))()
    count = llama_cpp.llama_tokenize(vocabulary, text, len(text), buffer, len(buffer), False, False)
    return list(buffer[: max(0, count)])


def _fits(sampler: Any, token: int) -> bool:
    candidate = llama_cpp.llama_token_data(id=token, logit=0.0, p=0.0)
    array = llama_cpp.llama_token_data_array(data=ctypes.pointer(candidate), size=1, selected=-1, sorted=False)
    llama_cpp.llama_sampler_apply(sampler, ctypes.byref(array))
    return bool(candidate.logit == 0.0)


def _accepted(sampler: Any, token: int) -> bool:
    fits = _fits(sampler, token)
    if fits:
        llama_cpp.llama_sampler_accept(sampler, token)
    return fits


def _sampler(vocabulary: Any, grammar: Grammar) -> Any:
    schema = grammar.kind == "json_schema"
    what, param = ("JSON schema", "response_format") if schema else ("grammar", "grammar")
    try:
        text = json_grammar(grammar.text) if schema else grammar.text
        check(text)
        sampler, complaint = _read(vocabulary, text.encode())
    except (ValueError, AssertionError) as error:
        raise InvalidRequest(f"The {what} cannot be used: {_short(str(error))}.", param=param) from error
    except (TypeError, AttributeError, LookupError, RecursionError) as error:
        # The converter looks at a schema as it goes, and stumbles where it is not one.
        raise InvalidRequest(f"The {what} cannot be read.", "Check and simplify it.", param=param) from error
    if not sampler:
        raise InvalidRequest(f"llama.cpp cannot read the {what}: {_short(complaint)}.", param=param)
    return sampler


def _read(vocabulary: Any, grammar: bytes) -> tuple[Any, str]:
    """The sampler, or None and the reason, which llama.cpp writes to standard error, past its log."""
    usual = os.dup(2)
    try:
        with tempfile.TemporaryFile() as file:
            os.dup2(file.fileno(), 2)
            try:
                sampler = llama_cpp.llama_sampler_init_grammar(vocabulary, grammar, b"root")
            finally:
                os.dup2(usual, 2)
            file.seek(0)
            written = file.read().decode(errors="replace")
    finally:
        os.close(usual)
    return sampler, written.partition("error parsing grammar:")[2].partition("\n")[0]


def _short(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip().rstrip(".")[:200] or "it gives no reason"
