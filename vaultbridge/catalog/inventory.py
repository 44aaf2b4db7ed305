"""What could be used now: the models whose files are on this computer, by what they are for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from vaultbridge.catalog.catalog import ModelRole
from vaultbridge.catalog.local import role_of
from vaultbridge.catalog.supply import Supply
from vaultbridge.core.errors import ModelInvalid


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
        self._roles: dict[tuple[Path, int, int], ModelRole | None] = {}
        self.models: list[Installed] = []
        """What the last look found."""

    def look(self) -> list[Installed]:
        """All of them: the catalogue's, further fetched ones, and what other programs have."""
        self.models = list(self._models(self._supply()))
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

    def _role_of(self, path: Path) -> ModelRole | None:
        """None for a file that is damaged, or gone again."""
        with suppress(OSError):
            stat = path.stat()
            key = (path, stat.st_size, stat.st_mtime_ns)
            if key not in self._roles:
                with suppress(ModelInvalid):
                    self._roles[key] = role_of(path)
            return self._roles.get(key)
        return None
