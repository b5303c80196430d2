"""Adapters: one for each store, speaking its real protocol."""
