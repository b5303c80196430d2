"""Anonymized releases: k-anonymity, l-diversity and t-closeness over generalisation hierarchies.

Usable alone: nothing here imports from the rest of the service but ``backend.errors`` and ``backend.types``.
"""
