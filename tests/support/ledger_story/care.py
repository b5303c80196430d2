"""Emergencies, record versions and audit logs."""

from __future__ import annotations

import hashlib
import os

from eth_utils.crypto import keccak

from backend.adapters.ledger.calls import Sender
from backend.types import Bytes32
from tests.support.ledger_story.base import DESK, FOREVER, HOUR, NOBODY, NOTHING, Story, named
from tests.support.ledger_world import HOSPITAL
from tests.support.typed_commands import struct_hash

OPEN = "OpenEmergency(uint96 subject,address responder,bytes32 reason,uint32 duration,uint40 submitBy)"
OPEN_LATE = (
    "OpenEmergencyLate(uint96 subject,address responder,bytes32 reason,uint32 duration,uint40 openedAt)"
)
COUNTERSIGN = "CountersignEmergency(bytes32 opening)"
REVIEW = "ReviewEmergency(bytes32 opening,bytes32 finding)"
SET_POLICY = "SetEmergencyPolicy(uint96 subject,uint8 policy,uint32 round)"
TRANSFER = "TransferCustody(address from,address to,bytes32[] commitments,uint40 submitBy)"


def emergencies(story: Story) -> None:
    """Openings in time and late, closed, countersigned, reviewed out of order; policies set in one second."""
    openings = {
        "opening": _open(story, "first"),
        "late opening": _open(story, "late", late_seconds=1200),
        "closed opening": _open(story, "both", countersigned=True),
        "last opening": _open(story, "last"),
    }
    story.ids |= openings
    closed = openings["closed opening"]
    signature = story.sign(story.doctor, "EmergencyAccess", "CloseEmergency(bytes32 opening)", opening=closed)
    story.send("EmergencyAccess", "closeEmergency", closed, story.doctor.account, signature)
    for round_, policy in enumerate((1, 2, 0)):
        _set_policy(story, policy, round_)
    for name in ("late opening", "opening"):
        content = {"opening": openings[name], "finding": named("finding")}
        signature = story.sign(story.board, "EmergencyAccess", REVIEW, **content)
        account = story.board.account
        values = (content["opening"], account, content["finding"], signature)
        story.send("EmergencyAccess", "reviewEmergency", *values)
    for round_, policy in ((3, 2), (4, 1)):
        story.jump(1)
        _set_policy(story, policy, round_)


def _open(story: Story, reason: str, *, late_seconds: int = 0, countersigned: bool = False) -> bytes:
    account = story.doctor.account
    content = {"subject": 1, "responder": account, "reason": named(reason), "duration": HOUR}
    if late_seconds:
        kind, function, content["openedAt"] = OPEN_LATE, "openEmergencyLate", story.now - late_seconds
    else:
        kind, function, content["submitBy"] = OPEN, "openEmergency", FOREVER
    opening = struct_hash(kind, content)
    signature = story.sign(story.doctor, "EmergencyAccess", kind, **content)
    other = (NOBODY, b"")
    if countersigned:
        other = (
            story.medic.account,
            story.sign(story.medic, "EmergencyAccess", COUNTERSIGN, opening=opening),
        )
    story.send("EmergencyAccess", function, tuple(content.values()), signature, *other)
    return opening


def _set_policy(story: Story, policy: int, round_: int) -> None:
    content = {"subject": 1, "policy": policy, "round": round_}
    signature = story.sign(story.patient, "EmergencyAccess", SET_POLICY, **content)
    story.send("EmergencyAccess", "setEmergencyPolicy", *content.values(), signature)


def records(story: Story) -> None:
    """Commitments that stay, are withdrawn, and pass to another custodian."""
    kept, withdrawn, passed = (Bytes32(os.urandom(32)) for _ in range(3))
    story.world.ledger.commitments.commit_records([kept, withdrawn, passed])
    story.world.ledger.commitments.withdraw(withdrawn)
    content = {
        "from": DESK.account,
        "to": story.clinic.account,
        "commitments": [passed],
        "submitBy": FOREVER,
    }
    signatures = [story.sign(who, "RecordRegistry", TRANSFER, **content) for who in (DESK, story.clinic)]
    story.send("RecordRegistry", "transferCustody", *content.values(), *signatures)
    transfer = struct_hash(TRANSFER, content)
    story.ids |= {"commitment": kept, "withdrawn": withdrawn, "passed": passed, "transfer": transfer}


def logs(story: Story) -> None:
    """A log anchored twice, cosigned once, and shown to be forked twice."""
    leaf = [hashlib.sha256(bytes([0, number])).digest() for number in range(3)]
    two = hashlib.sha256(b"\x01" + leaf[0] + leaf[1]).digest()
    three = hashlib.sha256(b"\x01" + two + leaf[2]).digest()
    origin = named("hospital.example/audit")
    for size, root, proof in ((2, two, []), (3, three, [leaf[2]])):
        story.send("AuditAnchor", "anchor", origin, size, root, proof, sender=Sender.CUSTODIAN)
    log = bytes(keccak(HOSPITAL + origin))
    kind = "CosignCheckpoint(bytes32 log,uint64 size,bytes32 root)"
    seen = story.sign(story.witness, "AuditAnchor", kind, log=log, size=2, root=two)
    story.send("AuditAnchor", "cosign", HOSPITAL, origin, 2, two, [leaf[2]], story.witness.account, seen)
    kind = "SignCheckpoint(bytes32 log,uint64 size,bytes32 root)"
    for _ in range(2):
        root = os.urandom(32)
        forked = (3, root, story.sign(DESK, "AuditAnchor", kind, log=log, size=3, root=root))
        story.send("AuditAnchor", "reportForkOfAnchored", HOSPITAL, origin, DESK.account, forked, NOTHING, [])
    story.ids |= {"log": log, "origin": origin}
