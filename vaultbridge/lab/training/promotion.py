"""A tuned model among the user's own: copied into the models folder, so that it outlives its run."""

from __future__ import annotations

import errno
import re
import shutil
from pathlib import Path

from vaultbridge.backends.vector_space import weights_digest
from vaultbridge.catalog.catalog import ModelRole
from vaultbridge.catalog.supply import Supply
from vaultbridge.core.errors import DiskFull

ORIGIN = "a training run"
"""What the model's receipt says of where it is from."""

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def install(model: Path, wanted: str, role: ModelRole, licence: str, supply: Supply) -> str:
    """Copy a tuned model's folder into the models folder under the ``wanted`` name or the next free one; its name.

    The very same model is not copied twice. Raises DiskFull; what was there before is untouched.
    """
    weights = weights_digest(model)
    plain = re.sub(r"[^\w.-]+", "-", wanted).strip("-.") or "tuned"
    name, number = plain, 1
    while name in supply.catalog or (supply.folder.path / name).exists():
        if name not in supply.catalog and weights_digest(supply.folder.path / name) == weights:
            return name
        number += 1
        name = f"{plain}-{number}"
    folder = supply.folder
    with folder.fetching(name, lambda: None):
        place = folder.work_of(name) / "model"
        shutil.rmtree(place.parent, ignore_errors=True)
        try:
            _copy(model, place)
            folder.sign(place, "", ORIGIN, role, licence)
            folder.install(name)
        except OSError as error:
            shutil.rmtree(place.parent, ignore_errors=True)
            if error.errno in _NO_ROOM:
                raise DiskFull(
                    f"No room is left in {folder.path} for the tuned model.",
                    "Free some space and promote it again; the former one serves.",
                ) from error
            raise
    return name


def _copy(model: Path, place: Path) -> None:
    # As shutil.copytree, which would gather what went wrong into an error without the number of a full disk.
    for file in sorted(model.rglob("*")):
        if file.is_file():
            target = place / file.relative_to(model)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
