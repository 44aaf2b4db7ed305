"""KEEP: the store equals the vault."""
