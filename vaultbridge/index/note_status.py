"""Whether one note is in the index, and if not, exactly why."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

from vaultbridge.core.errors import NoteUnreadable
from vaultbridge.core.notes import IndexedNote, NotePath
from vaultbridge.index.rules import StandingRules
from vaultbridge.vault.files import Vault
from vaultbridge.vault.formats import is_note, suffix

State = Literal["indexed", "waiting", "excluded", "unreadable", "missing"]


@dataclass(frozen=True, slots=True)
class NoteStatus:
    """How the index stands to one file of the vault.

    ``waiting``: what is there is not read yet; ``excluded``: by a rule, or for what it is; ``unreadable``: and nothing
    of it is known from before. ``reason`` is for people to read, also where some of an indexed note could not be read
    or its last good chunks are served. ``indexed_at`` and ``retry_at`` in seconds since 1970; ``attempts`` counts
    failed readings.
    """

    state: State
    reason: str = ""
    chunks: int = 0
    indexed_at: float | None = None
    attempts: int = 0
    retry_at: float | None = None

    @property
    def indexed(self) -> bool:
        """Whether it can be found."""
        return self.chunks > 0 or self.state == "indexed"


def note_status(
    vault: Vault, rules: StandingRules, path: NotePath, receipt: IndexedNote | None, retry_at: float | None
) -> NoteStatus:
    """Look at a file and at its receipt. Blocking: the file is read."""
    if rule := rules.reason(path):
        return NoteStatus("excluded", rule)
    if not os.path.lexists(vault.root / path):
        return NoteStatus("missing", "not in the vault")
    if not is_note(path):
        return NoteStatus("excluded", f"not a note: files that end in {suffix(path)!r} are not indexed")
    if receipt is not None and receipt.left_out:
        return NoteStatus("excluded", receipt.reason)
    try:
        digest, unreadable = vault.hash(path).sha256, ""
    except FileNotFoundError:
        return NoteStatus("missing", "not in the vault")
    except NoteUnreadable as error:
        digest, unreadable = "", error.message
    if receipt is None:
        return NoteStatus("unreadable", unreadable) if unreadable else NoteStatus("waiting", "not read yet")
    known = receipt.chunks, receipt.indexed_at, receipt.attempts, retry_at
    if receipt.state.sha256 != digest and not unreadable:
        return NoteStatus("waiting", receipt.reason or "changed, and not read again yet", *known)
    if receipt.reason and not receipt.chunks:
        return NoteStatus("unreadable", receipt.reason, *known)
    return NoteStatus("indexed", receipt.reason, *known)
