"""llama.cpp through llama-cpp-python's low-level bindings: a model, its vocabulary, its KV cache, its samplers."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import llama_cpp
import numpy as np
import psutil

from vaultbridge.backends.chat_template import ChatTemplate, base_prompt
from vaultbridge.backends.llama_sampler import LlamaSampler
from vaultbridge.backends.llama_vocabulary import LlamaVocabulary
from vaultbridge.backends.middle import middle
from vaultbridge.backends.replies.reading import PlainReader
from vaultbridge.backends.replies.styles import BASE
from vaultbridge.backends.tool_grammar import tool_grammar
from vaultbridge.core.dialogue import Conversation, GeneratorInfo, Prompt, Sampling
from vaultbridge.core.errors import CacheFull, DecodeFailed, ModelInvalid
from vaultbridge.core.ports import ReplyFormat, Segment

BATCH = 512
"""Tokens in one decode call at the most: between two calls an answer can be cancelled."""
CACHE_SHARE = 8
"""The cache may take a so-manieth part of the machine's memory before it is held to a single context."""
_LOG_ERROR = 4
_KV_TYPES = {"f32": 0, "f16": 1, "q8_0": 8, "q4_0": 2}
_FLASH = {"auto": -1, "off": 0, "on": 1}


class LlamaDecoder:
    """Implements ``core.ports.Decoder``: one context whose sequences share one unified KV cache.

    ``context`` bounds one sequence, ``cache`` all of them together, in tokens; 0: twice a context where memory allows.
    ``swa_full`` keeps the whole past of sliding-window models (Gemma), so that any prefix can be reused; without it
    memory is saved, and what the window has left behind is computed again. ``flash_attention`` "auto" is on where the
    device has it: the plain kernels compute what other sequences hold in the shared cache, to mask it afterwards.
    """

    def __init__(
        self,
        path: Path,
        name: str,
        context: int,
        *,
        slots: int = 8,
        cache: int = 0,
        batch: int = BATCH,
        ubatch: int = BATCH,
        threads: int = 0,
        gpu_layers: int = -1,
        flash_attention: str = "auto",
        kv_type: str = "f16",
        swa_full: bool = True,
        mmap: bool = True,
        mlock: bool = False,
    ) -> None:
        llama_cpp.llama_backend_init()
        model_params = llama_cpp.llama_model_default_params()
        model_params.n_gpu_layers = gpu_layers if gpu_layers >= 0 else 999
        model_params.use_mmap, model_params.use_mlock = mmap, mlock
        with _listening() as complaints:
            self._model = llama_cpp.llama_model_load_from_file(os.fsencode(path), model_params)
        if not self._model:
            why = f" ({complaints[0]})" if complaints else ""
            raise ModelInvalid(f"llama.cpp cannot load {path.name}{why}.", "Fetch the file again, or choose another.")
        trained = llama_cpp.llama_model_n_ctx_train(self._model)
        context = min(context, trained) if trained > 0 else context
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = max(context, cache or self._default_cache(context, kv_type))
        params.n_batch = batch
        params.n_ubatch = min(ubatch, batch)
        params.n_seq_max = slots
        params.kv_unified = True
        params.swa_full = swa_full
        params.type_k = params.type_v = _KV_TYPES[kv_type]
        params.flash_attn_type = _FLASH[flash_attention]
        params.n_threads = params.n_threads_batch = threads or _physical_cores()
        with _listening() as complaints:
            self._context = llama_cpp.llama_init_from_model(self._model, params)
        if not self._context:
            why = f" ({complaints[0]})" if complaints else ""
            llama_cpp.llama_model_free(self._model)
            raise ModelInvalid(
                f"{path.name} was loaded, but no cache of {params.n_ctx} tokens fits{why}.",
                "Lower --context or engine.cache.",
            )
        self._memory = llama_cpp.llama_get_memory(self._context)
        self._whole_states = llama_cpp.llama_model_is_recurrent(self._model) or llama_cpp.llama_model_is_hybrid(
            self._model
        )
        self._window = 0 if swa_full else llama_cpp.llama_model_n_swa(self._model)
        self._slots, self._batch_size = slots, batch
        self._batch = _Batch(batch)
        handle = llama_cpp.llama_model_get_vocab(self._model)
        source = (llama_cpp.llama_model_chat_template(self._model, None) or b"").decode()
        self._vocabulary = LlamaVocabulary(handle, source)
        bos, eos = self._vocabulary.name("bos"), self._vocabulary.name("eos")
        self._template = ChatTemplate(source, bos, eos) if source else None
        self._info = GeneratorInfo(name, context, chat=self._template is not None)

    def _default_cache(self, context: int, kv_type: str) -> int:
        heads = max(1, llama_cpp.llama_model_n_head(self._model))
        width = llama_cpp.llama_model_n_embd(self._model) // heads * llama_cpp.llama_model_n_head_kv(self._model)
        cell = 2 * width * llama_cpp.llama_model_n_layer(self._model) * {"f32": 4, "f16": 2}.get(kv_type, 1)
        return 2 * context if 2 * context * cell * CACHE_SHARE <= psutil.virtual_memory().total else context

    @property
    def info(self) -> GeneratorInfo:
        """What this model is."""
        return self._info

    @property
    def slots(self) -> int:
        """How many sequences there is room for."""
        return self._slots

    @property
    def capacity(self) -> int:
        """Cells of all slots together."""
        return int(llama_cpp.llama_n_ctx(self._context))

    @property
    def batch_size(self) -> int:
        """The most tokens that one ``decode`` takes."""
        return self._batch_size

    @property
    def rewinds(self) -> bool:
        """Recurrent states cannot go back, and a window that has moved on has lost what stood before it."""
        return not self._whole_states and not self._window

    def render(self, prompt: Prompt) -> tuple[list[int], tuple[str, ...]]:
        """A prompt's tokens; what people wrote in it is never read as a control token."""
        if not isinstance(prompt, Conversation):
            tokens, stop = middle(prompt, self._vocabulary)
            return self._vocabulary.begun(tokens), stop
        stretches, stop = (self._template.render(prompt), ()) if self._template else base_prompt(prompt)
        tokens = []
        for stretch in stretches:
            tokens += stretch.tokens or self._vocabulary.tokenize(stretch.text, special=stretch.trusted)
        return self._vocabulary.begun(tokens), stop

    def reply(self, prompt: Prompt) -> ReplyFormat:
        """Its own format, as far as its chat template tells; a base model calls tools as it is told to."""
        if not isinstance(prompt, Conversation):
            return ReplyFormat(PlainReader)
        style = self._template.style if self._template else BASE
        end = self._template.render(prompt)[-1:] if self._template and style.thoughts else []
        inside = any(style.thoughts.is_open(stretch.text) for stretch in end if style.thoughts and stretch.trusted)
        return ReplyFormat(lambda: style.reader(prompt, inside=inside), tool_grammar(style, prompt, inside=inside))

    def tokenize(self, text: str) -> list[int]:
        """Plain text's tokens."""
        return self._vocabulary.tokenize(text)

    def token_bytes(self, token: int) -> bytes:
        """The bytes that a token stands for; control tokens stand for none, but for the marks of replies."""
        return self._vocabulary.token_bytes(token)

    def is_end(self, token: int) -> bool:
        """Whether a token ends generation (end of text, end of turn)."""
        return self._vocabulary.is_end(token)

    def decode(self, segments: Sequence[Segment]) -> None:
        """Append each segment to its slot. Raises CacheFull or DecodeFailed."""
        self._batch.fill(segments)
        status = llama_cpp.llama_decode(self._context, self._batch.struct)
        if status == 1:
            raise CacheFull(f"The cache has no room for {self._batch.struct.n_tokens} tokens.")
        if status != 0:
            raise DecodeFailed(f"llama.cpp could not decode {self._batch.struct.n_tokens} tokens (status {status}).")

    def truncate(self, slot: int, position: int) -> bool:
        """Forget a slot's cache from ``position`` on; a refused partial removal empties it."""
        if llama_cpp.llama_memory_seq_rm(self._memory, slot, position, -1) and self._reaches_back(slot, position):
            return True
        llama_cpp.llama_memory_seq_rm(self._memory, slot, -1, -1)
        return position == 0

    def copy(self, source: int, target: int, length: int) -> bool:
        """Let an empty slot share the first ``length`` tokens of another: nothing is moved in a unified cache."""
        if self._whole_states and llama_cpp.llama_memory_seq_pos_max(self._memory, source) + 1 != length:
            return False
        llama_cpp.llama_memory_seq_cp(self._memory, source, target, 0, length)
        if self._reaches_back(target, length):
            return True
        llama_cpp.llama_memory_seq_rm(self._memory, target, -1, -1)
        return False

    def _reaches_back(self, slot: int, position: int) -> bool:
        """Whether a slot still holds the whole window in front of ``position``."""
        if not self._window or position == 0:
            return True
        first = llama_cpp.llama_memory_seq_pos_min(self._memory, slot)
        return bool(0 <= first <= max(0, position - self._window))

    def sampler(self, sampling: Sampling) -> LlamaSampler:
        """A fresh sampler chain."""
        return LlamaSampler(self._model, self._context, sampling)

    def close(self) -> None:
        """Free the model and its cache."""
        llama_cpp.llama_free(self._context)
        llama_cpp.llama_model_free(self._model)


