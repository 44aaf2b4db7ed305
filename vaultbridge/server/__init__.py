"""SPEAK: HTTP on the outside, words on the inside; wire types stop here."""
