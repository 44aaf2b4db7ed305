"""From changes of files to what the store shall hold: read, parse, chunk, or say why not."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

from vaultbridge.core.errors import NoteUnreadable
from vaultbridge.core.notes import Change, FileState, IndexedNote, NotePath, NoteUpdate, note_name
from vaultbridge.core.ports import Clock
from vaultbridge.vault.chunking import chunk
from vaultbridge.vault.content_rules import ContentRules
from vaultbridge.vault.files import Vault
from vaultbridge.vault.formats import read_note

log = logging.getLogger(__name__)

MOST_ATTEMPTS = 8
"""Failed readings of one state after which a note is left alone until it changes."""


class NoteReader:
    """Reads notes of one vault."""

    def __init__(self, vault: Vault, clock: Clock) -> None:
        self._vault = vault
        self._clock = clock

    def read(
        self, changes: Sequence[Change], receipts: Mapping[NotePath, IndexedNote], rules: ContentRules
    ) -> tuple[list[NoteUpdate], list[NotePath]]:
        """What to write for ``changes``, and the paths whose file vanished meanwhile. Blocking.

        A note that cannot be read keeps its last good chunks; its receipt says why. Of one that the rules leave out
        there is a receipt that says so, and nothing else.
        """
        updates: list[NoteUpdate] = []
        vanished: list[NotePath] = []
        for change in changes:
            try:
                updates.append(self._read(change, receipts.get(change.origin or change.path), rules))
            except FileNotFoundError:
                vanished.append(change.path)
                if change.origin is not None:
                    vanished.append(change.origin)
        return updates, vanished

    def _read(self, change: Change, before: IndexedNote | None, rules: ContentRules) -> NoteUpdate:
        assert change.state is not None
        if change.kind == "touched" and before is not None:
            return NoteUpdate(replace(before, state=change.state), None)
        try:
            content, state = self._vault.read(change.path)
            note, problem = read_note(content, state)
            if rule := rules.reason(note, problem):
                return NoteUpdate(left_out(state, rule, self._clock.now()), (), change.origin)
            chunks = chunk(note)
        except NoteUnreadable as error:
            return self._unreadable(change, before, error.message)
        except FileNotFoundError:
            raise
        except Exception as error:
            # A parser that stumbles over one note must not stop the others.
            log.exception("cannot parse %s", change.path)
            return self._unreadable(change, before, f"cannot be parsed ({type(error).__name__})")
        receipt = IndexedNote(
            state=state,
            title=note.title,
            tags=note.tags,
            aliases=note.aliases,
            headings=tuple(heading.text for heading in note.headings),
            links=tuple(dict.fromkeys(link.target for link in note.links if link.target)),
            chunks=len(chunks),
            indexed_at=self._clock.now(),
            reason=problem,
            attempts=MOST_ATTEMPTS if problem else 0,
        )
        return NoteUpdate(receipt, chunks, change.origin)

    def _unreadable(self, change: Change, before: IndexedNote | None, reason: str) -> NoteUpdate:
        assert change.state is not None
        if before is not None and before.left_out:  # nothing says that it may be seen now; read again at the next look
            receipt = left_out(replace(change.state, sha256=""), before.reason, self._clock.now())
            return NoteUpdate(receipt, (), change.origin)
        state = change.state if change.state.sha256 else self._hashed(change.state)
        same = before is not None and before.reason == reason and before.state.sha256 == state.sha256
        base = before or IndexedNote(state, title=note_name(change.path))
        attempts = base.attempts + 1 if same else 1
        receipt = replace(base, state=state, reason=reason, attempts=attempts, indexed_at=self._clock.now())
        if change.origin is not None:  # its rows carry the old path, and it cannot be read at the new one
            return NoteUpdate(replace(receipt, chunks=0), (), change.origin)
        return NoteUpdate(receipt, None)

    def _hashed(self, state: FileState) -> FileState:
        """A state that nobody looked into, with its hash if it has one: only what differs from that is read again."""
        try:
            return self._vault.hash(state.path)
        except NoteUnreadable:
            return state


def left_out(state: FileState, rule: str, now: float) -> IndexedNote:
    """The receipt of a note that a rule keeps out of the index."""
    return IndexedNote(state, title=note_name(state.path), indexed_at=now, reason=rule)
