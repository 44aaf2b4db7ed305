"""Every error that a user can meet, with a stable code and a hint of what to do.

::

    VaultbridgeError
    ├── ConfigError       VaultNotFound · ModelMissing · ModelInvalid · BackendUnknown · PortTaken · IndexLocked
    ├── RequestError      InvalidRequest · ContextTooLong · UnknownModel · Unauthorized · Forbidden · WrongVault
    ├── BusyError         Overloaded · NotReady · DeadlineExceeded · DownloadFailed
    ├── IndexingError     NoteUnreadable · StoreMismatch (StoreDamaged) · DiskFull
    └── ComputeError      DecodeFailed · CacheFull · EmbedFailed · TrainingFailed · WorkerLost

Rooms raise facts. Only ``server/errors.py`` knows HTTP statuses and only ``cli.py`` knows exit codes.
"""

from __future__ import annotations

from typing import ClassVar


class VaultbridgeError(Exception):
    """A fact that a user can act on: ``message`` says what is, ``hint`` what to do, ``code`` stays the same."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross the pipe between processes; extra attributes travel in the state.
        return _revive, (type(self), self.message, self.hint, dict(self.__dict__))


def _revive(kind: type[VaultbridgeError], message: str, hint: str, state: dict[str, object]) -> VaultbridgeError:
    error = kind.__new__(kind)
    Exception.__init__(error, message)
    error.__dict__.update(state)
    return error


class ConfigError(VaultbridgeError):
    """The settings ask for something that cannot be had."""

    code = "config"


class VaultNotFound(ConfigError):
    """The vault folder is missing or is not a folder."""

    code = "vault_not_found"


class ModelMissing(ConfigError):
    """A model's files are not on this computer."""

    code = "model_missing"


class ModelInvalid(ConfigError):
    """A model file cannot be loaded: it is damaged, or not of the format that its place asks for."""

    code = "model_invalid"


class BackendUnknown(ConfigError):
    """A backend name is neither a short name nor an importable ``package.module:Class``."""

    code = "backend_unknown"


class PortTaken(ConfigError):
    """Another program listens on the port."""

    code = "port_taken"


class IndexLocked(ConfigError):
    """Another vaultbridge process writes this index."""

    code = "index_locked"


class RequestError(VaultbridgeError):
    """A request that cannot be served as it came; ``param`` names the field at fault."""

    code = "invalid_request"

    def __init__(self, message: str, hint: str = "", param: str | None = None) -> None:
        super().__init__(message, hint)
        self.param = param


class InvalidRequest(RequestError):
    """The request is malformed."""

    code = "invalid_request"


class ContextTooLong(RequestError):
    """The conversation alone, without any note, is longer than the model's context."""

    code = "context_length_exceeded"


class UnknownModel(RequestError):
    """The model id is not served here and strict model names are asked for."""

    code = "model_not_found"


class Unauthorized(RequestError):
    """The token is missing or wrong."""

    code = "invalid_api_key"


class Forbidden(RequestError):
    """The caller may not do this: wrong host or foreign origin."""

    code = "forbidden"


class WrongVault(RequestError):
    """The client names another vault than the one that is served here."""

    code = "wrong_vault"


class BusyError(VaultbridgeError):
    """Try again later."""

    code = "busy"


class Overloaded(BusyError):
    """The queue is full."""

    code = "overloaded"


class NotReady(BusyError):
    """A model is still loading or is being restarted."""

    code = "not_ready"


class DeadlineExceeded(BusyError):
    """A request waited longer than it may."""

    code = "deadline_exceeded"


class DownloadFailed(BusyError):
    """What was being fetched did not arrive; what did is kept, and the same command goes on from there."""

    code = "download_failed"


class IndexingError(VaultbridgeError):
    """Something between the vault and the index went wrong."""

    code = "indexing"


class NoteUnreadable(IndexingError):
    """A note cannot be read or parsed; the message is the reason that is recorded."""

    code = "note_unreadable"


class StoreMismatch(IndexingError):
    """The index on the disk was written by something that this version cannot read."""

    code = "store_mismatch"


class StoreDamaged(StoreMismatch):
    """Files of the index on the disk cannot be read, or not all of them are there."""

    code = "store_damaged"


class DiskFull(IndexingError):
    """No room is left on the disk, for the index or for a model."""

    code = "disk_full"


class ComputeError(VaultbridgeError):
    """A model failed."""

    code = "compute"


class DecodeFailed(ComputeError):
    """The generator could not decode."""

    code = "decode_failed"


class CacheFull(ComputeError):
    """The KV cache has no room for a batch; the engine makes some and tries again."""

    code = "cache_full"


class EmbedFailed(ComputeError):
    """The embedder could not embed."""

    code = "embed_failed"


class TrainingFailed(ComputeError):
    """The process that teaches a model ended before its work did."""

    code = "training_failed"


class WorkerLost(ComputeError):
    """A model's process died with the request in it."""

    code = "worker_lost"
