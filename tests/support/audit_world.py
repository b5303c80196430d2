"""A hospital's audit log in memory, with its keys, its clock and a chain that checks proofs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from backend.audit.access import AccessList
from backend.audit.anchorer import Anchorer
from backend.audit.checkpointer import Checkpointer
from backend.audit.fsck import Fsck, FsckReport
from backend.audit.log import AuditLog
from backend.audit.note import Ed25519Signer, Ed25519Verifier
from backend.audit.proof import ProofBuilder
from backend.audit.reader import LogReader
from backend.types import SubjectId
from tests.support.memory_audit import ANNA, BERTA, ORIGIN, MemoryAnchor, MemoryAuditKeys, MemoryAuditStore


class Clock:
    def __init__(self) -> None:
        self.seconds = 1_700_000_000

    def __call__(self) -> int:
        return self.seconds

    def ms(self) -> int:
        return self.seconds * 1_000


@dataclass
class World:
    """Everything around one log; ``reopen`` is a restart of the service."""

    store: MemoryAuditStore = field(default_factory=MemoryAuditStore)
    keys: MemoryAuditKeys = field(default_factory=MemoryAuditKeys)
    anchor: MemoryAnchor = field(default_factory=MemoryAnchor)
    clock: Clock = field(default_factory=Clock)
    signer: Ed25519Signer = field(
        default_factory=lambda: Ed25519Signer(
            name=ORIGIN, private_key=Ed25519PrivateKey.from_private_bytes(b"\x42" * 32)
        )
    )
    opened: list[AuditLog] = field(default_factory=list)

    def open(self, *, takeover: bool = False, settle_seconds: float = 0.5) -> AuditLog:
        log = AuditLog(
            store=self.store,
            keys=self.keys,
            anchor=self.anchor,
            origin=ORIGIN,
            clock_ms=self.clock.ms,
            takeover=takeover,
            settle_seconds=settle_seconds,
            append_timeout_seconds=5,
        )
        self.opened.append(log)
        log.start()
        return log

    def fsck(self, subjects: tuple[SubjectId, ...] = (ANNA, BERTA)) -> FsckReport:
        verifiers = [Ed25519Verifier(self.signer.verifier_key)]
        return Fsck(self.store, ORIGIN, lambda _: verifiers, self.anchor, self.keys, subjects).run()

    def everything(self) -> list[tuple[bytes, bytes]]:
        """Leaf and encrypted record of each entry, as the log opened last has them."""
        log = self.opened[-1]
        return [(entry.leaf, entry.body) for entry in self.reader(log).entries(range(log.state.size))]

    def reader(self, log: AuditLog) -> LogReader:
        return LogReader(log=log, store=self.store, keys=self.keys)

    def access(self, log: AuditLog) -> AccessList:
        return AccessList(self.reader(log))

    def checkpointer(self, log: AuditLog) -> Checkpointer:
        return Checkpointer(log=log, store=self.store, signers=(self.signer,), clock=self.clock)

    def anchorer(
        self,
        log: AuditLog,
        *,
        interval_seconds: int = 60,
        before: Callable[[], None] = lambda: None,
    ) -> Anchorer:
        return Anchorer(
            log=log,
            checkpointer=self.checkpointer(log),
            anchor=self.anchor,
            clock=self.clock,
            interval_seconds=interval_seconds,
            before=before,
        )

    def proofs(self, log: AuditLog) -> ProofBuilder:
        return ProofBuilder(reader=self.reader(log), checkpointer=self.checkpointer(log))
