"""Who is asking: people, staff and systems, how they prove it, and what their tokens may ask for.

A token never permits reading by itself; every read is decided by consent.
"""
