"""Attempts at the research market."""

from __future__ import annotations

from typing import Any

import eth_abi
from eth_utils.crypto import keccak

from backend.consent.member_terms import (
    NameDonation,
    ObjectToPayout,
    PermitStudy,
    RefuseStudy,
    ResearchCommand,
    ResumeStudy,
    RevokeStudy,
    SettlePayout,
    SuspendStudy,
)
from backend.types import Bytes32, UnixSeconds
from tests.support.access.attempt import Attempt, Maker, attempt, tries
from tests.support.access.documents import ALWAYS, word
from tests.support.access.known import sealed
from tests.support.access.situation import (
    DISPUTED,
    ESCROW_TERMS,
    NEXT,
    OPEN_ROUND,
    OWED,
    PAID,
    STUDY,
    SUSPENDED_STUDY,
    UNDECIDED_STUDY,
    approvals,
    escrow,
    payment,
)
from tests.support.access.world import DAY, AccessWorld, Sign

_MARKET = "ResearchMarket"


def _decision(command: ResearchCommand, *arguments: Any) -> tuple[Maker, Maker]:
    """Return the attempts at a decision of the board: with the chair, and alone."""

    def together(w: AccessWorld, who: str, sign: Sign) -> Attempt:
        signed = approvals(w, {"chair": w.signer("chair")(command), who: sign(command)})
        return attempt(*arguments, signed)

    def alone(w: AccessWorld, who: str, sign: Sign) -> Attempt:
        return attempt(*arguments, approvals(w, {who: sign(command)}))

    return together, alone


def _board(function: str, command: ResearchCommand, *arguments: Any) -> None:
    together, alone = _decision(command, *arguments)
    tries(f"{_MARKET}.{function}")(together)
    tries(f"{_MARKET}.{function}/alone")(alone)


_NEW_STUDY = sealed("new study")
_END = UnixSeconds(1_900_000_000 + 300 * DAY)
_board(
    "permitStudy",
    PermitStudy(_NEW_STUDY, _NEW_STUDY, UnixSeconds(0), _END, ALWAYS),
    *(_NEW_STUDY, _NEW_STUDY, 0, _END, ALWAYS),
)
_board("refuseStudy", RefuseStudy(_NEW_STUDY), _NEW_STUDY)
_board("resumeStudy", ResumeStudy(SUSPENDED_STUDY, 1), SUSPENDED_STUDY, 1)
_board("revokeStudy", RevokeStudy(STUDY), STUDY)


def _donation(alone: bool) -> Maker:
    def make(w: AccessWorld, who: str, sign: Sign) -> Attempt:
        account = w.account("bystander")
        return _decision(NameDonation(account), account)[alone](w, who, sign)

    return make


def _settlement(result: bytes, *, stands: bool, alone: bool) -> Maker:
    def make(w: AccessWorld, who: str, sign: Sign) -> Attempt:
        command = SettlePayout(_round(w, result), 1, stands)
        return _decision(command, escrow(w), result, 1, stands)[alone](w, who, sign)

    return make


tries("ResearchMarket.nameDonation")(_donation(alone=False))
tries("ResearchMarket.nameDonation/alone")(_donation(alone=True))
tries("ResearchMarket.settlePayout")(_settlement(OWED, stands=False, alone=False))
tries("ResearchMarket.settlePayout/alone")(_settlement(OWED, stands=False, alone=True))
tries("ResearchMarket.settlePayout/to uphold")(_settlement(DISPUTED, stands=True, alone=False))


@tries("ResearchMarket.suspendStudy")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return attempt(STUDY, 0, w.account(who, _MARKET), sign(SuspendStudy(STUDY, 0)))


# --- money


def _round(w: AccessWorld, result: bytes) -> Bytes32:
    return Bytes32(keccak(keccak(eth_abi.encode(ESCROW_TERMS, escrow(w))) + result))


@tries("ResearchMarket.fund")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    study, custodian, _, token = escrow(w)
    return attempt((study, custodian, w.account(who, _MARKET), token), 10)


@tries("ResearchMarket.fund/for somebody else")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return attempt(escrow(w), 10)


@tries("ResearchMarket.release")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return attempt(escrow(w), keeper=w.member("custodian"))


@tries("ResearchMarket.refund")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return attempt(escrow(w, UNDECIDED_STUDY), w.account("funder"))


@tries("ResearchMarket.refund/to another account")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return attempt(escrow(w, UNDECIDED_STUDY), w.account("newcomer"))


@tries("ResearchMarket.commitResult")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return attempt(STUDY, STUDY, sealed("another result"))


@tries("ResearchMarket.proposePayout")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return attempt(escrow(w), NEXT, word("root"), 10, keeper=w.member("custodian"))


@tries("ResearchMarket.objectToPayout")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    signature = sign(ObjectToPayout(_round(w, OWED), 1))
    return attempt(escrow(w), OWED, 1, w.account(who, _MARKET), signature)


@tries("ResearchMarket.closePayout")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return attempt(escrow(w), PAID)


@tries("ResearchMarket.claim")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return attempt(escrow(w), OPEN_ROUND, payment(w), [])


@tries("ResearchMarket.claimBatch")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return attempt(escrow(w), OPEN_ROUND, [payment(w)], [[]])


# --- play money


@tries("TestToken.issue")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return attempt(word("an issue"), w.account("researcher"), 10)


@tries("TestToken.approve")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return attempt(w.account("funder"), 10)


@tries("TestToken.transfer")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return attempt(w.account("funder"), 0)


@tries("TestToken.transferFrom")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return attempt(w.account("funder"), w.account("researcher"), 0)
