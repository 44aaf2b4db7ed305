"""The door: parse, load settings, wire, print. Only this folder knows exit codes."""

from vaultbridge.cli.app import app, main

__all__ = ["app", "main"]
