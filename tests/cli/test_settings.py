"""What a setting must be: refused with its name and what would do."""

from __future__ import annotations

import pytest

from vaultbridge.core.errors import ConfigError
from vaultbridge.settings import load_settings


@pytest.mark.parametrize(
    ("key", "wrong", "right"),
    [
        ("engine.context", (-1, 1, 511), (0, 512, 8192)),
        ("models.search_keep_alive", ("0", "59s", "soon"), ("1m", "-1", "2h")),
        ("models.keep_alive", ("soon",), ("0", "-1", "30m")),
    ],
)
def test_what_a_setting_may_be(key: str, wrong: tuple[object, ...], right: tuple[object, ...]) -> None:
    for value in right:
        load_settings(None, {key: value})
    for value in wrong:
        with pytest.raises(ConfigError, match=f"The setting {key} is wrong"):
            load_settings(None, {key: value})


def test_a_context_that_is_too_short_says_how_long_it_must_be() -> None:
    with pytest.raises(ConfigError, match="512 tokens at the least"):
        load_settings(None, {"engine.context": 300})
