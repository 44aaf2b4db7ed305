"""The language models of this computer, as the settings run them: which there are, and how each is loaded."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from vaultbridge.backends.memory import memory
from vaultbridge.builds import FAKES, context_of, generator_build
from vaultbridge.catalog.choice import AUTO, NONE, choose_generator
from vaultbridge.catalog.drafting import Drafting, drafting
from vaultbridge.catalog.fitting import room_of
from vaultbridge.catalog.inventory import Inventory
from vaultbridge.catalog.parts import size_of
from vaultbridge.catalog.supply import Model, Supply
from vaultbridge.core.errors import VaultbridgeError
from vaultbridge.core.machine import Memory
from vaultbridge.engine.berth import Load
from vaultbridge.fitted import fitted, machine, wish_of
from vaultbridge.settings import Settings

log = logging.getLogger(__name__)

LITTLE_MEMORY = 5
"""Of the computer's memory, in percent: with less of it available, idle models leave."""
_GB = 1e9


@dataclass(frozen=True, slots=True)
class Room:
    """Memory for language models: ``budget`` in bytes, and ``others``: what is not theirs of what is free ``here``."""

    budget: int
    others: int
    here: Memory

    @classmethod
    def of(cls, settings: Settings, others: int) -> Room:
        """What the settings say, or else what is free now beside ``others``, bytes of further models; blocking."""
        used = settings.models.generator != NONE and settings.models.backend != FAKES
        here = machine() if used else memory()
        free = room_of(here)
        budget = int(settings.models.memory * _GB) or free - others
        return cls(budget, free - budget, here)


class LanguageModels:
    """``usual`` is the one that the settings name or choose, if there is one; ``supply`` looks at the disk afresh.

    ``draft`` names the model that drafts for those that are loaded from now on.
    """

    def __init__(
        self,
        settings: Settings,
        usual: Model | None,
        room: Room,
        inventory: Inventory,
        supply: Callable[[], Supply],
        draft: Callable[[], str],
    ) -> None:
        self._settings = settings
        self._usual = usual
        self._room = room
        self._inventory = inventory
        self._supply = supply
        self._draft = draft

    def installed(self) -> list[str]:
        """The names of all, the usual one first."""
        found = [model.name for model in self._inventory.look() if model.role in ("chat", "completion")]
        if self._settings.models.generator == NONE:
            return []
        if self._settings.models.backend == FAKES:
            return [FAKES]
        usual = self._usual or choose_generator(AUTO, self._supply())
        return [usual.name, *found] if usual else found

    def load(self, name: str) -> Load:
        """How one is run: chosen as if it had all of the room, since the others leave when it is wanted.

        Raises ModelMissing or ModelInvalid.
        """
        usual = self._usual
        model = usual if usual and usual.name == name else self._supply().resolve(name, "chat")
        draft = self._drafting(model)
        fit = fitted(self._settings.engine, model, self._room.others, self._room.here, draft)
        settings = self._settings.model_copy(update={"engine": fit.engine})
        needed = fit.needed or (size_of(model.path) if model.path.is_file() else 0)
        return Load(generator_build(model, settings, draft), needed, context_of(model, settings), fit.chosen)

    def _drafting(self, model: Model) -> Drafting | None:
        """What drafts for a model; none, and why in the log, if the one that is chosen cannot."""
        name, engine = self._draft(), self._settings.engine
        if name == NONE or not engine.drafts:
            return None
        try:
            return drafting(name, model, self._supply(), wish_of(engine))
        except VaultbridgeError as error:
            log.warning("%s", error)
            return None


def is_short_of_memory() -> bool:
    """Whether so little is left that what nobody uses should leave."""
    here = memory()
    return here.available * 100 < here.total * LITTLE_MEMORY
