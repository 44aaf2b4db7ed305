"""WORDS: the types that every room speaks in; standard library and numpy, no I/O."""
