"""The stores as a backup sees them: what there is, what changed, and how it goes back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeAlias, runtime_checkable

from backend.keystore import KeyName, KeyVersion, Secret

Changes: TypeAlias = Mapping[str, set[Any] | None]  # by collection: ids and the like, None for all of it
# Collection, what finds the document (a filter, as BSON), and as it is now (BSON); None: it is gone.
Change: TypeAlias = tuple[str, bytes, bytes | None]


class IndexCopy(Protocol):
    """The index, read in an order that makes a copy hold together: pointers before what they point to.

    Raises Unavailable.
    """

    @property
    def pointing(self) -> frozenset[str]:
        """Return the collections whose documents must be read before what changed since is asked for."""

    def collections(self) -> list[str]:
        """Return the names of all that a backup holds, in the order of reading."""

    def documents(self, collection: str) -> Iterator[bytes]:
        """Yield every document, as BSON."""

    def changed(self, changes: Changes) -> Iterator[Change | str]:
        """Yield the documents that changed as they are now; a name alone: all of that collection follows."""

    def log_head(self) -> tuple[int, bytes]:
        """Return size and root of the audit log."""


class Recorder(Protocol):
    """Tells what was written to the index since it was last asked."""

    def take(self) -> Changes | None:
        """Return and forget; None when there was more than can be told."""

    def put_back(self, changes: Changes) -> None:
        """Undo ``take``: what it told is not kept anywhere yet."""


@runtime_checkable
class KeyCopy(Protocol):
    """A key store's secrets. Raises KeyStoreUnavailable, KeyStoreDamaged."""

    def record_changes(self) -> None:
        """Begin to remember which secrets are made and erased."""

    def take_changes(self) -> set[KeyName]:
        """Return the secrets made or erased since the last call, and forget them."""

    def put_back_changes(self, changes: set[KeyName]) -> None:
        """Undo ``take_changes``."""

    def rows(self) -> Iterator[tuple[KeyName, Secret]]:
        """Yield all secrets; what is erased or made meanwhile may or may not be among them."""

    def row(self, name: KeyName) -> Secret | None:
        """Return one secret, None when it is not there."""

    def noted(self) -> tuple[KeyVersion, ...]:
        """Return where the classes of keys stand that were noted; the store's own are not for a copy."""

    def note_version(self, version: KeyVersion) -> None:
        """Keep where a class stands."""

    def put_rows(self, rows: Iterable[tuple[KeyName, Secret]]) -> None:
        """Keep secrets that are not there yet, all or none."""


class JournalCopy(Protocol):
    """The embedded chain's journal."""

    def journal_bytes(self) -> int:
        """Return the length up to which it will not change any more."""

    def journal_path(self) -> Path: ...
