"""What could be used now: the models whose files are on this computer, by what they are for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from vaultbridge.catalog.adapter import PLUS, belongs
from vaultbridge.catalog.catalog import ModelRole
from vaultbridge.catalog.local import role_of
from vaultbridge.catalog.supply import Supply
from vaultbridge.core.errors import ModelInvalid

_File = tuple[Path, int, int]
"""A file as it is: its path, its size and when it was written."""


@dataclass(frozen=True, slots=True)
class Installed:
    """A model that can be used by its name. ``path`` is what is loaded; ``context`` is 0 where loading would tell."""

    name: str
    role: ModelRole
    path: Path
    context: int = 0


class Inventory:
    """Looks at the disk through a fresh Supply each time; a file's header is read once, unless it changes."""

    def __init__(self, supply: Callable[[], Supply]) -> None:
        self._supply = supply
        self._roles: dict[_File, ModelRole | None] = {}
        self._pairs: dict[tuple[_File, _File], bool] = {}
        self.models: list[Installed] = []
        """What the last look found."""

    def look(self) -> list[Installed]:
        """All of them: the catalogue's, further fetched ones, what other programs have, and each with its adapters."""
        supply = self._supply()
        models = list(self._models(supply))
        self.models = models + list(self._adapted(supply, models))
        return self.models

    def _models(self, supply: Supply) -> Iterator[Installed]:
        for status in supply.statuses():
            entry = status.entry
            if status.present:
                yield Installed(entry.name, entry.role, supply.folder.path_of(entry), entry.context)
            elif status.found is not None:
                yield Installed(entry.name, entry.role, status.found.path, entry.context)
        for model in supply.others():
            if role := model.role or self._role_of(model.path):
                yield Installed(model.name, role, model.path)

    def _adapted(self, supply: Supply, models: Sequence[Installed]) -> Iterator[Installed]:
        """Language models with a LoRA adapter that belongs to them."""
        rest = [other for other in supply.others() if other.path.is_file() and other.name not in _names(models)]
        for model in models:
            for other in rest if model.role in ("chat", "completion") else ():
                if self._belongs(other.path, model.path):
                    yield replace(model, name=f"{model.name}{PLUS}{other.name}")

    def _role_of(self, path: Path) -> ModelRole | None:
        """None for a file that is damaged, or gone again."""
        with suppress(OSError):
            file = _file(path)
            if file not in self._roles:
                with suppress(ModelInvalid):
                    self._roles[file] = role_of(path)
            return self._roles.get(file)
        return None

    def _belongs(self, adapter: Path, model: Path) -> bool:
        with suppress(OSError):
            pair = _file(adapter), _file(model)
            if pair not in self._pairs:
                self._pairs[pair] = belongs(adapter, model)
            return self._pairs[pair]
        return False


def _file(path: Path) -> _File:
    stat = path.stat()
    return path, stat.st_size, stat.st_mtime_ns


def _names(models: Sequence[Installed]) -> set[str]:
    return {model.name for model in models}
