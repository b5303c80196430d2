"""The acts of the research market. A board member signs with a key or a wallet, or is the sender."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from tests.differential.acts import STRANGER, Act, Desk
from tests.differential.chain import Call
from tests.differential.documents import InPerson, struct_hash, words
from tests.differential.market_terms import Escrow, Payment, merkle_root, proves
from tests.differential.outcome import Event, Refused
from tests.differential.world import World

MARKET = "ResearchMarket"
_SENDS = {"direct", "direct, wallet"}
_BOARD = {*_SENDS, "relayed", "relayed, wallet"}
# For what the board decides the way is that of the member who sends, if one does, else of the first.
WAYS: dict[str, set[str]] = {
    **dict.fromkeys(("PermitStudy", "RefuseStudy", "SuspendStudy", "ResumeStudy", "RevokeStudy"), _BOARD),
    **dict.fromkeys(("NameDonation", "ObjectToPayout", "SettlePayout"), _BOARD),
    **dict.fromkeys(("Fund", "CommitResult", "ProposePayout", "Release"), _SENDS),
    **{name: {"direct"} for name in ("Refund", "ClosePayout", "Claim", "ClaimBatch", "BlockAccount")},
}


@dataclass(frozen=True)
class ByBoard(Act):
    approvals: tuple[InPerson, ...]

    def _send(self, desk: Desk, name: str, hashed: bytes, *arguments: Any) -> Call:
        sender = next((by.account for by in self.approvals if by.way == "sends"), STRANGER)
        approvals = [(by.account, desk.sign(by, MARKET, hashed)) for by in self.approvals]
        return desk.send(sender, MARKET, name, *arguments, approvals)

    def way(self, desk: Desk) -> str:
        sender = next((by for by in self.approvals if by.way == "sends"), None)
        return desk.way(sender or self.approvals[0])


@dataclass(frozen=True)
class PermitStudy(ByBoard):
    study: bytes
    rules: bytes
    not_before: int
    not_after: int
    submit_by: int

    def apply(self, world: World) -> list[Event]:
        window = self.not_before, self.not_after
        return world.market.permit_study(self.study, self.rules, window, self.submit_by, self.approvals)

    def call(self, desk: Desk) -> Call:
        given = self.study, self.rules, self.not_before, self.not_after, self.submit_by
        kind = "PermitStudy(bytes32 study,bytes32 rules,uint40 notBefore,uint40 notAfter,uint40 submitBy)"
        return self._send(desk, "permitStudy", struct_hash(kind, *given), *given)


@dataclass(frozen=True)
class RefuseStudy(ByBoard):
    study: bytes

    def apply(self, world: World) -> list[Event]:
        return world.market.refuse_study(self.study, self.approvals)

    def call(self, desk: Desk) -> Call:
        return self._send(
            desk, "refuseStudy", struct_hash("RefuseStudy(bytes32 study)", self.study), self.study
        )


@dataclass(frozen=True)
class RevokeStudy(RefuseStudy):
    def apply(self, world: World) -> list[Event]:
        return world.market.revoke_study(self.study, self.approvals)

    def call(self, desk: Desk) -> Call:
        return self._send(
            desk, "revokeStudy", struct_hash("RevokeStudy(bytes32 study)", self.study), self.study
        )


@dataclass(frozen=True)
class ResumeStudy(ByBoard):
    study: bytes
    round: int

    def apply(self, world: World) -> list[Event]:
        return world.market.suspend_or_resume(self.study, self.round, self.approvals, suspends=False)

    def call(self, desk: Desk) -> Call:
        hashed = struct_hash("ResumeStudy(bytes32 study,uint32 round)", self.study, self.round)
        return self._send(desk, "resumeStudy", hashed, self.study, self.round)


@dataclass(frozen=True)
class SuspendStudy(ResumeStudy):
    """By the first of the approvals alone."""

    def way(self, desk: Desk) -> str:
        return desk.way(self.approvals[0])

    def apply(self, world: World) -> list[Event]:
        return world.market.suspend_or_resume(self.study, self.round, self.approvals[:1], suspends=True)

    def call(self, desk: Desk) -> Call:
        by = self.approvals[0]
        hashed = struct_hash("SuspendStudy(bytes32 study,uint32 round)", self.study, self.round)
        given = self.study, self.round, by.account, desk.sign(by, MARKET, hashed)
        return desk.relay(by, MARKET, "suspendStudy", *given)


@dataclass(frozen=True)
class NameDonation(ByBoard):
    account: str

    def apply(self, world: World) -> list[Event]:
        return world.market.name_donation(self.account, self.approvals)

    def call(self, desk: Desk) -> Call:
        hashed = struct_hash("NameDonation(address account)", self.account)
        return self._send(desk, "nameDonation", hashed, self.account)


# --- money


@dataclass(frozen=True)
class Fund(Act):
    """``received``: what arrives of the amount, after the token's fee."""

    escrow: Escrow
    amount: int
    received: int
    sender: str

    def apply(self, world: World) -> list[Event]:
        return world.market.fund(self.escrow, self.amount, self.received, self.sender)

    def call(self, desk: Desk) -> Call:
        return desk.send(self.sender, MARKET, "fund", self.escrow.members(), self.amount)

    def way(self, desk: Desk) -> str:
        return desk.way(InPerson(self.sender, "sends"))


@dataclass(frozen=True)
class Release(Act):
    escrow: Escrow
    sender: str

    def apply(self, world: World) -> list[Event]:
        return world.market.release(self.escrow, self.sender)

    def call(self, desk: Desk) -> Call:
        return desk.send(self.sender, MARKET, "release", self.escrow.members())

    def way(self, desk: Desk) -> str:
        return desk.way(InPerson(self.sender, "sends"))


