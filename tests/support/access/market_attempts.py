"""Attempts at the research market."""

from __future__ import annotations

from typing import Any

import eth_abi
from eth_utils.crypto import keccak

from tests.support.access.attempt import Attempt, Maker, attempt, tries
from tests.support.access.documents import ALWAYS, Flat, word
from tests.support.access.known import sealed
from tests.support.access.situation import (
    DISPUTED,
    ESCROW_TERMS,
    NEXT,
    OPEN_ROUND,
    OWED,
    PAID,
    PERMIT_STUDY,
    STUDY,
    SUSPEND_STUDY,
    SUSPENDED_STUDY,
    UNDECIDED_STUDY,
    approvals,
    escrow,
    payment,
)
from tests.support.access.world import DAY, AccessWorld, Sign

_MARKET = "ResearchMarket"


def _decision(kind: str, content: dict[str, Any], *arguments: Any) -> tuple[Maker, Maker]:
    """Return the attempts at a decision of the board: with the chair, and alone."""
    command = Flat(_MARKET, kind, content)

    def together(w: AccessWorld, who: str, sign: Sign) -> Attempt:
        signed = approvals(w, {"chair": w.signer("chair")(command), who: sign(command)})
        return attempt(*arguments, signed)

    def alone(w: AccessWorld, who: str, sign: Sign) -> Attempt:
        return attempt(*arguments, approvals(w, {who: sign(command)}))

    return together, alone


def _board(function: str, kind: str, content: dict[str, Any], *arguments: Any) -> None:
    together, alone = _decision(kind, content, *arguments)
    tries(f"{_MARKET}.{function}")(together)
    tries(f"{_MARKET}.{function}/alone")(alone)


_NEW_STUDY = sealed("new study")
_END = 1_900_000_000 + 300 * DAY
_board(
    "permitStudy",
    PERMIT_STUDY,
    {"study": _NEW_STUDY, "rules": _NEW_STUDY, "notBefore": 0, "notAfter": _END, "submitBy": ALWAYS},
    *(_NEW_STUDY, _NEW_STUDY, 0, _END, ALWAYS),
)
_board("refuseStudy", "RefuseStudy(bytes32 study)", {"study": _NEW_STUDY}, _NEW_STUDY)
_board(
    "resumeStudy",
    "ResumeStudy(bytes32 study,uint32 round)",
    {"study": SUSPENDED_STUDY, "round": 1},
    *(SUSPENDED_STUDY, 1),
)
_board("revokeStudy", "RevokeStudy(bytes32 study)", {"study": STUDY}, STUDY)


def _donation(alone: bool) -> Maker:
    def make(w: AccessWorld, who: str, sign: Sign) -> Attempt:
        account = w.account("bystander")
        makers = _decision("NameDonation(address account)", {"account": account}, account)
        return makers[alone](w, who, sign)

    return make


def _settlement(result: bytes, *, stands: bool, alone: bool) -> Maker:
    def make(w: AccessWorld, who: str, sign: Sign) -> Attempt:
        content = {"round": _round(w, result), "attempt": 1, "stands": stands}
        kind = "SettlePayout(bytes32 round,uint32 attempt,bool stands)"
        return _decision(kind, content, escrow(w), result, 1, stands)[alone](w, who, sign)

    return make


tries("ResearchMarket.nameDonation")(_donation(alone=False))
tries("ResearchMarket.nameDonation/alone")(_donation(alone=True))
tries("ResearchMarket.settlePayout")(_settlement(OWED, stands=False, alone=False))
tries("ResearchMarket.settlePayout/alone")(_settlement(OWED, stands=False, alone=True))
tries("ResearchMarket.settlePayout/to uphold")(_settlement(DISPUTED, stands=True, alone=False))


@tries("ResearchMarket.suspendStudy")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    command = Flat(_MARKET, SUSPEND_STUDY, {"study": STUDY, "round": 0})
    return attempt(STUDY, 0, w.account(who, _MARKET), sign(command))


# --- money


def _round(w: AccessWorld, result: bytes) -> bytes:
    return keccak(keccak(eth_abi.encode(ESCROW_TERMS, escrow(w))) + result)


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
    command = Flat(
        _MARKET,
        "ObjectToPayout(bytes32 round,uint32 attempt)",
        {"round": _round(w, OWED), "attempt": 1},
    )
    return attempt(escrow(w), OWED, 1, w.account(who, _MARKET), sign(command))


@tries("ResearchMarket.closePayout")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return attempt(escrow(w), PAID)


@tries("ResearchMarket.claim")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return attempt(escrow(w), OPEN_ROUND, payment(w), [])


@tries("ResearchMarket.claimBatch")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return attempt(escrow(w), OPEN_ROUND, [payment(w)], [[]])