class _Batch:
    """llama.cpp's batch over numpy arrays, which are filled a segment at a time instead of field by field."""

    def __init__(self, size: int) -> None:
        self._token = np.zeros(size, np.int32)
        self._pos = np.zeros(size, np.int32)
        self._logits = np.zeros(size, np.int8)
        self._seq = np.zeros(size, np.int32)
        self._count = np.ones(size, np.int32)
        # Each token's list of sequences has one member, which lies in ``_seq``.
        step = self._seq.itemsize
        self._lists = (np.arange(size) * step + self._seq.ctypes.data).astype(np.uintp)
        self.struct = llama_cpp.llama_batch()
        for name, array in (
            ("token", self._token),
            ("pos", self._pos),
            ("n_seq_id", self._count),
            ("seq_id", self._lists),
            ("logits", self._logits),
        ):
            kind = dict(llama_cpp.llama_batch._fields_)[name]
            setattr(self.struct, name, ctypes.cast(array.ctypes.data, kind))

    def fill(self, segments: Sequence[Segment]) -> None:
        at = 0
        for segment in segments:
            end = at + len(segment.tokens)
            self._token[at:end] = segment.tokens
            self._pos[at:end] = np.arange(segment.position, segment.position + end - at)
            self._seq[at:end] = segment.slot
            self._logits[at : end - segment.outputs] = 0
            self._logits[end - segment.outputs : end] = 1
            at = end
        self.struct.n_tokens = at


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
