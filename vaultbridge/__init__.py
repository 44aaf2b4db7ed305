"""vaultbridge: a localhost, OpenAI-compatible server grounded in an Obsidian vault."""

__version__ = "0.1.0"
