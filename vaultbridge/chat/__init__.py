"""GROUND: a conversation to a grounded, cited answer."""
