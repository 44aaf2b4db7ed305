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
    """An adapter for ``model``, which frees it. A context that is opened later has room for it, and one alone."""

    def __init__(self, model: Any, path: Path) -> None:
        """Raises ModelInvalid for a file that is none, or belongs to another model."""
        self._path = path
        with listening() as complaints:
            self._handle = llama_cpp.llama_adapter_lora_init(model, os.fsencode(path))
        if not self._handle:
            raise ModelInvalid(
                f"{path.name} is no LoRA adapter for this model{why(complaints)}.", "Choose the model it was made for."
            )
        if llama_cpp.llama_adapter_get_alora_n_invocation_tokens(self._handle):
            raise ModelInvalid(
                f"{path.name} works only behind certain words (an activated LoRA), which is not supported.",
                "Choose an adapter that works everywhere.",
            )

    def use(self, context: Any) -> None:
        """Compute everything in ``context`` with it. Raises ModelInvalid."""
        adapters, scales = (llama_cpp.llama_adapter_lora_p_ctypes * 1)(self._handle), (ctypes.c_float * 1)(1.0)
        if llama_cpp.llama_set_adapters_lora(context, adapters, 1, scales) != 0:
            raise ModelInvalid(f"llama.cpp cannot use the adapter {self._path.name}.", "Choose another.")
