"""What llama.cpp says of itself and of this computer, and what its files say without it."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from vaultbridge.backends.llama_devices import build, repacked
from vaultbridge.backends.llama_files import gpu_kinds
from vaultbridge.backends.memory import memory
from vaultbridge.core.errors import BackendUnknown, WorkerLost
from vaultbridge.core.machine import Device, LlamaBuild
from vaultbridge.engine.aside import call_aside


def test_a_cpu_is_always_there_with_the_computers_memory() -> None:
    found = build()
    (cpu,) = (device for device in found.devices if device.kind == "cpu")
    assert cpu.memory == pytest.approx(psutil.virtual_memory().total, rel=0.01)
    assert found.threads >= 1
    assert found.version


def test_it_says_the_same_in_a_process_of_its_own() -> None:
    there, here = call_aside("vaultbridge.backends.llama_devices:build"), build()
    assert (there.version, there.features, there.repacked) == (here.version, here.features, here.repacked)


def test_a_process_that_dies_is_an_error_here() -> None:
    with pytest.raises(WorkerLost):
        call_aside("os:abort")
    with pytest.raises(BackendUnknown):
        call_aside("vaultbridge.nowhere:build")


@pytest.mark.parametrize(
    ("features", "has", "has_not"),
    [
        (["AVX2", "REPACK"], {"q4_0", "q4_k"}, {"q8_0", "q2_k"}),
        (["AVX2", "AVX512", "REPACK"], {"q4_0", "q2_k"}, {"q8_0"}),
        (["NEON", "DOTPROD", "REPACK"], {"q4_0", "q8_0"}, set()),
        (["AVX2", "AVX512", "AMX_INT8", "REPACK"], set(), {"q4_0", "q2_k"}),
        (["AVX2"], set(), {"q4_0"}),
        (["SSE3", "REPACK"], set(), {"q4_0"}),
    ],
)
def test_kernels_want_their_own_order(features: list[str], has: set[str], has_not: set[str]) -> None:
    found = repacked(features)
    assert has <= found
    assert not has_not & found


def test_gpus_are_told_by_the_libraries(tmp_path: Path) -> None:
    (tmp_path / "libggml-cpu.so").touch()
    assert gpu_kinds(tmp_path) == ()
    (tmp_path / "libggml-cuda.so").touch()
    (tmp_path / "ggml-vulkan.dll").touch()
    assert gpu_kinds(tmp_path) == ("cuda", "vulkan")


def test_memory_of_a_card_is_beside_the_computers_and_that_of_an_integrated_one_is_not() -> None:
    def having(*devices: Device) -> LlamaBuild:
        return LlamaBuild("1", (), devices, 1, frozenset())

    card = Device("CUDA0", "RTX", "gpu", 12 << 30, 11 << 30)
    assert memory(having(card)).gpu == 11 << 30
    assert not memory(having(card)).shared
    for shared in (
        Device("Metal", "Apple M2", "gpu", 12 << 30, 11 << 30),
        Device("Vulkan0", "Iris", "integrated", 8 << 30, 8 << 30),
    ):
        assert memory(having(shared)).gpu == 0
        assert memory(having(shared)).shared
    assert memory().gpu == 0
