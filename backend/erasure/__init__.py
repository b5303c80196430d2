"""Erasure of records and of whole persons: locked at once, destroyed after a grace time, with a receipt."""
