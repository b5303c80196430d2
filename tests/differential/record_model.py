"""Commitments and their custody in plain Python, from contracts/properties.md (S31, L7, RR1 to RR6),
IRecordRegistry."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.differential.documents import ZERO, InPerson
from tests.differential.member_model import CUSTODIAN, MemberModel
from tests.differential.outcome import Event, Refused, refuse


@dataclass
class Commitment:
    committed_at: int
    withdrawn_at: int = 0


@dataclass(frozen=True)
class Transfer:
    id: bytes
    giver: InPerson
    taker: InPerson
    commitments: tuple[bytes, ...]
    submit_by: int


@dataclass
class RecordModel:
    members: MemberModel
    held: dict[tuple[str, bytes], Commitment] = field(default_factory=dict)
    transferred: set[bytes] = field(default_factory=set)

    @property
    def now(self) -> int:
        return self.members.now()

    def _custodian_faults(self, account: str) -> set[str]:
        return set() if self.members.member_with_role(account, CUSTODIAN) != ZERO else {"NotCustodian"}

    def commit(self, commitment: bytes, sender: str) -> list[Event]:
        faults = self._custodian_faults(sender)
        if commitment == ZERO:
            faults.add("CommitmentZero")
        if (sender, commitment) in self.held:
            faults.add("AlreadyCommitted")
        refuse(faults)
        return [self._committed(commitment, sender)]

    def commit_batch(self, commitments: tuple[bytes, ...], sender: str) -> list[Event]:
        """Those known are passed over."""
        faults = self._custodian_faults(sender)
        if ZERO in commitments:
            faults.add("CommitmentZero")
        refuse(faults)
        new = [each for each in dict.fromkeys(commitments) if (sender, each) not in self.held]
        return [self._committed(each, sender) for each in new]

    def _committed(self, commitment: bytes, custodian: str) -> Event:
        self.held[custodian, commitment] = Commitment(self.now)
        fields = {"commitment": commitment, "custodian": custodian, "committedAt": self.now}
        return Event("RecordCommitted", **fields)

    def withdraw(self, commitment: bytes, sender: str) -> list[Event]:
        """Whatever the sender's standing; twice does nothing."""
        found = self.held.get((sender, commitment))
        if found is None:
            raise Refused({"CommitmentUnknown"})
        if found.withdrawn_at:
            return []
        found.withdrawn_at = self.now
        fields = {"commitment": commitment, "custodian": sender, "withdrawnAt": self.now}
        return [Event("RecordWithdrawn", **fields)]

    def transfer(self, transfer: Transfer) -> list[Event]:
        """The whole list or nothing."""
        giver, taker = transfer.giver.account, transfer.taker.account
        faults = self._custodian_faults(taker)
        if giver == taker:
            faults.add("CustodianSame")
        if self.now > transfer.submit_by:
            faults.add("SubmittedTooLate")
        if transfer.id in self.transferred:
            faults.add("AlreadyTransferred")
        if transfer.giver.flaw or transfer.taker.flaw:
            faults.add("SignatureInvalid")
        listed = transfer.commitments
        if len(set(listed)) < len(listed) or any((giver, each) not in self.held for each in listed):
            faults.add("CommitmentUnknown")
        sides = (self.held.get((side, each)) for side in (giver, taker) for each in listed)
        if any(found and found.withdrawn_at for found in sides):
            faults.add("CommitmentWithdrawn")
        refuse(faults)
        self.transferred.add(transfer.id)
        whole = Event("CustodyTransferred", transfer=transfer.id, **{"from": giver, "to": taker})
        return [whole, *(self._passed(each, giver, taker) for each in listed)]

    def _passed(self, commitment: bytes, giver: str, taker: str) -> Event:
        """The first date at which either committed stays."""
        given = self.held.pop((giver, commitment)).committed_at
        own = self.held.get((taker, commitment))
        first = min(given, own.committed_at) if own else given
        self.held[taker, commitment] = Commitment(first)
        fields = {"commitment": commitment, "from": giver, "to": taker, "committedAt": first}
        return Event("RecordTransferred", **fields)
