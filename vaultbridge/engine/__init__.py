"""COMPUTE: what the models do next."""
