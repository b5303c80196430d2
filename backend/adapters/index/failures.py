"""Driver errors never leave the index adapters, nor do those of a document that cannot be read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import Any, Final, ParamSpec, TypeVar

from pymongo.errors import PyMongoError

from backend.adapters.index.server import IndexUnavailable
from backend.errors import IntegrityError
from backend.waiting import about_to_wait

# What a malformed document raises when it is read.
MALFORMED: Final = (KeyError, TypeError, ValueError, AttributeError, OverflowError)
P = ParamSpec("P")
R = TypeVar("R")


@contextmanager
def translated() -> Iterator[None]:
    """Turn any PyMongo error into IndexUnavailable; catch DuplicateKeyError inside where it has a meaning."""
    about_to_wait()
    try:
        yield
    except PyMongoError as failure:
        raise IndexUnavailable(f"index: {type(failure).__name__}") from failure


class DocumentMalformed(IntegrityError):
    """A document of the index lacks a member, or has one that is none: somebody else wrote it."""

    code = "document_malformed"


def parser(read: Callable[P, R]) -> Callable[P, R]:
    """Have what reads a document raise DocumentMalformed for one that it cannot read."""

    @wraps(read)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return read(*args, **kwargs)
        except MALFORMED as fault:
            raise DocumentMalformed from fault

    return call


def sorted_out(
    read: Callable[[Mapping[str, Any]], R], documents: Iterable[Mapping[str, Any]]
) -> tuple[list[R], list[str]]:
    """Return what was read, and the ids of the documents that cannot be read: for ``fsck``."""
    rows, malformed = [], []
    for document in documents:
        try:
            rows.append(read(document))
        except DocumentMalformed:
            malformed.append(str(document["_id"]))
    return rows, malformed
