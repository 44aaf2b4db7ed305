"""FOREIGN: one file for each library, imported lazily by wiring."""
