"""The wrapper of ``AuditAnchor``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backend.adapters.ledger.calls import BoundContract, Call, Sender
from backend.adapters.ledger.chain import Chain
from backend.types import Address, BlockNumber, Bytes32, MemberId, UnixSeconds

_GAS = 500_000
_GAS_PROOF_NODE = 10_000
_GAS_SIGNED = 1_400_000  # two signatures of a contract wallet may be asked for


@dataclass(frozen=True, slots=True)
class AnchoredHead:
    """The last checkpoint of one log on the chain. ``size`` 0: none."""

    size: int
    root: Bytes32
    block: BlockNumber


@dataclass(frozen=True, slots=True)
class LogName:
    """Whose log, and the hash of its checkpoints' origin line."""

    custodian: MemberId
    origin: Bytes32


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint with its custodian's SignCheckpoint or a witness's CosignCheckpoint."""

    size: int
    root: Bytes32
    signature: bytes


@dataclass(frozen=True, slots=True)
class Prefix:
    """The root that the larger of two trees has at the smaller size, with the consistency proof of it."""

    root: Bytes32
    proof: Sequence[bytes]


NO_PREFIX = Prefix(Bytes32(bytes(32)), ())


class AuditAnchor(BoundContract):
    def __init__(self, address: Address, chain: Chain) -> None:
        super().__init__("AuditAnchor", address, chain)

    def log_id(self, custodian: MemberId, origin: Bytes32, *, block: BlockNumber) -> Bytes32:
        """Return the id of this custodian's log; ``origin`` is the hash of the checkpoint's origin line."""
        return Bytes32(self._view("logIdOf", custodian, origin, block=block)[0])

    def head(self, log_id: Bytes32, *, block: BlockNumber) -> AnchoredHead:
        size, root, number, _ = self._view("headOf", log_id, block=block)
        return AnchoredHead(size, Bytes32(root), BlockNumber(number))

    def anchor(self, origin: Bytes32, size: int, root: Bytes32, proof: Sequence[bytes]) -> Call:
        gas = _GAS + _GAS_PROOF_NODE * len(proof)
        return self._call("anchor", origin, size, root, list(proof), gas=gas, sender=Sender.CUSTODIAN)

    def cosigned(self, log_id: Bytes32, witness: MemberId, *, block: BlockNumber) -> tuple[int, UnixSeconds]:
        """Return the largest size this member cosigned, and when; 0 where none."""
        size, at = self._view("cosignedOf", log_id, witness, block=block)
        return size, UnixSeconds(at)

    def cosign(self, log: LogName, witness: Address, seen: Checkpoint, proof: Sequence[bytes]) -> Call:
        """Record a witness's CosignCheckpoint; ``proof`` from its size to the anchored one."""
        gas = _GAS_SIGNED + _GAS_PROOF_NODE * len(proof)
        given = (seen.size, seen.root, list(proof), witness, seen.signature)
        return self._call("cosign", log.custodian, log.origin, *given, gas=gas)

    def fork_reported_at(self, log_id: Bytes32, *, block: BlockNumber) -> UnixSeconds:
        """Return when a fork of the log was first shown; 0 where never."""
        return UnixSeconds(self._view("forkReportedAt", log_id, block=block)[0])

    def report_fork(
        self, log: LogName, signer: Address, one: Checkpoint, other: Checkpoint, prefix: Prefix = NO_PREFIX
    ) -> Call:
        """Show that a custodian signed two histories. ``prefix`` only for two sizes."""
        pair = [(each.size, each.root, each.signature) for each in (one, other)]
        return self._report("reportFork", log, signer, pair, prefix)

    def report_fork_of_anchored(
        self, log: LogName, signer: Address, signed: Checkpoint, prefix: Prefix = NO_PREFIX
    ) -> Call:
        """Show that a custodian signed another history than it anchored. ``prefix`` only for two sizes."""
        return self._report(
            "reportForkOfAnchored", log, signer, [(signed.size, signed.root, signed.signature)], prefix
        )

    def _report(
        self,
        function: str,
        log: LogName,
        signer: Address,
        signed: Sequence[tuple[int, bytes, bytes]],
        prefix: Prefix,
    ) -> Call:
        gas = _GAS_SIGNED + _GAS_PROOF_NODE * len(prefix.proof)
        given = (log.custodian, log.origin, signer, *signed, prefix.root, list(prefix.proof))
        return self._call(function, *given, gas=gas)
