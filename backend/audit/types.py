"""Values of the log that the store keeps and the ports carry."""

from __future__ import annotations

from dataclasses import dataclass, field

from backend.types import Address, BlockNumber, LogIndex

MAX_BUNDLE_ENTRIES = 256
ACT_BYTES = 16


@dataclass(frozen=True, slots=True)
class Part:
    """One commit in a bundle that was stored."""

    entries: int
    records: str  # the store's name for their encrypted records, never used again


@dataclass(frozen=True, slots=True)
class Bundle:
    """The entries of one commit, or of several that were merged, 1 to 256; one document in the store."""

    first: LogIndex  # index of its first entry
    token: int  # of the lease under which it was written, all of it
    leaves: tuple[bytes, ...]  # encoded leaves
    bodies: tuple[bytes, ...]  # the encrypted records beside them
    hashes: tuple[bytes, ...]  # leaf hashes; redundant, so that a damaged leaf can be named
    acts: tuple[bytes, ...]  # 16 bytes or empty: the act (outbox) an entry belongs to
    root: bytes  # 32 bytes: root of the log after this bundle
    # The commits it holds, in order; none before it is stored.
    parts: tuple[Part, ...] = field(default=(), compare=False)

    @property
    def end(self) -> int:
        return self.first + len(self.leaves)


@dataclass(frozen=True, slots=True)
class Head:
    """The one document all writers compare and swap: size and root of the log, and who may write."""

    size: int
    root: bytes
    token: int  # fencing number of the lease: grows with every change of hands
    holder: str


@dataclass(frozen=True, slots=True)
class AnchorRecord:
    """A checkpoint as the chain holds it. ``transaction`` is None when only the state was read."""

    size: int
    root: bytes
    chain_id: int
    log_id: bytes  # 32 bytes: the log's id in the contract
    contract: Address
    block: BlockNumber
    transaction: bytes | None  # 32 bytes


@dataclass(frozen=True, slots=True)
class StoredCheckpoint:
    size: int
    root: bytes
    note: str  # the signed note
    signed_at: int  # unix seconds
    anchor: AnchorRecord | None = None


@dataclass(frozen=True, slots=True)
class AppendedEntry:
    """A durable entry. ``repeated`` tells that the act had been written before and nothing was added."""

    index: LogIndex
    leaf_hash: bytes
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class StoredEntry:
    index: LogIndex
    leaf: bytes
    body: bytes
