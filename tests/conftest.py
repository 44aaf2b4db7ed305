"""For every test: the models that run in this process leave the cores to others when they wait."""

from __future__ import annotations

import faulthandler

from vaultbridge.engine.launch import share_cores

share_cores()


def pytest_unconfigure() -> None:
    """A thread or a process that keeps the interpreter from ending says where it hangs, and fails the run."""
    faulthandler.dump_traceback_later(120, exit=True)
