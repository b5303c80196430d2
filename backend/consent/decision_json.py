"""Decision inputs and decisions as JSON: the form of the published vectors.

Codes stand in place of masks, ids and documents are as in ``terms_json``, an empty slot is null.
``decision_reading`` reads inputs back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backend.consent.assembly import EMPTY_SLOT
from backend.consent.decision_types import Decision, DecisionInput, Evidence
from backend.consent.ledger_types import (
    ConsentSlot,
    Membership,
    MemberStanding,
    SubjectEvidence,
)
from backend.consent.tables import Tables
from backend.consent.terms import Delegation
from backend.consent.terms_json import to_json
from backend.types import (
    ConsentId,
    MemberId,
    to_hex,
)


def input_to_json(
    request: DecisionInput, tables: Tables, via: Mapping[ConsentId, tuple[Delegation, ...]] | None = None
) -> dict[str, Any]:
    """Return the JSON of an input. ``via`` gives the delegations a document was signed under, by its id."""
    requester, segment, view = request.requester, request.segment, request.view
    return {
        "subject": str(request.subject),
        "requester": {
            "actor": None if requester.actor is None else to_hex(requester.actor),
            "organisations": [to_hex(member) for member in requester.organisations],
            "account": requester.account,
            "teams": {
                to_hex(name): None if organisation is None else to_hex(organisation)
                for name, organisation in requester.teams
            },
        },
        "purpose": tables.purposes.codes(request.purpose)[0],
        "action": tables.actions.codes(request.action)[0],
        "segment": {
            "categories": list(tables.categories.codes(segment.categories)),
            "sensitivities": list(tables.sensitivities.codes(segment.sensitivities)),
            "dataFrom": segment.data_from,
            "dataTo": segment.data_to,
            "references": sorted(map(to_hex, segment.references)),
        },
        "now": request.now,
        "view": None if view is None else {"final": view.final_number, "head": view.head_number},
        "stale": request.stale,
        "subjectAtFinal": _subject_to_json(request.final),
        "subjectAtHead": _subject_to_json(request.head),
        "evidence": [_evidence_to_json(item, via or {}) for item in request.evidence],
        "membersAtFinal": _members_to_json(request.members_final),
        "membersAtHead": _members_to_json(request.members_head),
        "suspended": sorted(map(to_hex, request.suspended)),
        "queuePosition": request.queue_position,
        "endedEpoch": request.ended_epoch,
        "fulfils": list(tables.obligations.codes(request.fulfils)),
    }


def decision_to_json(decision: Decision, tables: Tables) -> dict[str, Any]:
    """Return the JSON of a decision, for the patient and the auditor. Requesters get the answer alone."""
    return {
        "answer": decision.answer.value,
        "obligations": list(tables.obligations.codes(decision.obligations)),
        "reasons": [reason.value for reason in decision.reasons],
        "consents": [to_hex(consent) for consent in decision.consent_ids],
        "finalBlock": decision.final_block,
        "headBlock": decision.head_block,
        "queuePosition": decision.queue_position,
        "findings": [
            {
                "consent": to_hex(finding.consent_id),
                "reason": finding.reason.value,
                "rule": None if finding.rule < 0 else finding.rule,
                "obligations": list(tables.obligations.codes(finding.obligations)),
            }
            for finding in decision.findings
        ],
    }


def _subject_to_json(subject: SubjectEvidence) -> dict[str, Any]:
    return {
        "controller": subject.controller,
        "epoch": subject.epoch,
        "count": subject.count,
        "opened": subject.opened,
    }


def _members_to_json(members: Mapping[MemberId, Membership]) -> dict[str, Any]:
    return {
        to_hex(member): {"standing": MemberStanding(found.standing).name.lower(), "expiry": found.expiry}
        for member, found in sorted(members.items())
    }


def _evidence_to_json(item: Evidence, via: Mapping[ConsentId, tuple[Delegation, ...]]) -> dict[str, Any]:
    prepared = item.prepared
    return {
        "id": to_hex(prepared.consent_id),
        "type": type(prepared.document).__name__,
        "document": to_json(prepared.document),
        "via": [to_json(delegation) for delegation in via.get(prepared.consent_id, ())],
        "final": _slot_to_json(item.final),
        "head": _slot_to_json(item.head),
        "revocationPending": item.revocation_pending,
        "uses": item.taken.made,
        "usedAt": list(item.taken.at),
    }


def _slot_to_json(slot: ConsentSlot) -> dict[str, Any] | None:
    if slot == EMPTY_SLOT:
        return None
    return {
        "subject": str(slot.subject),
        "kind": int(slot.kind),
        "epoch": slot.epoch,
        "revokedAt": slot.revoked_at,
        "notAfter": slot.not_after,
        "notBefore": slot.not_before,
    }
