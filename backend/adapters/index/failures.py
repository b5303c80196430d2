"""Driver errors never leave the index adapters."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pymongo.errors import PyMongoError

from backend.adapters.index.server import IndexUnavailable
from backend.waiting import about_to_wait


@contextmanager
def translated() -> Iterator[None]:
    """Turn any PyMongo error into IndexUnavailable; catch DuplicateKeyError inside where it has a meaning."""
    about_to_wait()
    try:
        yield
    except PyMongoError as failure:
        raise IndexUnavailable(f"index: {type(failure).__name__}") from failure
