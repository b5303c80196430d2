"""Consents: the signed terms, their typed-data hashes and summaries, and the decision over them."""
