"""Proof bundles: JSON that ``verify.py`` checks offline with nothing but the log's public key.

A bundle holds leaves, what opens them (record and salt, where disclosed), inclusion proofs into one signed
checkpoint, and, where the log was anchored, the anchored checkpoint with a consistency proof to that one.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from backend.audit import tlog_proof
from backend.audit.checkpointer import Checkpointer
from backend.audit.errors import UnknownEntry
from backend.audit.reader import EpochChain, LogReader
from backend.audit.types import StoredCheckpoint, StoredEntry
from backend.types import LogIndex, SubjectId, to_hex

FORMAT = "assent-audit-proof/1"
Json = dict[str, Any]


class ProofBuilder:
    def __init__(self, *, reader: LogReader, checkpointer: Checkpointer) -> None:
        self._reader = reader
        self._checkpointer = checkpointer

    def entry(self, subject: SubjectId | None, index: LogIndex) -> Json:
        """Return the bundle for one entry of this subject, opened.

        Raises UnknownEntry (also for entries of others), EntryDamaged, AuditUnavailable.
        """
        return self._bundle([self._found(subject, index)])

    def tlog_proof(self, subject: SubjectId | None, index: LogIndex) -> str:
        """Return the same as a ``.tlog-proof`` file, which names no anchor. Raises as ``entry``."""
        entry, chain = self._found(subject, index)
        checkpoint = self._checkpointer.covering(index + 1)
        opened = self._reader.open(entry, chain)
        return tlog_proof.encode(
            index=index,
            proof=self._reader.log.state.tree.inclusion_proof(index, checkpoint.size),
            checkpoint=checkpoint.note,
            extra={"leaf": entry.leaf, "record": opened.record, "salt": opened.salt},
        )

    def closed_entry(self, index: LogIndex) -> Json:
        """Return the bundle for any entry unopened: it shows that something was logged, not what."""
        return self._bundle([(self._reader.entry(index), None)])

    def access_list(self, subject: SubjectId | None) -> Json:
        """Return the bundle for all entries of the subject, which also shows that none was left out."""
        chains = [chain for chain in self._reader.chains(subject) if chain.indexes]
        opened = [(e, chain) for chain in chains for e in self._reader.entries(chain.indexes)]
        bundle = self._bundle(opened)
        bundle["chains"] = [
            {"epoch": c.epoch, "pseudonym": _text(c.pseudonym), "count": len(c.indexes)} for c in chains
        ]
        return bundle

    def _found(self, subject: SubjectId | None, index: LogIndex) -> tuple[StoredEntry, EpochChain]:
        for chain in self._reader.chains(subject):
            if index in chain.indexes:
                return self._reader.entry(index), chain
        raise UnknownEntry

    def _bundle(self, entries: Sequence[tuple[StoredEntry, EpochChain | None]]) -> Json:
        needed = max((entry.index + 1 for entry, _ in entries), default=0)
        checkpoint = self._checkpointer.covering(needed)
        return {
            "format": FORMAT,
            "origin": self._reader.log.origin,
            "checkpoint": checkpoint.note,
            "anchor": self._anchor(checkpoint),
            "entries": [self._entry(entry, chain, checkpoint.size) for entry, chain in entries],
        }

    def _entry(self, entry: StoredEntry, chain: EpochChain | None, size: int) -> Json:
        proof = self._reader.log.state.tree.inclusion_proof(entry.index, size)
        result: Json = {
            "index": entry.index,
            "leaf": _text(entry.leaf),
            "proof": [_text(node) for node in proof],
        }
        if chain is not None:
            opened = self._reader.open(entry, chain)
            result |= {"record": _text(opened.record), "salt": _text(opened.salt)}
        return result

    def _anchor(self, checkpoint: StoredCheckpoint) -> Json | None:
        anchored = checkpoint if checkpoint.anchor is not None else self._checkpointer.anchored()
        if anchored is None or anchored.anchor is None or anchored.size > checkpoint.size:
            return None
        record = anchored.anchor
        tree = self._reader.log.state.tree
        return {
            "size": record.size,
            "root": _text(record.root),
            "consistency": [_text(n) for n in tree.consistency_proof(record.size, checkpoint.size)],
            "chain_id": str(record.chain_id),
            "contract": record.contract,
            "log_id": to_hex(record.log_id),
            "block": record.block,
            "transaction": None if record.transaction is None else to_hex(record.transaction),
        }


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
