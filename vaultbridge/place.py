"""Where a vault's index is kept, who writes it, and who serves it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from vaultbridge.catalog.choice import AUTO
from vaultbridge.core.errors import ConfigError, IndexLocked, VaultNotFound
from vaultbridge.server.client import Client
from vaultbridge.settings import Settings
from vaultbridge.vault.files import Vault
from vaultbridge.vault.ignore import is_hidden


@dataclass(frozen=True, slots=True)
class Place:
    """A vault and where its index is kept."""

    vault: Path
    id: str
    folder: Path

    @property
    def server_file(self) -> Path:
        """Where a running server writes its address."""
        return self.folder / "server.json"

    @property
    def token_file(self) -> Path:
        """Where the token is kept that ``server.token = "auto"`` makes."""
        return self.folder / "token"

    @property
    def store_uri(self) -> str:
        """What the store is opened with."""
        return str(self.folder / "index")


def place_of(settings: Settings) -> Place:
    """The place of the vault that the settings name. Raises VaultNotFound, ConfigError for an index within it."""
    if settings.vault is None:
        raise VaultNotFound("No vault is named.", "Pass --vault DIR, or set `vault` in vaultbridge.toml.")
    root = Vault(settings.vault).root
    data = settings.data.expanduser().resolve()
    if data.is_relative_to(root) and not any(map(is_hidden, data.relative_to(root).parts)):
        raise ConfigError(f"The index would be in the vault, at {data}.", "Choose another folder with --data.")
    id_ = hashlib.sha256(os.fsencode(root)).hexdigest()[:12]
    slug = re.sub(r"[^\w-]+", "-", root.name).strip("-") or "vault"
    return Place(root, id_, data / "vaults" / f"{slug}-{id_}")


def running_server(place: Place) -> dict[str, Any] | None:
    """What the server of a place wrote of itself, if its lock says that it runs: address, token, pid."""
    if not place.server_file.is_file() or not is_locked(place):
        return None
    try:
        described = json.loads(place.server_file.read_text())
    except (OSError, ValueError):
        return None
    return described if isinstance(described, dict) else None


def announce(place: Place, address: str, token: str) -> None:
    """Write where the server of a place is; readable by its owner only, since it holds the token."""
    _write_private(
        place.server_file, json.dumps({"address": address, "token": token, "vault": place.id, "pid": os.getpid()})
    )


def token_of(place: Place, setting: str) -> str:
    """The token that ``server.token`` asks for: itself, or for ``auto`` the place's own, made once.

    The file of the place's own is readable by its owner only, and is made so again if it is not.
    """
    if setting != AUTO:
        return setting
    file = place.token_file
    token = file.read_text().strip() if file.is_file() else ""
    if not token:
        _make(place.folder)
        token = secrets.token_urlsafe(24)
        _write_private(file, token + "\n")
    file.chmod(0o600)
    return token


def _write_private(file: Path, text: str) -> None:
    draft = file.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
        opened.write(text)
    draft.replace(file)


def _make(folder: Path) -> None:
    """Make a place's folder, and the one of all places, whose names are those of vaults: for their owner only."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.parent.chmod(0o700)
    folder.mkdir(mode=0o700, exist_ok=True)


@contextmanager
def only_for_owner(place: Place) -> Iterator[None]:
    """Let nobody else read a place: neither what is there nor what this process, or one that it starts, writes.

    The mask of a process is the only thing that the libraries which write the index ask.
    """
    _make(place.folder)
    for folder, _, files in os.walk(place.folder):
        Path(folder).chmod(0o700)
        for name in files:
            with suppress(FileNotFoundError):
                (Path(folder) / name).chmod(0o600)
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def _lock(place: Place) -> FileLock:
    _make(place.folder)
    return FileLock(place.folder / "index.lock", timeout=0, mode=0o600)


def is_locked(place: Place) -> bool:
    """Whether some process writes the place."""
    lock = _lock(place)
    try:
        lock.acquire()
    except Timeout:
        return True
    lock.release()
    return False


def lock(place: Place) -> FileLock:
    """The lock of the one process that writes a place, taken; ``release`` it. Raises IndexLocked, naming who has it."""
    taken = _lock(place)
    try:
        taken.acquire()
    except Timeout:
        check_unused(place)
        raise IndexLocked(
            f"The index of {place.vault.name} is in use by another vaultbridge command.", "Wait for it, or stop it."
        ) from None
    return taken


def check_unused(place: Place) -> None:
    """Raise IndexLocked, naming it, if a server serves the place already."""
    if running := running_server(place):
        raise IndexLocked(
            f"The index of {place.vault.name} is in use by the server at {running['address']}.",
            f"Use that one, or stop it first (process {running['pid']}).",
        )


def client_of(place: Place) -> Client | None:
    """A client of the server of a place, if one runs."""
    running = running_server(place)
    return Client(running["address"], running["token"]) if running else None
