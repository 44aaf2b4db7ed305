"""What llama.cpp was built for, told by its files: without loading it, which takes a second and may end the process."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

_GPUS = ("cuda", "hip", "metal", "musa", "opencl", "sycl", "vulkan")


def gpu_kinds(folder: Path | None = None) -> tuple[str, ...]:
    """The GPUs that the libraries in ``folder`` (llama-cpp-python's) are for; none if they are for the CPU alone."""
    if folder is None:
        spec = find_spec("llama_cpp")
        folder = Path(spec.origin).parent / "lib" if spec and spec.origin else Path()
    return tuple(kind for kind in _GPUS if any(folder.glob(f"*ggml-{kind}.*")))
