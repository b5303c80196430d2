"""A patient's whole record in one archive, with evidence that it is what was stored: docs/portability.md."""
