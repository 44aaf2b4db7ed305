"""The demo, as a newcomer runs it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.live.starters import starter
from vaultbridge.lab.demo import EXPECTED, QUESTION


@pytest.mark.live
def test_the_demo_answers_from_the_sample_vault_and_cites_the_right_note() -> None:
    starter("smollm2-135m-instruct")
    starter("multilingual-e5-small")
    done = subprocess.run(
        [sys.executable, "-m", "vaultbridge.lab.demo"], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    _, _, answer = done.stdout.partition(QUESTION)
    said, _, sources = answer.partition("Sources: ")
    assert "first Tuesday" in said
    assert EXPECTED in sources.splitlines()[0]
