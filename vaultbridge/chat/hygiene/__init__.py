"""What a model writes around its answer, kept out of people's notes: a filter a file, joined in ``cleaning``."""
