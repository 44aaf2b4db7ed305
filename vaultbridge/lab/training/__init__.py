"""Teach an embedder or a reranker a vault's own words, and prove that it helped."""
