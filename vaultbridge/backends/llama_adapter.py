"""A LoRA adapter: what a fine-tuning added to a model's matrices, in a file of its own."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Any

import llama_cpp

from vaultbridge.backends.llama_loading import listening, why
from vaultbridge.core.errors import ModelInvalid


class LlamaAdapter:
    """An adapter for ``model``. A context that is opened later has room for it, and one that is open has not."""

    def __init__(self, model: Any, path: Path) -> None:
        """Raises ModelInvalid for a file that is none, or belongs to another model; ``model`` is freed then."""
        self._path = path
        with listening() as complaints:
            self._handle = llama_cpp.llama_adapter_lora_init(model, os.fsencode(path))
        reason, hint = "", "Choose the model it was made for."
        if not self._handle:
            reason = f"is no LoRA adapter for this model{why(complaints)}"
        elif llama_cpp.llama_adapter_get_alora_n_invocation_tokens(self._handle):
            reason, hint = "works only behind certain words (an activated LoRA)", "Choose one that works everywhere."
        if reason:
            llama_cpp.llama_model_free(model)
            raise ModelInvalid(f"{path.name} {reason}.", hint)

    def use(self, context: Any) -> None:
        """Compute everything in ``context`` with it. Raises ModelInvalid."""
        adapters, scales = (llama_cpp.llama_adapter_lora_p_ctypes * 1)(self._handle), (ctypes.c_float * 1)(1.0)
        if llama_cpp.llama_set_adapters_lora(context, adapters, 1, scales) != 0:
            raise ModelInvalid(f"llama.cpp cannot use the adapter {self._path.name}.", "Choose another.")
