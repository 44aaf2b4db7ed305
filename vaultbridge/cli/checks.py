"""What ``vaultbridge doctor`` looks at: each check says what is, and what to do where that is not well."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vaultbridge.core.errors import VaultbridgeError
from vaultbridge.core.machine import LlamaBuild

if TYPE_CHECKING:
    from vaultbridge.place import Place
    from vaultbridge.settings import Settings

OLDEST_PYTHON = (3, 10)
SLOW_BYTES = 8e9
"""A second; slower memory than that of any laptop of the last ten years is a sign that something else is at work."""
ROOM_BYTES = 2e9
"""Free on a disk, for an index and a model to be fetched."""
EARLIEST = 1_735_689_600.0
"""The year 2025, before which no clock that is right runs this program."""
AHEAD_SECONDS = 600.0
WATCHES = Path("/proc/sys/fs/inotify/max_user_watches")
_PLENTY_PERCENT = 80
REINSTALL = "pip install --force-reinstall --no-cache-dir --no-binary llama-cpp-python llama-cpp-python"


@dataclass(frozen=True, slots=True)
class Check:
    """One line: ``said`` is what was found, ``remedy`` what to do about it; empty: it is well."""

    name: str
    said: str
    remedy: str = ""

    @property
    def ok(self) -> bool:
        """Whether nothing is to be done."""
        return not self.remedy


def guarded(name: str, look: Callable[[], Check]) -> Check:
    """A check that cannot itself fail: an error that a user can act on is what it found."""
    try:
        return look()
    except VaultbridgeError as error:
        return Check(name, error.message, error.hint or "See the message.")


def check_python() -> Check:
    """The interpreter."""
    version = platform.python_version()
    said = f"{version}, {platform.machine()}, {platform.system()}"
    if sys.version_info < OLDEST_PYTHON:
        return Check("python", said, "Install Python 3.10 or later.")
    if sys.maxsize < 1 << 32:
        return Check(
            "python", f"{said}, 32 bits", "Install a 64-bit Python: models need more memory than 32 bits reach."
        )
    return Check("python", said)


def check_llama(build: LlamaBuild, machine: str = "", nvidia: bool | None = None) -> Check:
    """Whether llama.cpp was built for what this computer has. ``machine`` and ``nvidia`` None: as they are here."""
    machine = machine or platform.machine().lower()
    nvidia = shutil.which("nvidia-smi") is not None if nvidia is None else nvidia
    features = [name for name in ("AVX2", "AVX512", "NEON", "CUDA", "Metal", "MTL", "Vulkan") if name in build.features]
    gpu = f"; {build.gpu.description}" if build.gpu else "; no GPU"
    said = f"llama-cpp-python {build.version} with {', '.join(features) or 'no vector kernels'}{gpu}"
    if machine in ("x86_64", "amd64") and "AVX2" not in build.features:
        return Check(
            "llama.cpp", said, f'It is slow without AVX2. If your CPU has it: CMAKE_ARGS="-DGGML_NATIVE=on" {REINSTALL}'
        )
    if machine == "arm64" and sys.platform == "darwin" and build.gpu is None:
        return Check("llama.cpp", said, f'It leaves the GPU alone. Run: CMAKE_ARGS="-DGGML_METAL=on" {REINSTALL}')
    if nvidia and build.gpu is None:
        return Check(
            "llama.cpp", said, f'It leaves the NVIDIA card alone. Run: CMAKE_ARGS="-DGGML_CUDA=on" {REINSTALL}'
        )
    return Check("llama.cpp", said)


def check_threads(build: LlamaBuild, asked: int, usable: int) -> Check:
    """As many threads as there are cores; ``asked`` by the settings, 0: nothing."""
    said = f"{asked or build.threads} for the chat model, of {usable} processors"
    if asked > usable:
        return Check(
            "threads", said, f"More threads than processors slow it down: set engine.threads to {build.threads}, or 0."
        )
    return Check("threads", said)


def check_bandwidth(bandwidth: float) -> Check:
    """How fast memory is read, which is how fast answers come."""
    said = f"memory is read at {bandwidth / 1e9:.0f} GB/s"
    if bandwidth < SLOW_BYTES:
        return Check("bandwidth", said, "That is slow: close programs that are at work, and run doctor again.")
    return Check("bandwidth", said)


def check_disk(folders: dict[str, Path]) -> Check:
    """The room for the index and for models, by what the folder is for."""
    said, full = [], []
    for what, folder in folders.items():
        there = next(parent for parent in (folder, *folder.parents) if parent.exists())
        free = shutil.disk_usage(there).free
        said.append(f"{free / 1e9:.1f} GB free for {what}")
        if free < ROOM_BYTES:
            full.append(f"Make room at {there}")
        elif not os.access(there, os.W_OK):
            full.append(f"{there} cannot be written: change its permissions")
    return Check("disk", ", ".join(said), "; ".join(full) + "." if full else "")


def check_vault(settings: Settings) -> Check:
    """The folder of notes, and how many there are."""
    from vaultbridge.place import place_of
    from vaultbridge.vault.files import Vault
    from vaultbridge.vault.ignore import IgnoreRules

    place = place_of(settings)
    vault = Vault(place.vault)
    unlisted: list[str] = []
    count = sum(1 for _ in vault.walk(IgnoreRules.load(place.vault), unlisted.append))
    said = f"{place.vault}, {count} notes"
    if unlisted:
        return Check(
            "vault", f"{said}; {len(unlisted)} folders cannot be read", f"Change the permissions of {unlisted[0]}."
        )
    if not count:
        return Check("vault", said, "Is it the right folder? Pass the one that you open in Obsidian with --vault.")
    return Check("vault", said)


def check_index(place: Place) -> Check:
    """Whether there is one, and who holds it."""
    from vaultbridge.place import is_locked, running_server

    if running := running_server(place):
        return Check("index", f"served at {running['address']} by process {running['pid']}")
    if is_locked(place):
        return Check("index", "in use by another vaultbridge command", "Wait for it, or stop it.")
    if not Path(place.store_uri).is_dir():
        return Check("index", "not made yet; serve makes it")
    files = [file for file in Path(place.store_uri).rglob("*") if file.is_file()]
    return Check("index", f"{sum(file.stat().st_size for file in files) / 1e6:.0f} MB in {place.folder}")


def check_port(settings: Settings, place: Place | None) -> Check:
    """Whether we can listen where the settings say; a server of ours that does so already is well, too."""
    from vaultbridge.place import running_server
    from vaultbridge.server.port import claim

    host, port = settings.server.host.strip("[]"), settings.server.port
    if place and (running := running_server(place)) and str(running["address"]).endswith(f":{port}"):
        return Check("port", f"{port}, taken by this vault's own server")
    claim(host, port, "vaultbridge serve").close()
    return Check("port", f"{port} is free")


def check_models(settings: Settings, has_cjk: Callable[[], bool]) -> Iterator[Check]:
    """What would be loaded, and whether it fits."""
    from vaultbridge.catalog.choice import choose_embedder, choose_generator
    from vaultbridge.fitted import fitted
    from vaultbridge.wiring import RECOMMENDED, supply_of

    supply = supply_of(settings)

    def generator() -> Check:
        model = choose_generator(settings.models.generator, supply)
        if model is None:
            return Check(
                "chat model", "none: answers are passages", f"Fetch one: vaultbridge models pull {RECOMMENDED}"
            )
        found = fitted(settings.engine, model)
        remedy = "" if found.fits else "Take a smaller model (vaultbridge models recommend), or close other programs."
        return Check("chat model", found.chosen or model.name, remedy)

    def embedder() -> Check:
        model, why = choose_embedder(settings.models.embedder, supply, has_cjk)
        if model is None:
            return Check("embedder", "none: search is by keyword", why)
        return Check("embedder", model.name)

    yield guarded("chat model", generator)
    yield guarded("embedder", embedder)


def check_watches(vault: Path, limit: Path = WATCHES) -> Check:
    """Whether the system lets us watch every folder; each takes one of the user's inotify watches."""
    if not limit.is_file():
        return Check("watching", "the system sets no limit")
    allowed = int(limit.read_text())
    folders = 1 + sum(len(names) for _, names, _ in os.walk(vault))
    said = f"{folders:,} folders, {allowed:,} watches allowed"
    if folders * 100 > allowed * _PLENTY_PERCENT:
        wanted = max(524_288, 4 * folders)
        return Check(
            "watching", said, f"Saved notes may be found late. Run: sudo sysctl fs.inotify.max_user_watches={wanted}"
        )
    return Check("watching", said)


def check_clock(newest: float, now: float | None = None) -> Check:
    """Whether the clock can be right: it decides what “last week” means, and which note is new."""
    now = time.time() if now is None else now
    said = time.strftime("%Y-%m-%d %H:%M", time.localtime(now))
    if now < EARLIEST:
        return Check("clock", said, "The clock is wrong: set it, best from the network.")
    if newest > now + AHEAD_SECONDS:
        later = time.strftime("%Y-%m-%d %H:%M", time.localtime(newest))
        return Check(
            "clock", f"{said}, but a note was changed at {later}", "Set the clock, or that of the computer that syncs."
        )
    return Check("clock", said)
