"""For every test: the models that run in this process leave the cores to others when they wait."""

from __future__ import annotations

from vaultbridge.engine.launch import share_cores

share_cores()
