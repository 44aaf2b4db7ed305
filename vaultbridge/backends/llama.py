"""llama.cpp through llama-cpp-python's low-level bindings: a model, its vocabulary, its KV cache, its samplers."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import llama_cpp
import numpy as np

from vaultbridge.backends.chat_template import ChatTemplate, Stretch, base_prompt
from vaultbridge.core.dialogue import Conversation, GeneratorInfo, Prompt, Sampling
from vaultbridge.core.errors import DecodeFailed, ModelInvalid

BATCH = 512
"""Tokens in one decode call at the most: between two calls an answer can be cancelled."""
PENALTY_WINDOW = 256
"""Tokens of the answer that penalties look back at."""
_LOG_ERROR = 4


class LlamaDecoder:
    """Implements ``core.ports.Decoder``: one context, one sequence.

    ``swa_full`` keeps the whole window of sliding-window models (Gemma), so that any prefix can be reused.
    """

    def __init__(self, path: Path, name: str, context: int, threads: int | None = None, gpu_layers: int = -1) -> None:
        llama_cpp.llama_backend_init()
        model_params = llama_cpp.llama_model_default_params()
        model_params.n_gpu_layers = gpu_layers if gpu_layers >= 0 else 999
        with _listening() as complaints:
            self._model = llama_cpp.llama_model_load_from_file(os.fsencode(path), model_params)
        if not self._model:
            why = f" ({complaints[0]})" if complaints else ""
            raise ModelInvalid(f"llama.cpp cannot load {path.name}{why}.", "Fetch the file again, or choose another.")
        self._vocab = llama_cpp.llama_model_get_vocab(self._model)
        self._size = llama_cpp.llama_vocab_n_tokens(self._vocab)
        trained = llama_cpp.llama_model_n_ctx_train(self._model)
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = min(context, trained) if trained > 0 else context
        params.n_batch = params.n_ubatch = BATCH
        params.n_seq_max = 1
        params.kv_unified = True
        params.swa_full = True
        params.n_threads = params.n_threads_batch = threads or _physical_cores()
        self._context = llama_cpp.llama_init_from_model(self._model, params)
        if not self._context:
            raise ModelInvalid(
                f"{path.name} was loaded, but no context of {params.n_ctx} tokens fits.", "Lower --context."
            )
        self._memory = llama_cpp.llama_get_memory(self._context)
        self._batch = llama_cpp.llama_batch_init(BATCH, 0, 1)
        # Views on the batch's C arrays: filled in one assignment each, not field by field.
        self._token = np.ctypeslib.as_array(self._batch.token, (BATCH,))
        self._pos = np.ctypeslib.as_array(self._batch.pos, (BATCH,))
        self._logits = np.ctypeslib.as_array(self._batch.logits, (BATCH,))
        np.ctypeslib.as_array(self._batch.n_seq_id, (BATCH,))[:] = 1
        for i in range(BATCH):
            self._batch.seq_id[i][0] = 0
        template = llama_cpp.llama_model_chat_template(self._model, None)
        self._template = (
            ChatTemplate(template.decode(), self._text(self._bos), self._text(self._eos)) if template else None
        )
        self._info = GeneratorInfo(name, llama_cpp.llama_n_ctx(self._context), chat=self._template is not None)

    @property
    def info(self) -> GeneratorInfo:
        """What this model is."""
        return self._info

    @property
    def batch_size(self) -> int:
        """The most tokens that one ``decode`` takes."""
        return BATCH

    @property
    def _bos(self) -> int:
        return int(llama_cpp.llama_vocab_bos(self._vocab))

    @property
    def _eos(self) -> int:
        return int(llama_cpp.llama_vocab_eos(self._vocab))

    def _text(self, token: int) -> str:
        return self._piece(token, special=True).decode(errors="replace") if token >= 0 else ""

    def render(self, prompt: Prompt) -> tuple[list[int], tuple[str, ...]]:
        """A prompt's tokens; what people wrote in it is never read as a control token."""
        stop: tuple[str, ...] = ()
        if not isinstance(prompt, Conversation):
            stretches = [Stretch(prompt.text, trusted=False)]
        elif self._template:
            stretches = self._template.render(prompt)
        else:
            stretches, stop = base_prompt(prompt)
        tokens: list[int] = []
        for stretch in stretches:
            tokens += self._tokenize(stretch.text, special=stretch.trusted)
        if llama_cpp.llama_vocab_get_add_bos(self._vocab) and tokens[:1] != [self._bos]:
            tokens.insert(0, self._bos)
        return tokens, stop

    def tokenize(self, text: str) -> list[int]:
        """Plain text's tokens."""
        return self._tokenize(text, special=False)

    def _tokenize(self, text: str, *, special: bool) -> list[int]:
        data = text.encode()
        room = len(data) + 8  # never more tokens than bytes, but for what a vocabulary adds in front
        buffer = (llama_cpp.llama_token * room)()
        count = llama_cpp.llama_tokenize(self._vocab, data, len(data), buffer, room, False, special)
        if count < 0:
            raise DecodeFailed(f"llama.cpp could not tokenize a text of {len(data)} bytes.")
        return list(buffer[:count])

    def token_bytes(self, token: int) -> bytes:
        """The bytes that a token stands for; control tokens stand for none."""
        return self._piece(token, special=False)

    def _piece(self, token: int, *, special: bool) -> bytes:
        buffer = ctypes.create_string_buffer(64)
        length = llama_cpp.llama_token_to_piece(self._vocab, token, buffer, len(buffer), 0, special)
        if length < 0:
            buffer = ctypes.create_string_buffer(-length)
            length = llama_cpp.llama_token_to_piece(self._vocab, token, buffer, len(buffer), 0, special)
        return buffer.raw[:length]

    def is_end(self, token: int) -> bool:
        """Whether a token ends generation (end of text, end of turn)."""
        return bool(llama_cpp.llama_vocab_is_eog(self._vocab, token))

    def decode(self, tokens: Sequence[int], position: int) -> None:
        """Append tokens to the cache; the last one's logits are kept. Raises DecodeFailed."""
        count = len(tokens)
        self._token[:count] = tokens
        self._pos[:count] = np.arange(position, position + count)
        self._logits[:count] = 0
        self._logits[count - 1] = 1
        self._batch.n_tokens = count
        status = llama_cpp.llama_decode(self._context, self._batch)
        if status != 0:
            raise DecodeFailed(f"llama.cpp could not decode {count} tokens at {position} (status {status}).")

    def truncate(self, position: int) -> bool:
        """Forget the cache from ``position`` on; a refused partial removal empties it."""
        if llama_cpp.llama_memory_seq_rm(self._memory, 0, position, -1):
            return True
        llama_cpp.llama_memory_clear(self._memory, True)
        return False

    def sampler(self, sampling: Sampling) -> LlamaSampler:
        """A fresh sampler chain."""
        return LlamaSampler(self._context, self._size, sampling)

    def close(self) -> None:
        """Free the model and its cache."""
        llama_cpp.llama_batch_free(self._batch)
        llama_cpp.llama_free(self._context)
        llama_cpp.llama_model_free(self._model)


