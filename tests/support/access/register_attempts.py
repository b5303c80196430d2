"""Attempts at the registers of records and logs, and at emergency access."""

from __future__ import annotations

from typing import Any

from eth_utils.crypto import keccak

from backend.adapters.ledger.headers import delegation_header
from backend.consent.emergency_terms import (
    CloseEmergency,
    CountersignEmergency,
    OpenEmergency,
    OpenEmergencyLate,
    ReviewEmergency,
    SetEmergencyPolicy,
)
from backend.consent.key_terms import BindKey, WithdrawKey
from backend.consent.member_terms import CosignCheckpoint, SignCheckpoint, TransferCustody
from backend.consent.typed_data import struct_hash
from backend.types import Bytes32, SubjectId
from tests.support.access.attempt import Attempt, attempt, tries
from tests.support.access.documents import ALWAYS, word
from tests.support.access.known import sealed
from tests.support.access.world import HOUR, AccessWorld, Sign

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


@tries("WitnessPairs.open")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return attempt(w.account("custodian"), w.account("other_custodian"), word("a paper"))


def _transfer(w: AccessWorld, to: str, given: Sign, taken: Sign) -> Attempt:
    giver, taker = w.account("custodian"), w.account(to, "RecordRegistry")
    command = TransferCustody(giver, taker, (sealed("record"),), ALWAYS)
    return attempt(giver, taker, [sealed("record")], ALWAYS, given(command), taken(command))


@tries("RecordRegistry.transferCustody/giving")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return _transfer(w, "other_custodian", sign, w.signer("other_custodian"))


@tries("RecordRegistry.transferCustody/taking")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return _transfer(w, who, w.signer("custodian"), sign)


# --- logs


def _log(w: AccessWorld) -> Bytes32:
    return Bytes32(keccak(w.member("custodian") + word("log")))


@tries("AuditAnchor.anchor")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return attempt(word("new log"), 1, word("root"), [])


@tries("AuditAnchor.cosign")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    signature = sign(CosignCheckpoint(_log(w), 1, word("root")))
    named = (w.member("custodian"), word("log"), 1, word("root"))
    return attempt(*named, [], w.account(who, "AuditAnchor"), signature)


def _signed(w: AccessWorld, root: str, sign: Sign) -> tuple[int, bytes, bytes]:
    return (1, word(root), sign(SignCheckpoint(_log(w), 1, word(root))))


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


def _opening(
    w: AccessWorld, late: bool, responder: str, sign: Sign, second: str, countersign: Sign
) -> Attempt:
    """Return an opening by ``responder``, countersigned by ``second`` unless that is empty."""
    time = w.found.setdefault("time of the late opening", w.node.now() - HOUR) if late else ALWAYS
    account = w.account(responder, "EmergencyAccess")
    header = (w.ADULT, account, sealed("reason"), HOUR, time)
    command = (OpenEmergencyLate if late else OpenEmergency)(*header)
    other = w.account(second, "EmergencyAccess") if second else _NOBODY
    countersignature = countersign(CountersignEmergency(struct_hash(command))) if second else b""
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
    signature = sign(CloseEmergency(opening))
    return attempt(opening, w.account(who, "EmergencyAccess"), signature, opening=opening)


@tries("EmergencyAccess.reviewEmergency")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    opening, finding = w.found["over opening"], sealed("finding")
    signature = sign(ReviewEmergency(opening, finding))
    return attempt(opening, w.account(who, "EmergencyAccess"), finding, signature)


def _policy(subject: int, policy: int) -> SetEmergencyPolicy:
    return SetEmergencyPolicy(SubjectId(subject), policy, 0)


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


# --- keys


def _binding(subject: int, sequence: int, sign: Sign) -> Attempt:
    command = BindKey(SubjectId(subject), word("key"), sequence, ALWAYS)
    return attempt(subject, command.key_hash, sequence, ALWAYS, sign(command), nobody=_NOBODY)


@tries("KeyRegistry.bindKey")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return _binding(w.ADULT, 2, sign)


@tries("KeyRegistry.bindKey/of a child")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return _binding(w.CHILD, 1, sign)


@tries("KeyRegistry.withdrawKey")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return attempt(w.ADULT, 1, sign(WithdrawKey(SubjectId(w.ADULT), 1)))
