"""A ChangeSource that the test drives."""

from __future__ import annotations

from collections.abc import Callable


class FakeChanges:
    """Hands on what ``report`` is told, between ``start`` and ``stop``."""

    def __init__(self, polling: str = "") -> None:
        self._polling = polling
        self._on_change: Callable[[str | None], None] | None = None

    @property
    def polling(self) -> str:
        """Why changes are polled for; whatever the test said."""
        return self._polling

    @property
    def listened_to(self) -> bool:
        """Whether it is between ``start`` and ``stop``."""
        return self._on_change is not None

    def start(self, on_change: Callable[[str | None], None]) -> None:
        """Call ``on_change`` with each reported path from now on."""
        self._on_change = on_change

    def stop(self) -> None:
        """No call arrives after this returns."""
        self._on_change = None

    def report(self, path: str | None) -> None:
        """Say that ``path`` changed, None if anything may have; lost if nobody listens."""
        if self._on_change is not None:
            self._on_change(path)
