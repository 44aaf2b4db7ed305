"""llama.cpp through llama-cpp-python's low-level bindings: a model, its vocabulary, its KV cache, its samplers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import llama_cpp

from vaultbridge.backends.chat_template import ChatTemplate, base_prompt
from vaultbridge.backends.cores import physical_cores
from vaultbridge.backends.gemma_template import own_template
from vaultbridge.backends.llama_adapter import LlamaAdapter
from vaultbridge.backends.llama_batch import Batch
from vaultbridge.backends.llama_loading import load_model, metadata, open_context
from vaultbridge.backends.llama_sampler import LlamaSampler
from vaultbridge.backends.llama_vocabulary import LlamaVocabulary
from vaultbridge.backends.middle import middle
from vaultbridge.backends.replies.reading import PlainReader
from vaultbridge.backends.replies.styles import BASE
from vaultbridge.backends.tool_grammar import tool_grammar
from vaultbridge.core.dialogue import Conversation, GeneratorInfo, Prompt, Sampling
from vaultbridge.core.errors import CacheFull, DecodeFailed
from vaultbridge.core.ports import ReplyFormat, Segment

BATCH = 512
"""Tokens in one decode call at the most: between two calls an answer can be cancelled."""
_KV_TYPES = {"f32": 0, "f16": 1, "q8_0": 8, "q4_0": 2}
_FLASH = {"auto": -1, "off": 0, "on": 1}


class LlamaDecoder:
    """Implements ``core.ports.Decoder``: one context whose sequences share one unified KV cache.

    ``context`` bounds one sequence, ``cache`` all of them together, in tokens; 0: twice a context.
    ``swa_full`` keeps the whole past of sliding-window models (Gemma), so that any prefix can be reused; without it
    memory is saved, and what the window has left behind is computed again. ``flash_attention`` "auto" is on where the
    device has it: the plain kernels compute what other sequences hold in the shared cache, to mask it afterwards.
    ``adapter`` is a LoRA's file: all sequences are computed with it, since they share cells.
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
        adapter: Path | None = None,
    ) -> None:
        self._model = load_model(path, gpu_layers=gpu_layers, mmap=mmap, mlock=mlock)
        lora = LlamaAdapter(self._model, adapter) if adapter else None
        trained = llama_cpp.llama_model_n_ctx_train(self._model)
        context = min(context, trained) if trained > 0 else context
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = max(context, cache or 2 * context)
        params.n_batch = batch
        params.n_ubatch = min(ubatch, batch)
        params.n_seq_max = slots
        params.kv_unified = True
        params.swa_full = swa_full
        params.type_k = params.type_v = _KV_TYPES[kv_type]
        params.flash_attn_type = _FLASH[flash_attention]
        params.n_threads = params.n_threads_batch = threads or physical_cores()
        self._context = open_context(self._model, params, path, "Lower --context or engine.cache.")
        if lora:
            lora.use(self._context)
        self._memory = llama_cpp.llama_get_memory(self._context)
        self._whole_states = llama_cpp.llama_model_is_recurrent(self._model) or llama_cpp.llama_model_is_hybrid(
            self._model
        )
        self._window = 0 if swa_full else llama_cpp.llama_model_n_swa(self._model)
        self._slots, self._batch_size = slots, batch
        self._batch = Batch(batch)
        handle = llama_cpp.llama_model_get_vocab(self._model)
        source = _template_of(self._model, path)
        self._vocabulary = LlamaVocabulary(handle, source)
        bos, eos = self._vocabulary.name("bos"), self._vocabulary.name("eos")
        self._template = ChatTemplate(source, bos, eos) if source else None
        parameters = llama_cpp.llama_model_n_params(self._model)
        self._info = GeneratorInfo(name, context, chat=self._template is not None, parameters=parameters)

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
    def vocabulary(self) -> int:
        """How many tokens there are."""
        return self._vocabulary.size

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


def _template_of(model: Any, path: Path) -> str:
    """A model's chat template; empty for a base model."""
    if own := llama_cpp.llama_model_chat_template(model, None):
        return str(own, errors="replace")
    named = (metadata(model, f"general.{key}") for key in ("name", "basename", "finetune"))
    return own_template(metadata(model, "general.architecture"), (path.stem, *named))
