"""What the release ledger needs from the outside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from backend.research.releases.types import Members, ReleaseEntry


class ReleaseStore(Protocol):
    """Durable, append-only. Every method raises Unavailable when the store does not answer."""

    def entries(self, ledger: str) -> Sequence[ReleaseEntry]:
        """All entries in order of place; raises IntegrityError for one that this service did not write."""
        ...

    def members(self, entry: ReleaseEntry) -> Members:
        """Who was in which class, but for those erased since; raises IntegrityError unless it is whole."""
        ...

    def append(self, entry: ReleaseEntry, members: Members) -> bool:
        """Store the entry unless its place is taken; tell whether it was stored.

        True means durable, the members included. An entry is never seen without its members.
        """
        ...
