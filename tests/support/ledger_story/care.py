"""Emergencies, encryption keys, record versions and audit logs."""

from __future__ import annotations

import hashlib
import os
from dataclasses import astuple

from eth_utils.crypto import keccak

from backend.adapters.ledger.calls import Sender
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
from backend.types import Bytes32, SubjectId, UnixSeconds
from tests.support.ledger_story.base import DESK, FOREVER, HOUR, NOBODY, NOTHING, Story, named
from tests.support.ledger_world import HOSPITAL


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
    signature = story.sign(story.doctor, CloseEmergency(closed))
    story.send("EmergencyAccess", "closeEmergency", closed, story.doctor.account, signature)
    for round_, policy in enumerate((1, 2, 0)):
        _set_policy(story, policy, round_)
    for name in ("late opening", "opening"):
        finding = Bytes32(named("finding"))
        signature = story.sign(story.board, ReviewEmergency(openings[name], finding))
        values = (openings[name], story.board.account, finding, signature)
        story.send("EmergencyAccess", "reviewEmergency", *values)
    for round_, policy in ((3, 2), (4, 1)):
        story.jump(1)
        _set_policy(story, policy, round_)


def _open(story: Story, reason: str, *, late_seconds: int = 0, countersigned: bool = False) -> Bytes32:
    named_first = (SubjectId(1), story.doctor.account, Bytes32(named(reason)), HOUR)
    command: OpenEmergency | OpenEmergencyLate = OpenEmergency(*named_first, FOREVER)
    if late_seconds:
        command = OpenEmergencyLate(*named_first, UnixSeconds(story.now - late_seconds))
    opening = struct_hash(command)
    other: tuple[str, bytes] = (NOBODY, b"")
    if countersigned:
        other = (story.medic.account, story.sign(story.medic, CountersignEmergency(opening)))
    function = "openEmergencyLate" if late_seconds else "openEmergency"
    signature = story.sign(story.doctor, command)
    story.send("EmergencyAccess", function, astuple(command), signature, *other)
    return opening


def _set_policy(story: Story, policy: int, round_: int) -> None:
    command = SetEmergencyPolicy(SubjectId(1), policy, round_)
    signature = story.sign(story.patient, command)
    story.send("EmergencyAccess", "setEmergencyPolicy", *astuple(command), signature)


def keys(story: Story) -> None:
    """Keys of one patient: bound, replaced, withdrawn with what was to follow, and bound again."""
    for sequence, name in ((1, "first key"), (2, "second key"), (4, "third key")):
        bind = BindKey(SubjectId(1), Bytes32(named(name)), sequence, FOREVER)
        story.send("KeyRegistry", "bindKey", *astuple(bind), story.sign(story.patient, bind))
        if sequence == 2:
            withdraw = WithdrawKey(SubjectId(1), 3)
            signature = story.sign(story.patient, withdraw)
            story.send("KeyRegistry", "withdrawKey", *astuple(withdraw), signature)


def records(story: Story) -> None:
    """Commitments that stay, are withdrawn, and pass to another custodian."""
    kept, withdrawn, passed = (Bytes32(os.urandom(32)) for _ in range(3))
    story.world.ledger.commitments.commit_records([kept, withdrawn, passed])
    story.world.ledger.commitments.withdraw(withdrawn)
    command = TransferCustody(DESK.account, story.clinic.account, (passed,), FOREVER)
    signatures = [story.sign(who, command) for who in (DESK, story.clinic)]
    story.send("RecordRegistry", "transferCustody", *astuple(command), *signatures)
    transfer = struct_hash(command)
    story.ids |= {"commitment": kept, "withdrawn": withdrawn, "passed": passed, "transfer": transfer}


def logs(story: Story) -> None:
    """A log anchored twice, cosigned once, and shown to be forked twice."""
    leaf = [hashlib.sha256(bytes([0, number])).digest() for number in range(3)]
    two = hashlib.sha256(b"\x01" + leaf[0] + leaf[1]).digest()
    three = hashlib.sha256(b"\x01" + two + leaf[2]).digest()
    origin = named("hospital.example/audit")
    for size, root, proof in ((2, two, []), (3, three, [leaf[2]])):
        story.send("AuditAnchor", "anchor", origin, size, root, proof, sender=Sender.CUSTODIAN)
    log = Bytes32(keccak(HOSPITAL + origin))
    seen = story.sign(story.witness, CosignCheckpoint(log, 2, Bytes32(two)))
    story.send("AuditAnchor", "cosign", HOSPITAL, origin, 2, two, [leaf[2]], story.witness.account, seen)
    for _ in range(2):
        other = Bytes32(os.urandom(32))
        forked = (3, other, story.sign(DESK, SignCheckpoint(log, 3, other)))
        story.send("AuditAnchor", "reportForkOfAnchored", HOSPITAL, origin, DESK.account, forked, NOTHING, [])
    story.ids |= {"log": log, "origin": origin}