@llama_cpp.llama_log_callback  # type: ignore[untyped-decorator]
def _silent(level: int, text: bytes, _: ctypes.c_void_p) -> None:
    """The library logs to standard error unless it is told otherwise."""


@contextmanager
def _listening() -> Iterator[list[str]]:
    """What the library complains of meanwhile: it says why it refuses a file only in its log, the cause first."""
    complaints: list[str] = []

    @llama_cpp.llama_log_callback  # type: ignore[untyped-decorator]
    def keep(level: int, text: bytes, _: ctypes.c_void_p) -> None:
        if level == _LOG_ERROR:
            complaints.append(text.decode(errors="replace").strip())

    llama_cpp.llama_log_set(keep, ctypes.c_void_p(0))
    try:
        yield complaints
    finally:
        llama_cpp.llama_log_set(_silent, ctypes.c_void_p(0))


class LlamaSampler:
    """Implements ``core.ports.TokenSampler`` with the C sampler chain.

    top_k goes first: every later step then looks at forty candidates instead of the whole vocabulary. Penalties see
    generated tokens only, so quoting a note is not punished.
    """

    def __init__(self, context: object, vocabulary: int, sampling: Sampling) -> None:
        self._context = context
        self._chain = chain = llama_cpp.llama_sampler_chain_init(llama_cpp.llama_sampler_chain_default_params())
        parts = [llama_cpp.llama_sampler_init_top_k(sampling.top_k if sampling.top_k > 0 else 0)]
        if sampling.repeat_penalty != 1.0 or sampling.frequency_penalty or sampling.presence_penalty:
            parts.append(
                llama_cpp.llama_sampler_init_penalties(
                    vocabulary,
                    PENALTY_WINDOW,
                    sampling.repeat_penalty,
                    sampling.frequency_penalty,
                    sampling.presence_penalty,
                )
            )
        if sampling.temperature <= 0:
            parts.append(llama_cpp.llama_sampler_init_greedy())
        else:
            seed = llama_cpp.LLAMA_DEFAULT_SEED if sampling.seed is None else sampling.seed & 0xFFFFFFFE
            parts += [
                llama_cpp.llama_sampler_init_top_p(sampling.top_p, 1),
                llama_cpp.llama_sampler_init_min_p(sampling.min_p, 1),
                llama_cpp.llama_sampler_init_temp(sampling.temperature),
                llama_cpp.llama_sampler_init_dist(seed),
            ]
        for part in parts:
            llama_cpp.llama_sampler_chain_add(chain, part)

    def sample(self) -> int:
        """Choose and accept the next token."""
        return int(llama_cpp.llama_sampler_sample(self._chain, self._context, -1))

    def close(self) -> None:
        """Free the chain."""
        llama_cpp.llama_sampler_free(self._chain)


def _physical_cores() -> int:
    """Decoding is bound by memory: the second thread of a core only gets in the way."""
    try:
        pairs = {
            (topology / "physical_package_id").read_text() + (topology / "core_id").read_text()
            for topology in Path("/sys/devices/system/cpu").glob("cpu[0-9]*/topology")
        }
    except OSError:
        pairs = set()
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 4
    return max(1, min(len(pairs) or usable, usable))
