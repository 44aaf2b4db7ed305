"""When to look at everything though nobody reported a change: reports are lost, and computers sleep."""

from __future__ import annotations

from vaultbridge.core.ports import Clock

SWEEP_SECONDS = 600.0
"""The longest that a change nobody reported stays unseen."""
CHECK_SECONDS = 60.0
"""How often the two clocks are compared."""
JUMP_SECONDS = 5.0
"""Where the clocks drift apart by more, somebody set one, or the computer slept."""


class Sweep:
    """Remembers when everything was looked at."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.done()

    def done(self) -> None:
        """Everything is being looked at now."""
        self._last = self._clock.monotonic()
        self._offset = self._clock.now() - self._last

    @property
    def due(self) -> bool:
        """Whether it is time for a look at everything."""
        now = self._clock.monotonic()
        jumped = abs(self._clock.now() - now - self._offset) > JUMP_SECONDS
        return jumped or now - self._last >= SWEEP_SECONDS
