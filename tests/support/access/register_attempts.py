"""Attempts at the registers of records and logs, and at emergency access."""

from __future__ import annotations

from typing import Any

from eth_utils.crypto import keccak

from backend.adapters.ledger.headers import delegation_header
from tests.support.access.attempt import Attempt, attempt, tries
from tests.support.access.documents import ALWAYS, Flat, word
from tests.support.access.known import sealed
from tests.support.access.situation import OPEN
from tests.support.access.world import HOUR, AccessWorld, Sign

_TRANSFER = "TransferCustody(address from,address to,bytes32[] commitments,uint40 submitBy)"
_NOBODY = "0x" + "00" * 20


@tries("RecordRegistry.commit")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return attempt(sealed("new record"))


@tries("RecordRegistry.commitBatch")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return attempt([sealed("new record")])


@tries("RecordRegistry.withdraw")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return attempt(sealed("record"), commitment=sealed("record"))


@tries("RecordRegistry.withdraw/by a suspended custodian")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return attempt(sealed("record of the suspended"), commitment=sealed("record of the suspended"))


def _transfer(w: AccessWorld, to: str, given: Sign, taken: Sign) -> Attempt:
    giver, taker = w.account("custodian"), w.account(to, "RecordRegistry")
    content = {"from": giver, "to": taker, "commitments": [sealed("record")], "submitBy": ALWAYS}
    command = Flat("RecordRegistry", _TRANSFER, content)
    return attempt(giver, taker, [sealed("record")], ALWAYS, given(command), taken(command))


@tries("RecordRegistry.transferCustody/giving")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return _transfer(w, "other_custodian", sign, w.signer("other_custodian"))


@tries("RecordRegistry.transferCustody/taking")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return _transfer(w, who, w.signer("custodian"), sign)


# --- logs


def _log(w: AccessWorld) -> bytes:
    return keccak(w.member("custodian") + word("log"))


@tries("AuditAnchor.anchor")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return attempt(word("new log"), 1, word("root"), [])


@tries("AuditAnchor.cosign")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    content = {"log": _log(w), "size": 1, "root": word("root")}
    kind = "CosignCheckpoint(bytes32 log,uint64 size,bytes32 root)"
    signature = sign(Flat("AuditAnchor", kind, content))
    named = (w.member("custodian"), word("log"), 1, word("root"))
    return attempt(*named, [], w.account(who, "AuditAnchor"), signature)


def _signed(w: AccessWorld, root: str, sign: Sign) -> tuple[int, bytes, bytes]:
    content = {"log": _log(w), "size": 1, "root": word(root)}
    kind = "SignCheckpoint(bytes32 log,uint64 size,bytes32 root)"
    return (1, word(root), sign(Flat("AuditAnchor", kind, content)))


def _fork(w: AccessWorld, who: str, *checkpoints: Any) -> Attempt:
    log = (w.member("custodian"), word("log"), w.account(who, "AuditAnchor"))
    return attempt(*log, *checkpoints, bytes(32), [], log_keeper=w.member("custodian"))


@tries("AuditAnchor.reportFork")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return _fork(w, who, _signed(w, "root", sign), _signed(w, "another root", sign))


@tries("AuditAnchor.reportForkOfAnchored")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return _fork(w, who, _signed(w, "another root", sign))


# --- emergencies

_LATE = OPEN.replace("OpenEmergency", "OpenEmergencyLate").replace("submitBy", "openedAt")


def _countersign(opening: bytes) -> Flat:
    return Flat("EmergencyAccess", "CountersignEmergency(bytes32 opening)", {"opening": opening})


def _opening(
    w: AccessWorld, late: bool, responder: str, sign: Sign, second: str, countersign: Sign
) -> Attempt:
    """Return an opening by ``responder``, countersigned by ``second`` unless that is empty."""
    time = w.found.setdefault("time of the late opening", w.node.now() - HOUR) if late else ALWAYS
    account = w.account(responder, "EmergencyAccess")
    header = (w.ADULT, account, sealed("reason"), HOUR, time)
    names = ("subject", "responder", "reason", "duration", "openedAt" if late else "submitBy")
    command = Flat("EmergencyAccess", _LATE if late else OPEN, dict(zip(names, header, strict=True)))
    view = "lateOpeningId" if late else "openingId"
    opening = w.node.view(w.contracts["EmergencyAccess"], "EmergencyAccess", view, header)
    other = w.account(second, "EmergencyAccess") if second else _NOBODY
    countersignature = countersign(_countersign(opening)) if second else b""
    return attempt(header, sign(command), other, countersignature, member=w.member("responder"))


@tries("EmergencyAccess.openEmergency")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return _opening(w, False, who, sign, "", sign)


@tries("EmergencyAccess.openEmergencyLate")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return _opening(w, True, who, sign, "", sign)


@tries("EmergencyAccess.openEmergency/countersigning")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return _opening(w, False, "responder", w.signer("responder"), who, sign)


@tries("EmergencyAccess.openEmergencyLate/countersigning")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return _opening(w, True, "responder", w.signer("responder"), who, sign)


@tries("EmergencyAccess.closeEmergency")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    opening = w.found["open opening"]
    signature = sign(Flat("EmergencyAccess", "CloseEmergency(bytes32 opening)", {"opening": opening}))
    return attempt(opening, w.account(who, "EmergencyAccess"), signature, opening=opening)


@tries("EmergencyAccess.reviewEmergency")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    content = {"opening": w.found["over opening"], "finding": sealed("finding")}
    kind = "ReviewEmergency(bytes32 opening,bytes32 finding)"
    signature = sign(Flat("EmergencyAccess", kind, content))
    return attempt(content["opening"], w.account(who, "EmergencyAccess"), content["finding"], signature)


def _policy(subject: int, policy: int) -> Flat:
    kind = "SetEmergencyPolicy(uint96 subject,uint8 policy,uint32 round)"
    return Flat("EmergencyAccess", kind, {"subject": subject, "policy": policy, "round": 0})


@tries("EmergencyAccess.setEmergencyPolicy")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return attempt(w.ADULT, 2, 0, sign(_policy(w.ADULT, 2)))


def _policy_by_guardian(w: AccessWorld, who: str, sign: Sign, policy: int) -> Attempt:
    used = w.guardianships.get((w.CHILD, who), w.guardianships[w.CHILD, "guardian"])
    return attempt(delegation_header(used), policy, 0, sign(_policy(w.CHILD, policy)), child=w.CHILD)


@tries("EmergencyAccess.setEmergencyPolicyByGuardian")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return _policy_by_guardian(w, who, sign, 1)


@tries("EmergencyAccess.setEmergencyPolicyByGuardian/to forbid")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return _policy_by_guardian(w, who, sign, 2)
