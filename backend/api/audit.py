"""The audit log for those it is about, and for those who verify it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field

from backend.api.schemas import PLAIN_TEXT, HexSubject, subject_id
from backend.api.security import Caller, agent_of, needs, require_party
from backend.audit import codes, tlog_proof
from backend.audit.access import AccessEntry
from backend.audit.entry import AuditEvent, Group, Outcome
from backend.audit.errors import UnknownEntry
from backend.consent.tables import Tables
from backend.identity.roles import Scope
from backend.types import LogIndex, SubjectId, to_hex

router = APIRouter(prefix="/v1", tags=["audit"])
Own = Annotated[Caller, Depends(needs(Scope.ACCESS_LOG_OWN))]
Auditing = Annotated[Caller, Depends(needs(Scope.AUDIT_READ))]
_TLOG_PROOF: dict[int | str, dict[str, Any]] = {
    200: {"content": {PLAIN_TEXT: {"schema": {"type": "string"}}}}
}
Subject = Annotated[
    HexSubject, Query(description="the patient, who is the caller or acts through the caller")
]


class GroupView(BaseModel):
    """Of a team with the digest of who was in it then: GET /v1/care-teams/{id}/memberships/{digest}."""

    id: str
    version: int | None
    membership: str | None


class AccessView(BaseModel):
    """One line of the list: who, when, what for, with which result."""

    index: int
    recorded_at: datetime
    leaf_hash: str
    type: str | None = Field(description="None when what is stored of the entry is damaged")
    outcome: str | None
    actor: str | None
    organisation: str | None
    groups: list[GroupView] = Field(
        description="organisations acted for, and care teams that access was had through"
    )
    purpose: str | None
    action: str | None
    records: list[str]
    segments: list[str]
    consents: list[str]
    reasons: list[str]
    obligations: list[str] = Field(description="conditions that were carried out")
    final_block: int | None
    detail: dict[str, str | int | bool] = Field(description="coded values that belong to the type")


class AccessPageView(BaseModel):
    entries: list[AccessView]
    total: int
    next_before: int | None = Field(description="give it as 'before' for the next page")
    gaps: int = Field(description="places where the chain of entries breaks; more than 0 is an alarm")


class AuditKeysView(BaseModel):
    raised: int = Field(description="keys that were made; who has no entries gets none")


@router.get("/accesses", response_model=AccessPageView)
def list_accesses(
    caller: Own,
    subject: Subject,
    before: Annotated[int | None, Query(ge=0)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> AccessPageView:
    """Who looked, who was refused, what changed. Newest first. Reading it is logged too."""
    return _page(caller, _wanted(caller, subject), before=before, limit=limit)


@router.get("/accesses/proof")
def prove_accesses(caller: Own, subject: Subject) -> dict[str, Any]:
    """The whole list as a bundle for ``assent audit verify``, with proof that no entry is missing."""
    return caller.services.proofs.access_list(_wanted(caller, subject))


@router.get("/accesses/{index}/proof", response_model=dict[str, Any], responses=_TLOG_PROOF)
def prove_access(
    index: int,
    caller: Own,
    subject: Subject,
    form: Annotated[
        Literal["json", "tlog-proof"], Query(alias="format", description="JSON, or a C2SP .tlog-proof file")
    ] = "json",
) -> Any:
    """One entry as a bundle that ``assent audit verify`` checks offline.

    A ``.tlog-proof`` holds the entry and the cosigned checkpoint; only the JSON bundle names the anchor."""
    wanted = _wanted(caller, subject)
    if form == "json":
        return caller.services.proofs.entry(wanted, LogIndex(index))
    proof = caller.services.proofs.tlog_proof(wanted, LogIndex(index))
    name = f'attachment; filename="entry-{index}{tlog_proof.SUFFIX}"'
    return Response(proof, media_type=PLAIN_TEXT, headers={"Content-Disposition": name})


@router.get("/log/entries", response_model=AccessPageView)
def list_system_entries(
    caller: Auditing,
    before: Annotated[int | None, Query(ge=0)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> AccessPageView:
    """What concerns no single patient, for an auditor: sign-ins, changes of accounts, attempts that were
    turned away before any decision. Newest first. Reading it is logged too."""
    return _page(caller, None, before=before, limit=limit)


@router.get("/log/entries/{index}/proof")
def prove_entry(
    index: int,
    caller: Auditing,
    opened: Annotated[
        bool, Query(description="with what the entry says; its patient sees that it was read")
    ] = False,
) -> dict[str, Any]:
    """Any entry as a bundle that ``assent audit verify`` checks offline. Unopened it shows that something was
    logged there and not what, also where the patient was erased since; then nobody can open it."""
    services = caller.services
    if not opened:
        return services.proofs.closed_entry(LogIndex(index))
    event = services.log_search.find(None, index).event
    subject = None if event is None else event.subject
    bundle = services.proofs.entry(subject, LogIndex(index))
    log_reading(caller, subject)
    return bundle


@router.get("/log/entries/{index}/replay")
def replay_entry(index: int, caller: Auditing) -> dict[str, Any]:
    """Decide an entry again from the evidence of that time: what it says, what comes out now, in what they
    differ, and why. Its patient sees that it was read. 404 ``evidence_gone`` where something was erased."""
    services = caller.services
    event = services.log_search.find(None, index).event
    if event is None:
        raise UnknownEntry
    log_reading(caller, event.subject)
    return {"entry": index, **services.replayer.replay(event).as_json(services.tables)}


@router.post("/audit/key-epochs", status_code=201, response_model=AuditKeysView)
def raise_audit_keys(
    caller: Annotated[Caller, Depends(needs(Scope.ACCOUNT_MANAGE))],
) -> AuditKeysView:
    """Give every patient, and the system, a new audit key for entries from now on. Earlier entries stay as
    they are, and each chain of entries says where the one before it ended."""
    return AuditKeysView(raised=caller.services.audit_keys.rotate(by=agent_of(caller.principal)))


def _page(caller: Caller, wanted: SubjectId | None, *, before: int | None, limit: int) -> AccessPageView:
    services = caller.services
    page = services.accesses.page(wanted, before=None if before is None else LogIndex(before), limit=limit)
    log_reading(caller, wanted)
    return AccessPageView(
        entries=[_view(entry, services.tables) for entry in page.entries],
        total=page.total,
        next_before=page.next_before,
        gaps=len(services.accesses.gaps(wanted)) if before is None else 0,
    )


def _wanted(caller: Caller, subject: str) -> SubjectId:
    wanted = subject_id(subject)
    require_party(caller.principal, subject=wanted, member=None)
    return wanted


def log_reading(caller: Caller, subject: SubjectId | None) -> None:
    """Log that the caller read a patient's entries, or the system's."""
    caller.services.audit.append(
        AuditEvent(
            type=codes.AUDIT_READ,
            outcome=Outcome.PERMITTED,
            occurred_at_ms=caller.services.clock() * 1000,
            actor=agent_of(caller.principal),
            subject=subject,
        )
    )


def _group(group: Group) -> GroupView:
    return GroupView(
        id=to_hex(group.id),
        version=group.version or None,
        membership=to_hex(group.membership) if group.membership else None,
    )


def _view(entry: AccessEntry, tables: Tables) -> AccessView:
    event = entry.event
    return AccessView(
        index=entry.index,
        recorded_at=datetime.fromtimestamp(entry.recorded_at_ms / 1000, UTC),
        leaf_hash=to_hex(entry.leaf_hash),
        type=event.type if event else None,
        outcome=event.outcome.value if event else None,
        actor=f"{event.actor.kind.value}:{event.actor.id}" if event else None,
        organisation=to_hex(event.organisation) if event and event.organisation else None,
        groups=[_group(group) for group in event.groups] if event else [],
        purpose=event.purpose if event else None,
        action=event.action.value if event and event.action else None,
        records=[record.hex() for record in event.records] if event else [],
        segments=[segment.decode() for segment in event.segments] if event else [],
        consents=[to_hex(consent) for consent in event.consents] if event else [],
        reasons=list(event.reasons) if event else [],
        obligations=list(tables.obligations.codes(event.obligations)) if event else [],
        final_block=event.final_block if event else None,
        detail={
            name: to_hex(value) if isinstance(value, bytes) else value for name, value in event.detail.items()
        }
        if event
        else {},
    )
