"""FIND: a question to ranked hits."""
