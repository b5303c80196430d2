"""Datasets as they leave: packed, sealed to the researcher's key, each under a name of its own."""
