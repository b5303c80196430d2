"""The entries that reading leaves in the audit log: who tried, what came of it, on which grounds."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from backend.audit import codes
from backend.audit.entry import Action, Agent, AuditEvent, Group, Outcome
from backend.consent.basis import basis_of
from backend.consent.deciding import Question
from backend.consent.decision_types import Answer, Decision, Reason
from backend.errors import AssentError, Conflict, NotPermitted
from backend.records.judging import Judged
from backend.records.obligations import united
from backend.types import MemberId, RecordId

WITHHELD: Final = "obligation_withholds"  # reason of an entry
SEALED_TO: Final = "sealed_to"  # detail of an entry: SHA-256 of the public key that content left sealed to
STREAM_CUT: Final = "stream_cut"  # reason of an entry
_NAMED: Final = 512  # segments and consents that one entry names


_OUTCOMES: Final = {
    Answer.PERMIT: Outcome.PERMITTED,
    Answer.DENY: Outcome.DENIED,
    Answer.NO_CONSENT: Outcome.DENIED,
    Answer.UNAVAILABLE: Outcome.UNAVAILABLE,
}


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads, as the audit log names them, with the question the decision answers.

    ``groups`` are the organisations and the care teams that the reader acts for. ``current`` raises
    RestrictionArrived when the reader has left one of the teams since.
    """

    agent: Agent
    organisation: MemberId | None
    question: Question
    purpose: str  # code of the question's purpose
    action: Action
    groups: tuple[Group, ...] = ()
    current: Callable[[], None] | None = None


def permitted(reader: Reader, record: Judged, *, sealed_to: bytes | None = None) -> AuditEvent:
    """The permitted segments are about to be released, with the obligations carried out.

    ``sealed_to``: the id of the key that they are sealed to, if any."""
    names = tuple(part.name.encode() for part, _ in record.permitted)
    decisions = [decision for _, decision in record.permitted]
    return _read(reader, record, Outcome.PERMITTED, decisions, segments=names, sealed_to=sealed_to)


def refused(reader: Reader, record: Judged) -> AuditEvent:
    return _read(reader, record, Outcome.DENIED, record.decisions)


def unknown(reader: Reader, record_id: RecordId) -> AuditEvent:
    """Somebody asked for a record that is not there."""
    return AuditEvent(
        type=codes.RECORD_READ,
        outcome=Outcome.DENIED,
        occurred_at_ms=_now_ms(),
        actor=reader.agent,
        organisation=reader.organisation,
        groups=groups_through(reader.groups, ()),
        purpose=reader.purpose,
        action=reader.action,
        records=(record_id,),
        reasons=(Reason.NO_PERMIT.value,),
    )


def listed(reader: Reader, records: Sequence[RecordId], decisions: Sequence[Decision]) -> AuditEvent:
    return AuditEvent(
        type=codes.RECORD_LISTED,
        outcome=Outcome.PERMITTED if records else Outcome.DENIED,
        occurred_at_ms=_now_ms(),
        actor=reader.agent,
        organisation=reader.organisation,
        groups=groups_through(reader.groups, decisions),
        subject=reader.question.subject,
        purpose=reader.purpose,
        action=reader.action,
        records=tuple(records),
    )


def failed(reader: Reader, failure: AssentError, *records: RecordId) -> AuditEvent:
    """A failure to find out is no refusal, and the patient sees all the same that somebody tried."""
    return AuditEvent(
        type=codes.RECORD_READ if records else codes.RECORD_LISTED,
        outcome=Outcome.UNAVAILABLE,
        occurred_at_ms=_now_ms(),
        actor=reader.agent,
        organisation=reader.organisation,
        groups=groups_through(reader.groups, ()),
        subject=reader.question.subject,
        purpose=reader.purpose,
        action=reader.action,
        records=records,
        reasons=(failure.code,),
    )


def cut(
    reader: Reader, record: Judged, segment: str, failure: AssentError, *, released_bytes: int
) -> AuditEvent:
    """A segment that was being released, which an entry before tells, was not released to its end."""
    denied = isinstance(failure, NotPermitted | Conflict)
    return AuditEvent(
        type=codes.RECORD_READ,
        outcome=Outcome.DENIED if denied else Outcome.UNAVAILABLE,
        occurred_at_ms=_now_ms(),
        actor=reader.agent,
        organisation=reader.organisation,
        groups=groups_through(reader.groups, ()),
        subject=record.manifest.subject,
        purpose=reader.purpose,
        action=reader.action,
        records=(record.manifest.record_id,),
        segments=(segment.encode(),),
        reasons=(STREAM_CUT, failure.code),
        detail={"version": record.manifest.version, "released_bytes": released_bytes},
    )


def _read(
    reader: Reader,
    record: Judged,
    outcome: Outcome,
    decisions: Sequence[Decision],
    *,
    segments: tuple[bytes, ...] = (),
    sealed_to: bytes | None = None,
) -> AuditEvent:
    manifest, withheld = record.manifest, record.withheld
    first = decisions[0] if decisions else None  # all of one read rest on the same evidence
    return AuditEvent(
        type=codes.RECORD_READ,
        outcome=outcome,
        occurred_at_ms=_now_ms(),
        actor=reader.agent,
        organisation=reader.organisation,
        groups=groups_through(reader.groups, decisions),
        subject=manifest.subject,
        purpose=reader.purpose,
        action=reader.action,
        records=(manifest.record_id,),
        segments=segments[:_NAMED],
        consents=tuple(sorted({name for decision in decisions for name in decision.consent_ids}))[:_NAMED],
        reasons=_reasons(decisions, outcome, withheld),
        final_block=first.final_block if first else None,
        head_block=first.head_block if first else None,
        queue_position=first.queue_position if first else None,
        obligations=united(decisions),
        detail={
            "version": manifest.version,
            "labels": manifest.label_tables,  # the tables that labelled the record when it was stored
            **({"tables": bytes.fromhex(first.tables)} if first else {}),
            **({"withheld": withheld} if withheld else {}),
            **({SEALED_TO: sealed_to} if sealed_to is not None else {}),
        },
        basis=_basis(reader, record, first),
    )


def _basis(reader: Reader, record: Judged, first: Decision | None) -> bytes:
    if first is None or first.request is None:
        return b""
    return basis_of(first.request, only=reader.question.only, asked=record.asked)


def _reasons(decisions: Sequence[Decision], outcome: Outcome, withheld: int) -> tuple[str, ...]:
    found = {reason.value for decision in decisions for reason in decision.reasons}
    if withheld and outcome is Outcome.DENIED:  # all that was permitted
        found = {*found, WITHHELD}
    return tuple(sorted(found))


def outcome_of(answer: Answer) -> Outcome:
    """Return what an entry calls the answer to a question."""
    return _OUTCOMES[answer]


def groups_through(groups: tuple[Group, ...], decisions: Sequence[Decision]) -> tuple[Group, ...]:
    """Return the organisations that somebody acts for, and those of its teams that something was permitted
    through. Others are nobody's business."""
    if not groups:
        return ()
    through = {team for decision in decisions for team in decision.teams}
    return tuple(group for group in groups if not group.membership or group.id in through)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
