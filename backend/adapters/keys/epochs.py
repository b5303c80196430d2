"""Where the key of an epoch lives: a file wrapped under a passphrase (``epoch``), or an HSM (``hsm``).

An epoch key wraps the page keys and the name key of a store. The database names the epoch that counts. A new
key is made first, then the database commits to it, then every other key is destroyed: at each instant exactly
one key opens the database, and once the old one is gone no older copy of the database opens.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Protocol

from backend.keystore import KeyStoreDamaged, Secret
from backend.records.envelope_errors import WrapRefused
from backend.records.wrapping import unwrap, wrap


class Place(NamedTuple):
    """Which store: its directory, and the 16 bytes that are its id."""

    directory: Path
    store_id: bytes


class EpochKey(Protocol):
    def wrap(self, secret: Secret, info: bytes) -> bytes:
        """Return the secret wrapped, bound to ``info``."""
        ...

    def unwrap(self, wrapped: bytes, info: bytes) -> Secret:
        """Raises KeyStoreDamaged unless it was wrapped under this key for this ``info``."""
        ...


class EpochKeys(Protocol):
    """Each method is safe to repeat. OSError and KeyStoreUnavailable pass."""

    kind: str
    """Written into the database, so that a store is not taken for one of another kind."""

    def make(self, place: Place, epoch: int) -> EpochKey:
        """Make the key of an epoch that no database names yet; durable on return."""
        ...

    def open(self, place: Place, epoch: int) -> EpochKey:
        """Raises KeyStoreRolledBack when it is not there, and what says that it cannot be opened."""
        ...

    def destroy_others(self, place: Place, epoch: int | None) -> None:
        """Destroy every key of this store but one, or all; on return nothing brings them back."""
        ...

    def close(self) -> None: ...


class SoftwareEpochKey:
    """An epoch key in the memory of this process."""

    def __init__(self, key: Secret) -> None:
        self._key = key

    def wrap(self, secret: Secret, info: bytes) -> bytes:
        return wrap(secret, under=self._key, info=info)

    def unwrap(self, wrapped: bytes, info: bytes) -> Secret:
        try:
            return unwrap(wrapped, under=self._key, info=info)
        except WrapRefused as error:
            raise KeyStoreDamaged from error
