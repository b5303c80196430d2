"""Checks the stored log from the raw entries up and names what is damaged. Needs no running service.

Everything is computed again: leaf hashes, chains, the root after each bundle, the head, every checkpoint,
the anchor, and, for the subjects whose keys are given, that each encrypted record opens its commitment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from backend.audit.bundles import in_line
from backend.audit.checkpoint import open_checkpoint, parse
from backend.audit.entry import AuditEvent
from backend.audit.errors import EntryDamaged, InvalidNote, LogDamaged
from backend.audit.leaf import FIRST_PREVIOUS, Leaf
from backend.audit.merkle import leaf_hash
from backend.audit.note import NoteVerifier
from backend.audit.ports import Anchor, AuditKeys, AuditStore
from backend.audit.seal import Record, open_body, pseudonym_of
from backend.audit.tiles import TileTree
from backend.audit.types import Bundle, StoredCheckpoint
from backend.types import SubjectId


@dataclass(frozen=True, slots=True)
class Finding:
    code: str  # stable: see docs/audit.md
    where: str  # such as "bundle 512", "entry 517", "checkpoint 512", "head", "anchor"


@dataclass(frozen=True, slots=True)
class FsckReport:
    entries: int
    opened: int  # records that were decrypted and matched their commitment
    checkpoints: int
    root: bytes
    findings: tuple[Finding, ...]

    @property
    def sound(self) -> bool:
        return not self.findings


@dataclass(slots=True)
class Fsck:
    """``subjects`` names whose records are opened too (None for the system's); empty checks hashes only.

    ``read``: gets every event that was opened, in order.
    """

    store: AuditStore
    origin: str
    # The keys that sign checkpoints of a size; None where they are not known: then no signature is checked.
    verifiers_at: Callable[[int], Sequence[NoteVerifier]] | None
    anchor: Anchor | None = None
    keys: AuditKeys | None = None
    subjects: Iterable[SubjectId | None] = ()
    read: Callable[[AuditEvent], None] | None = None
    _findings: list[Finding] = field(default_factory=list)
    _tree: TileTree = field(default_factory=TileTree)
    _ends: dict[bytes, tuple[int, bytes]] = field(default_factory=dict)
    _audit_keys: dict[bytes, bytes] = field(default_factory=dict)
    _opened: int = 0
    _roots_hold: bool = True

    def run(self) -> FsckReport:
        """Check all of it. Raises AuditUnavailable and LedgerUnavailable only: damage is in the report."""
        self._collect_keys()
        head = self.store.head()
        try:
            for bundle in in_line(self.store, whole=True, differing=self._repeated):
                orphan = head is not None and bundle.first == head.size and bundle.token < head.token
                if not orphan:
                    self._bundle(bundle)
        except LogDamaged as error:
            self._found("bundle_unreadable", error.detail)
        if head is None:
            if self._tree.size:
                self._found("head_missing", "head")
        elif head.size != self._tree.size:
            self._found("head_size", "head")
        elif head.root != self._tree.root():
            self._found("head_root", "head")
        checkpoints = sum(1 for c in self.store.checkpoints() if self._checkpoint(c))
        self._check_anchor()
        return FsckReport(
            self._tree.size, self._opened, checkpoints, self._tree.root(), tuple(self._findings)
        )

    def _repeated(self, bundle: Bundle) -> None:
        self._found("bundle_repeats", f"bundle {bundle.first}")

    def _bundle(self, bundle: Bundle) -> None:
        if bundle.first != self._tree.size:
            self._found("entries_missing", f"entry {self._tree.size}")
            return
        for offset, (data, stored) in enumerate(zip(bundle.leaves, bundle.hashes, strict=True)):
            self._entry(bundle.first + offset, data, stored, bundle.bodies[offset], bundle.acts[offset])
        # A changed leaf has been named; go on from the hash beside it, which the root covers.
        self._tree.extend(bundle.hashes)
        holds = self._tree.root() == bundle.root
        if self._roots_hold and not holds:  # every later root follows from it: name the first
            self._found("bundle_root", f"bundle {bundle.first}")
        self._roots_hold = holds

    def _entry(self, index: int, data: bytes, stored: bytes, body: bytes, act: bytes) -> None:
        where = f"entry {index}"
        if leaf_hash(data) != stored:
            self._found("leaf_changed", where)
            self._skip_link(data, stored)
            return
        try:
            leaf = Leaf.decode(data)
        except ValueError:
            self._found("leaf_unreadable", where)
            return
        if (leaf.sequence, leaf.previous) != self._ends.get(leaf.pseudonym, (0, FIRST_PREVIOUS)):
            self._found("chain_broken", where)
        self._ends[leaf.pseudonym] = (leaf.sequence + 1, stored)
        key = self._audit_keys.get(leaf.pseudonym)
        if key is None:
            return
        try:
            opened = open_body(
                body,
                audit_key=key,
                pseudonym=leaf.pseudonym,
                commitment=leaf.commitment,
                origin=self.origin,
            )
            record = Record.decode(opened.record)
            event = AuditEvent.decode(record.event)
            self._opened += 1
            if self.read is not None:
                self.read(event)
            if record.act != act:
                self._found("act_changed", where)
        except EntryDamaged:
            self._found("record_damaged", where)

    def _skip_link(self, data: bytes, stored: bytes) -> None:
        """Let the chain go on behind a changed leaf, so that it is not blamed on the next entry."""
        try:
            pseudonym = Leaf.decode(data).pseudonym
        except ValueError:
            return
        if pseudonym in self._ends:
            self._ends[pseudonym] = (self._ends[pseudonym][0] + 1, stored)

    def _checkpoint(self, checkpoint: StoredCheckpoint) -> bool:
        where = f"checkpoint {checkpoint.size}"
        try:
            if self.verifiers_at is None:
                signed = parse(checkpoint.note)
            else:
                verifiers = self.verifiers_at(checkpoint.size)
                signed = open_checkpoint(checkpoint.note, origin=self.origin, verifiers=verifiers)
        except InvalidNote:
            self._found("checkpoint_signature", where)
            return False
        if (signed.size, signed.root) != (checkpoint.size, checkpoint.root):
            self._found("checkpoint_changed", where)
        return self._prefix(signed.size, signed.root, where)

    def _check_anchor(self) -> None:
        anchored = self.anchor.anchored() if self.anchor is not None else None
        if anchored is not None:
            self._prefix(anchored.size, anchored.root, "anchor")

    def _prefix(self, size: int, root: bytes, where: str) -> bool:
        if size > self._tree.size:
            self._found("log_rolled_back", where)
        elif self._tree.root(size) != root:
            self._found("log_forked", where)
        else:
            return True
        return False

    def _collect_keys(self) -> None:
        if self.keys is None:
            return
        for subject in self.subjects:
            newest = self.keys.newest(subject)  # makes none
            for epoch in range(0 if newest is None else newest + 1):
                key = self.keys.at(subject, epoch)
                if key is not None:
                    self._audit_keys[pseudonym_of(key, origin=self.origin, epoch=epoch)] = key

    def _found(self, code: str, where: str) -> None:
        self._findings.append(Finding(code, where))
