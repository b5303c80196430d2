"""Consents as FHIR: how one is asked for, and drafts from what other systems hold."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta, timezone
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from backend.api.consent_requests import Draft, Via, draft_of
from backend.api.limits import Limited, Spending
from backend.api.schemas import Body, HexSubject, Message, subject_id
from backend.api.security import Caller, needs, require_party
from backend.api.services import Services
from backend.consent.authority import command_for
from backend.consent.terms import Document, Grant, Kind
from backend.consent.typed_data import consent_id, digest
from backend.consent.validation import check_grant
from backend.consent.witnessed import is_witnessed
from backend.errors import InvalidInput
from backend.identity.roles import Scope
from backend.interop.fhir_consent.export_r4 import export_r4
from backend.interop.fhir_consent.export_r5 import export_r5
from backend.interop.fhir_consent.frame import Evidence, Frame, State
from backend.interop.fhir_consent.importing import Importer
from backend.interop.fhir_consent.names import names_from_json, with_care_teams
from backend.types import UnixSeconds

router = APIRouter(prefix="/v1", tags=["consents"])
FHIR_JSON: Final = "application/fhir+json"
_VERSION: Final = re.compile(r"fhirVersion=\"?(\d\.\d)", re.ASCII)
_VERSIONS: Final = ("4.0", "5.0")
_STATES: Final[dict[str, State]] = {"pending": "draft", "revoked": "ended", "expired": "ended"}


class ImportBody(Body):
    """A Consent, or under ``most-recent-wins`` a Bundle of them, and how to read it."""

    subject: HexSubject
    resource: Message
    profile: Literal["pcf", "r4-optin-optout", "most-recent-wins", "flip-base"] = "pcf"
    names: dict[str, Any] = Field(
        default={}, description="patients, members and records by the names they have in it"
    )
    zone: Annotated[str, Field(pattern=r"^[+-]\d\d:\d\d$")] | None = Field(
        default=None, description="offset of dates without time, such as +01:00; without it they are refused"
    )
    via: Via = []
    language: Literal["en", "de"] = "en"


class NoteView(BaseModel):
    """An element, and how it was read."""

    field: str
    text: str


class ImportView(BaseModel):
    """``drafts`` together say what the source says, prohibitions first. None counts before it is signed."""

    drafts: list[Draft]
    notes: list[NoteView]
    kept: list[dict[str, Any]] = Field(description="extensions of others, which nothing here reads")


@router.post("/consents/import", response_model=ImportView)
def import_consent(
    body: ImportBody, caller: Annotated[Caller, Depends(needs(Scope.CONSENT_OWN))], spend: Spending
) -> ImportView:
    """Get the messages to sign for a FHIR Consent of another system. It grants nothing."""
    spend(Limited.DRAFT)
    services, principal = caller
    subject = subject_id(body.subject)
    require_party(principal, subject=subject, member=None)
    names = replace(names_from_json(body.subject, body.names), care_teams=services.care_teams.ids())
    importer = Importer(names, services.tables, body.profile, _zone(body.zone))
    imported = importer.read(body.resource)
    epoch = services.evidence.subject(subject).epoch
    now = UnixSeconds(services.clock())
    drafts = []
    for wish in imported.wishes:
        grant = services.drafter.grant(wish, subject=subject, epoch=epoch, now=now, language=body.language)
        check_grant(grant, services.tables)
        drafts.append(draft_of(grant, body.via, services))
    notes = [NoteView(field=note.field, text=note.text) for note in imported.notes]
    return ImportView(drafts=drafts, notes=notes, kept=list(imported.kept))


def asked_version(accept: str) -> str | None:
    """Return the FHIR version that an Accept header asks for, None where it does not ask for FHIR."""
    if FHIR_JSON not in accept:
        return None
    found = _VERSION.search(accept)
    version = found[1] if found else _VERSIONS[0]
    if version not in _VERSIONS:
        raise InvalidInput(f"FHIR {' or '.join(_VERSIONS)}.", field="accept")
    return version


def as_fhir(
    document: Document, *, version: str, state: str, signed_at: UnixSeconds, services: Services
) -> dict[str, Any]:
    """Return the Consent of a grant; a delegation has none."""
    if not isinstance(document, Grant):
        raise InvalidInput("A delegation is no FHIR Consent.", field="accept")
    evidence = _evidence(document, services)
    frame = Frame(services.tenant, signed_at, _STATES.get(state, "active"), evidence)
    export = export_r4 if version == _VERSIONS[0] else export_r5
    named = [document.terms.grantee, *(name for rule in document.terms.rules for name in rule.grantees)]
    teams = [team.team_id for team in services.care_teams.known(named)]
    exported = export(document, frame, services.tables)
    return dict(with_care_teams(exported, teams)) if teams else exported


def _evidence(grant: Grant, services: Services) -> Evidence | None:
    """Return how the consent was given; None where only the chain knows of it, or another delegate signed."""
    signed = services.evidence.signed(grant.subject, consent_id(grant))
    if signed is None:
        return None
    signed_hash = digest(command_for(grant, signed.via), services.history.domain_of(grant))
    if not signed.via:
        return Evidence("wallet", signed.signer, signed_hash)
    if is_witnessed(signed.via[0]):
        return Evidence("witnessed", signed.signer, signed_hash, signed.via[0].terms.evidence)
    guardian = signed.via[0].kind == Kind.GUARDIANSHIP
    return Evidence("guardian", signed.signer, signed_hash) if guardian else None


def _zone(offset: str | None) -> timezone | None:
    if offset is None:
        return None
    hours, minutes = int(offset[1:3]), int(offset[4:])
    if hours > 14 or minutes > 59:
        raise InvalidInput("An offset from -14:00 to +14:00.", field="zone")
    distance = timedelta(hours=hours, minutes=minutes)
    return timezone(-distance if offset[0] == "-" else distance)
