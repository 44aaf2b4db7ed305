"""How long to fuzz: a little with all tests, ``--hypothesis-profile=fuzz`` for the 100,000 bodies of ``make fuzz``."""

from __future__ import annotations

from hypothesis import HealthCheck, Phase, settings

from tests.fuzz.bodies import BODIES

settings.register_profile(
    "fuzz",
    max_examples=-(-100_000 // len(BODIES)),
    deadline=None,
    database=None,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=[HealthCheck.too_slow],
)
