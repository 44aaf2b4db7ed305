"""What llama.cpp, as it is built here, can run on."""

from __future__ import annotations

import llama_cpp


def devices() -> tuple[str, ...]:
    """``cpu``, and ``gpu`` if there is one that this build can use."""
    return ("cpu", "gpu") if llama_cpp.llama_supports_gpu_offload() else ("cpu",)
