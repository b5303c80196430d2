"""Decision inputs and decisions as JSON: the form of the published vectors.

Codes stand in place of masks, ids and documents are as in ``terms_json``, an empty slot is null. Reading
refuses unknown members, so that a misspelt restriction is not silently left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backend.consent.assembly import EMPTY_SLOT
from backend.consent.decision_types import Decision, DecisionInput, Evidence, Requester, Segment
from backend.consent.errors import InvalidTerms
from backend.consent.ledger_types import (
    ConsentSlot,
    LedgerView,
    Membership,
    MemberStanding,
    SubjectEvidence,
)
from backend.consent.prepared import prepare
from backend.consent.tables import Tables
from backend.consent.terms import Delegation, Document, Grant
from backend.consent.terms_json import from_json, to_json
from backend.types import (
    Address,
    BlockNumber,
    Bytes32,
    ConsentId,
    MemberId,
    QueuePosition,
    SubjectId,
    UnixSeconds,
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


def input_from_json(data: Mapping[str, Any], tables: Tables) -> DecisionInput:
    """Return the input of a JSON object. Raise InvalidTerms for unknown or missing members."""
    names = "subject requester purpose action segment now view stale subjectAtFinal subjectAtHead evidence"
    of_members = "membersAtFinal membersAtHead suspended"
    _members(data, f"{names} {of_members} queuePosition endedEpoch fulfils", "")
    requester, segment, view = data["requester"], data["segment"], data["view"]
    _members(requester, "actor organisations account", "requester.")
    _members(segment, "categories sensitivities dataFrom dataTo references", "segment.")
    if view is not None:
        _members(view, "final head", "view.")
    actor, account = requester["actor"], requester["account"]
    return DecisionInput(
        subject=SubjectId(int(data["subject"])),
        requester=Requester(
            None if actor is None else MemberId(_bytes(actor)),
            tuple(MemberId(_bytes(member)) for member in requester["organisations"]),
            None if account is None else Address(account),
        ),
        purpose=tables.purposes.mask([data["purpose"]], field="purpose"),
        action=tables.actions.mask([data["action"]], field="action"),
        segment=Segment(
            tables.categories.mask(segment["categories"], field="segment.categories"),
            tables.sensitivities.mask(segment["sensitivities"], field="segment.sensitivities"),
            UnixSeconds(segment["dataFrom"]),
            UnixSeconds(segment["dataTo"]),
            frozenset(map(_bytes, segment["references"])),
        ),
        now=UnixSeconds(data["now"]),
        view=None if view is None else _view(view["final"], view["head"]),
        stale=data["stale"],
        final=_subject_from_json(data["subjectAtFinal"], "subjectAtFinal."),
        head=_subject_from_json(data["subjectAtHead"], "subjectAtHead."),
        evidence=tuple(_evidence_from_json(item) for item in data["evidence"]),
        members_final=_members_from_json(data["membersAtFinal"], "membersAtFinal."),
        members_head=_members_from_json(data["membersAtHead"], "membersAtHead."),
        suspended=frozenset(MemberId(_bytes(member)) for member in data["suspended"]),
        queue_position=QueuePosition(data["queuePosition"]),
        ended_epoch=data["endedEpoch"],
        fulfils=tables.obligations.mask(data["fulfils"], field="fulfils"),
        tables=tables.digest,
    )


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


def _view(final: int, head: int) -> LedgerView:
    # Hashes, the head's time and the chain are the caller's concern; the decision compares heights only.
    none = Bytes32(bytes(32))
    return LedgerView(0, BlockNumber(head), none, UnixSeconds(0), BlockNumber(final), none)


def _subject_to_json(subject: SubjectEvidence) -> dict[str, Any]:
    return {
        "controller": subject.controller,
        "epoch": subject.epoch,
        "count": subject.count,
        "opened": subject.opened,
    }


def _subject_from_json(data: Mapping[str, Any], path: str) -> SubjectEvidence:
    _members(data, "controller epoch count opened", path)
    return SubjectEvidence(data["controller"], data["epoch"], data["count"], data["opened"], ())


def _members_to_json(members: Mapping[MemberId, Membership]) -> dict[str, Any]:
    return {
        to_hex(member): {"standing": MemberStanding(found.standing).name.lower(), "expiry": found.expiry}
        for member, found in sorted(members.items())
    }


def _members_from_json(data: Mapping[str, Any], path: str) -> dict[MemberId, Membership]:
    found = {}
    for member, value in data.items():
        _members(value, "standing expiry", path)
        if value["standing"].upper() not in MemberStanding.__members__:
            raise InvalidTerms("unknown, active, suspended or removed.", field=path + "standing")
        standing = MemberStanding[value["standing"].upper()]
        found[MemberId(_bytes(member))] = Membership(standing, UnixSeconds(value["expiry"]))
    return found


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
        "uses": item.uses,
    }


def _evidence_from_json(data: Mapping[str, Any]) -> Evidence:
    _members(data, "id type document via final head revocationPending uses", "evidence.")
    types: dict[str, type[Grant] | type[Delegation]] = {"Grant": Grant, "Delegation": Delegation}
    if data["type"] not in types:
        raise InvalidTerms("Grant or Delegation.", field="evidence.type")
    document: Document = from_json(types[data["type"]], data["document"], "evidence.document.")
    prepared = prepare(document, [from_json(Delegation, parent, "evidence.via.") for parent in data["via"]])
    if to_hex(prepared.consent_id) != data["id"]:
        raise InvalidTerms("The id is not the hash of the document.", field="evidence.id")
    return Evidence(
        prepared,
        _slot_from_json(data["final"]),
        _slot_from_json(data["head"]),
        data["revocationPending"],
        data["uses"],
    )


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


def _slot_from_json(data: Mapping[str, Any] | None) -> ConsentSlot:
    if data is None:
        return EMPTY_SLOT
    _members(data, "subject kind epoch revokedAt notAfter notBefore", "slot.")
    return ConsentSlot(
        SubjectId(int(data["subject"])),
        data["kind"],
        data["epoch"],
        UnixSeconds(data["revokedAt"]),
        UnixSeconds(data["notAfter"]),
        UnixSeconds(data["notBefore"]),
    )


def _members(data: Mapping[str, Any], names: str, path: str) -> None:
    for name in set(names.split()) ^ set(data):
        raise InvalidTerms("Unknown or missing.", field=path + name)


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))