@dataclass(frozen=True)
class Refund(Act):
    escrow: Escrow
    to: str
    sender: str

    def apply(self, world: World) -> list[Event]:
        return world.market.refund(self.escrow, self.to, self.sender)

    def call(self, desk: Desk) -> Call:
        return desk.send(self.sender, MARKET, "refund", self.escrow.members(), self.to)


@dataclass(frozen=True)
class BlockAccount(Act):
    """The token stops or starts to pay an account."""

    token: str
    account: str
    blocked: bool

    def apply(self, world: World) -> list[Event]:
        blocked = world.market.blocked
        (blocked.add if self.blocked else blocked.discard)((self.token, self.account))
        return []

    def call(self, desk: Desk) -> Call:
        selector = bytes.fromhex("000af2a1")  # setBlocked(address,bool)
        return Call(STRANGER, self.token, selector + words(self.account, self.blocked))


@dataclass(frozen=True)
class CommitResult(Act):
    study: bytes
    rules: bytes
    result: bytes
    sender: str

    def apply(self, world: World) -> list[Event]:
        return world.market.commit_result(self.study, self.rules, self.result, self.sender)

    def call(self, desk: Desk) -> Call:
        return desk.send(self.sender, MARKET, "commitResult", self.study, self.rules, self.result)

    def way(self, desk: Desk) -> str:
        return desk.way(InPerson(self.sender, "sends"))


@dataclass(frozen=True)
class ProposePayout(Act):
    escrow: Escrow
    result: bytes
    payments: tuple[Payment, ...]
    total: int
    sender: str

    def apply(self, world: World) -> list[Event]:
        return world.market.propose(self.escrow, self.result, self.payments, self.total, self.sender)

    def call(self, desk: Desk) -> Call:
        root = merkle_root(self.escrow.round_of(self.result), self.payments)
        given = self.escrow.members(), self.result, root, self.total
        return desk.send(self.sender, MARKET, "proposePayout", *given)

    def way(self, desk: Desk) -> str:
        return desk.way(InPerson(self.sender, "sends"))


@dataclass(frozen=True)
class ObjectToPayout(Act):
    escrow: Escrow
    result: bytes
    attempt: int
    by: InPerson

    def apply(self, world: World) -> list[Event]:
        return world.market.object(self.escrow, self.result, self.attempt, self.by)

    def call(self, desk: Desk) -> Call:
        round_ = self.escrow.round_of(self.result)
        hashed = struct_hash("ObjectToPayout(bytes32 round,uint32 attempt)", round_, self.attempt)
        given = self.escrow.members(), self.result, self.attempt, self.by.account
        return desk.relay(self.by, MARKET, "objectToPayout", *given, desk.sign(self.by, MARKET, hashed))

    def way(self, desk: Desk) -> str:
        return desk.way(self.by)


@dataclass(frozen=True)
class SettlePayout(ByBoard):
    escrow: Escrow
    result: bytes
    attempt: int
    stands: bool

    def apply(self, world: World) -> list[Event]:
        given = self.escrow, self.result, self.attempt, self.approvals
        return world.market.settle(*given, stands=self.stands)

    def call(self, desk: Desk) -> Call:
        round_ = self.escrow.round_of(self.result)
        kind = "SettlePayout(bytes32 round,uint32 attempt,bool stands)"
        hashed = struct_hash(kind, round_, self.attempt, self.stands)
        given = self.escrow.members(), self.result, self.attempt, self.stands
        return self._send(desk, "settlePayout", hashed, *given)


@dataclass(frozen=True)
class ClosePayout(Act):
    escrow: Escrow
    result: bytes

    def apply(self, world: World) -> list[Event]:
        return world.market.close(self.escrow, self.result)

    def call(self, desk: Desk) -> Call:
        return desk.send(STRANGER, MARKET, "closePayout", self.escrow.members(), self.result)


@dataclass(frozen=True)
class Claim(Act):
    escrow: Escrow
    result: bytes
    payment: Payment
    proof: tuple[bytes, ...]

    def apply(self, world: World) -> list[Event]:
        return world.market.claim(self.escrow, self.result, self.payment, is_proven=self._is_proven(world))

    def _is_proven(self, world: World) -> bool:
        round_ = self.escrow.round_of(self.result)
        payout = world.market.payouts.get(round_)
        return payout is not None and proves(self.payment.leaf(round_), self.proof, payout.root)

    def call(self, desk: Desk) -> Call:
        given = self.escrow.members(), self.result, self.payment.members(), list(self.proof)
        return desk.send(STRANGER, MARKET, "claim", *given)


@dataclass(frozen=True)
class ClaimBatch(Act):
    """Claims of one payout. ``missing``: how many proofs too few."""

    items: tuple[Claim, ...]
    missing: int = 0

    def apply(self, world: World) -> list[Event]:
        if self.missing:
            raise Refused({"BatchLengthsDiffer"})
        first = self.items[0]
        claims = [replace(item, escrow=first.escrow, result=first.result) for item in self.items]
        return [event for claim in claims for event in self._claimed(world, claim)]

    def _claimed(self, world: World, item: Claim) -> list[Event]:
        try:
            return item.apply(world)
        except Refused as refused:
            round_ = item.escrow.round_of(item.result)
            return [Event("ClaimRejected", round=round_, index=item.payment.index, reason=refused.errors)]

    def call(self, desk: Desk) -> Call:
        first, proofs = self.items[0], [list(item.proof) for item in self.items]
        payments = [item.payment.members() for item in self.items]
        given = first.escrow.members(), first.result, payments, proofs[: len(proofs) - self.missing]
        return desk.send(STRANGER, MARKET, "claimBatch", *given)
