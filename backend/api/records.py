"""Records: stored by their custodian, read by those whom the patient's consent covers."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from backend.api.acting import acting_of
from backend.api.schemas import Code, HexSubject, moment, record_id, subject_id
from backend.api.security import Caller, agent_of, needs, resting_on
from backend.audit.entry import Action
from backend.consent.deciding import Question
from backend.errors import InvalidInput, NotPermitted
from backend.identity.errors import NotEnrolled
from backend.identity.roles import Scope
from backend.identity.types import PrincipalKind
from backend.records.delivery import MEDIA_TYPE
from backend.records.obligations import fulfilled
from backend.records.reading import Released, ReleasedSegment, Wanted
from backend.records.sealing import RecipientKey
from backend.records.segments import FHIR_MEDIA_TYPE
from backend.records.storing import NewDocument, Stored
from backend.records.trail import Reader
from backend.types import MemberId, RecordId, SubjectId, UnixSeconds, to_hex

router = APIRouter(prefix="/v1", tags=["records"])

MAY_BE_INCOMPLETE = "this list may be incomplete"  # always, so that it tells nothing
PAGE = 20
Reading = Annotated[Caller, Depends(needs(Scope.RECORD_READ))]
Writing = Annotated[Caller, Depends(needs(Scope.RECORD_WRITE))]
Purpose = Annotated[Code, Query(description="HL7 v3 PurposeOfUse code, such as TREAT")]
Related = Annotated[
    list[str] | None,
    Query(max_length=16, description="records of the patient it belongs to, such as the order of a report"),
]
Reads = Literal[Action.ACCESS, Action.USE, Action.DISCLOSE, Action.EXPORT, Action.STORE]
Accept = Annotated[str, Header(max_length=1000)]
Acting = Annotated[Reads, Query(description="what it is read for; the consent has to permit that")]


class StoredView(BaseModel):
    record_id: str
    version: int
    segments: int
    commitment: str
    block: int


class SegmentView(BaseModel):
    """One permitted part of a record. ``sha256`` is of the content as released."""

    name: str
    categories: list[str]
    sensitivities: list[str]
    data_from: datetime | None
    data_to: datetime | None
    media_type: str
    resources: int
    size_bytes: int
    sha256: str | None = None
    content: str | None = Field(
        default=None, description="base64; absent in listings, and above 4 MiB: read the segment by itself"
    )
    sealed: str | None = Field(
        default=None, description="base64 of a delivery to the caller's key, in the place of content"
    )


class RecordView(BaseModel):
    record_id: str
    version: int
    document_type: str
    created_at: datetime | None
    segments: list[SegmentView]
    obligations: list[str] = Field(
        description="conditions of the consent; carried out, and holding for whoever receives this"
    )
    note: str = MAY_BE_INCOMPLETE


class RecordPage(BaseModel):
    records: list[RecordView]
    next: str | None = Field(description="cursor of the next page; bound to the caller and this listing")
    note: str = MAY_BE_INCOMPLETE


@router.post("/records", status_code=201, response_model=StoredView)
async def store(
    request: Request,
    caller: Writing,
    subject: HexSubject | None = None,
    patient_ref: Annotated[str | None, Query(max_length=256)] = None,
    categories: Annotated[list[Code] | None, Query(max_length=64)] = None,
    sensitivities: Annotated[list[Code] | None, Query(max_length=64)] = None,
    related: Related = None,
    idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
) -> StoredView:
    """Store a document of a patient: a FHIR R4 bundle as ``application/fhir+json``, anything else under its
    own media type and as large as the deployment allows. With an ``Idempotency-Key`` a retry gives the same
    record. The patient is named by ``subject``, or by the ``patient_ref`` of a search."""
    document = _document(
        request,
        caller,
        await run_in_threadpool(_whose, caller, patient_ref, subject),
        idempotency_key,
        categories,
        sensitivities,
        related=related,
    )
    return await _store(request, caller, document)


@router.put("/records/{record}", status_code=201, response_model=StoredView)
async def store_version(
    request: Request,
    record: str,
    caller: Writing,
    subject: Annotated[HexSubject, Query()],
    version: Annotated[int, Query(ge=2, lt=2**31, description="the version this will be")],
    categories: Annotated[list[Code] | None, Query(max_length=64)] = None,
    sensitivities: Annotated[list[Code] | None, Query(max_length=64)] = None,
    related: Related = None,
) -> StoredView:
    """Store the next version of a record; the earlier ones stay readable by number."""
    document = _document(
        request,
        caller,
        subject_id(subject),
        None,
        categories,
        sensitivities,
        related=related,
        record=record_id(record),
        version=version,
    )
    return await _store(request, caller, document)


@router.get("/records", response_model=RecordPage)
def list_records(
    caller: Reading,
    purpose: Purpose,
    action: Acting = Action.ACCESS,
    patient_ref: Annotated[str | None, Query(max_length=256)] = None,
    subject: HexSubject | None = None,
    cursor: Annotated[str | None, Query(max_length=512)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = PAGE,
) -> RecordPage:
    """List what the caller may see of a patient's records. Each page is authorised again."""
    services, principal = caller
    wanted = _wanted(caller, patient_ref, subject)
    listing = f"records/{wanted:024x}/{purpose}/{action}"
    after = None
    if cursor is not None:
        created_at, _, last = services.cursors.read(cursor, caller=principal.id, listing=listing).partition(
            "/"
        )
        after = (UnixSeconds(int(created_at)), RecordId(bytes.fromhex(last)))
    page = services.reading.list(_reader(caller, purpose, action)(wanted), after=after, limit=limit)
    position = None
    if page.last is not None:
        position = services.cursors.make(
            f"{page.last[0]}/{page.last[1].hex()}", caller=principal.id, listing=listing
        )
    return RecordPage(records=[_view(caller, record) for record in page.records], next=position)


@router.get("/records/{record}", response_model=RecordView)
async def read(
    record: str,
    caller: Reading,
    purpose: Purpose,
    action: Acting = Action.ACCESS,
    version: Annotated[int | None, Query(ge=1, lt=2**31)] = None,
    accept: Accept = "",
) -> RecordView:
    """Read all of a record that the caller may see. Systems of an organisation with an encryption key get the
    content sealed to that key."""
    wanted = Wanted(record_id(record), _reader(caller, purpose, action), version)
    sealed_to = _sealed_to(caller, accept)
    return _view(caller, await caller.services.prompt_reading.read(replace(wanted, sealed_to=sealed_to)))


@router.get("/records/{record}/segments/{segment}", response_class=Response)
async def read_segment(
    record: str,
    segment: str,
    caller: Reading,
    purpose: Purpose,
    action: Acting = Action.ACCESS,
    version: Annotated[int | None, Query(ge=1, lt=2**31)] = None,
    accept: Accept = "",
) -> Response:
    """Read one segment: its bytes, under its media type. Conditions are named in ``Assent-Obligations``.

    Systems of an organisation with an encryption key get it sealed to that key, others that have one with
    ``Accept: application/vnd.assent.delivery``. What a patient keeps end to end leaves in no other way.

    Of a large one the connection is cut, before the length that was announced, when the consent ends or
    something of it is damaged on the way.
    """
    wanted = Wanted(record_id(record), _reader(caller, purpose, action), version, segment)
    sealed_to = _sealed_to(caller, accept)
    released = await caller.services.prompt_reading.read(replace(wanted, sealed_to=sealed_to))
    (only,) = released.segments
    headers = {
        "Content-Disposition": "attachment",
        "Assent-Obligations": ", ".join(caller.services.tables.obligations.codes(released.obligations)),
        "Vary": "Accept",
    }
    media_type = MEDIA_TYPE if only.sealed else only.segment.media_type
    if only.stream is not None and only.sealed:  # it ends with a tag of its own, which a part has not
        return StreamingResponse(only.stream, media_type=media_type, headers=headers)
    digest = base64.b64encode(_sha256_of(only)).decode()
    # One representation, never encoded or cut to a range: both fields of RFC 9530 say the same.
    headers |= {"Content-Digest": f"sha-256=:{digest}:", "Repr-Digest": f"sha-256=:{digest}:"}
    if only.stream is None:
        return Response(only.payload, media_type=media_type, headers=headers)
    headers["Content-Length"] = str(only.segment.size_bytes)
    return StreamingResponse(only.stream, media_type=media_type, headers=headers)


def _sealed_to(caller: Caller, accept: str) -> Callable[[SubjectId], RecipientKey | None]:
    """Return whose key content leaves sealed to.

    A system gets nothing else once its organisation has a key: a stolen token then reads nothing. A person
    asks for it, the patient for the patient's own.
    """
    services, principal = caller
    recipients, member = services.recipients, principal.member_id
    asked = MEDIA_TYPE in accept
    if principal.kind is PrincipalKind.WALLET:
        return recipients.of_subject if asked else _nobody
    if member is None or not (asked or principal.kind is PrincipalKind.CLIENT):
        return _nobody
    return lambda _: recipients.of_member(member)


def _nobody(_: SubjectId) -> None:
    return None


def _reader(caller: Caller, purpose: str, action: Action) -> Callable[[SubjectId], Reader]:
    services, principal = caller
    mask = services.tables.purposes.mask([purpose], field="purpose")
    fulfils = fulfilled(action, by_person=principal.kind is not PrincipalKind.CLIENT)

    def reader(subject: SubjectId) -> Reader:
        requester, groups = acting_of(caller)  # anew when the read is decided again
        return Reader(
            agent=agent_of(principal),
            organisation=principal.member_id,
            question=Question(
                subject=subject,
                requester=requester,
                purpose=mask,
                action=services.tables.actions.mask([action.value]),
                fulfils=fulfils,
                only=resting_on(principal, subject, purpose),
            ),
            purpose=purpose,
            action=action,
            groups=groups,
            current=services.care_teams.still(principal.name, requester) if requester.teams else None,
        )

    return reader


def _wanted(caller: Caller, patient_ref: str | None, subject: str | None) -> SubjectId:
    if patient_ref is not None:
        return caller.services.identity.resolve_patient(caller.principal, patient_ref)
    if subject is None:
        raise InvalidInput("Name the patient by patient_ref or by subject.", field="patient_ref")
    return subject_id(subject)


def _document(
    request: Request,
    caller: Caller,
    subject: SubjectId,
    idempotency_key: str | None,
    categories: list[str] | None,
    sensitivities: list[str] | None,
    *,
    related: list[str] | None,
    record: RecordId | None = None,
    version: int = 1,
) -> NewDocument:
    return NewDocument(
        subject=subject,
        record_id=record or _new_id(caller, idempotency_key),
        version=version,
        content=b"",
        media_type=request.headers.get("content-type", "application/octet-stream").partition(";")[0].strip(),
        author=_custodian(caller),
        actor=agent_of(caller.principal),
        categories=None if categories is None else tuple(categories),
        # 'N' (normal, HL7 Confidentiality) says that nothing is sensitive, which an empty list cannot.
        sensitivities=None if sensitivities is None else tuple(code for code in sensitivities if code != "N"),
        related=tuple(sorted({record_id(name) for name in related or ()})),
    )


async def _store(request: Request, caller: Caller, document: NewDocument) -> StoredView:
    """Take the body of a document, and store it."""
    storing, uploads = caller.services.storing, caller.services.uploads
    if document.media_type == FHIR_MEDIA_TYPE:
        bundle = replace(document, content=await request.body())
        stored = await run_in_threadpool(storing.store_bundle, bundle)
    else:
        # Before the body is asked for: who sends 'Expect: 100-continue' is spared to send it in vain.
        await run_in_threadpool(storing.expect_attachment, document)
        async with uploads.receive(request) as spool:
            stored = await run_in_threadpool(storing.store_attachment, replace(document, content=spool))
    return stored_view(stored)


def stored_view(stored: Stored) -> StoredView:
    return StoredView(
        record_id=stored.record_id.hex(),
        version=stored.version,
        segments=stored.segments,
        commitment=to_hex(stored.commitment),
        block=stored.block,
    )


def _whose(caller: Caller, patient_ref: str | None, subject: str | None) -> SubjectId:
    """Return the patient whose record is written. Raises NotEnrolled for a reference that nobody stands
    behind: what is stored for nobody is lost."""
    _custodian(caller)  # first: who may not write here learns nothing
    wanted = _wanted(caller, patient_ref, subject)
    if patient_ref is not None and caller.services.identity.enrolments.account_of(wanted) is None:
        raise NotEnrolled(field="patient_ref")
    return wanted


def _custodian(caller: Caller) -> MemberId:
    """Only the custodian's own systems and staff write into its store."""
    services, principal = caller
    if principal.member_id == services.tenant or services.tenant in principal.organisations:
        return services.tenant
    raise NotPermitted("Only systems of this custodian store records here.")


def _new_id(caller: Caller, idempotency_key: str | None) -> RecordId:
    if idempotency_key is None:
        return RecordId(secrets.token_bytes(16))
    message = f"record\0{caller.principal.kind}\0{caller.principal.id}\0{idempotency_key}".encode()
    return RecordId(hmac.digest(caller.services.idempotency_key, message, hashlib.sha256)[:16])


def _view(caller: Caller, found: Released) -> RecordView:
    return RecordView(
        record_id=found.record_id.hex(),
        version=found.version,
        document_type=found.document_type,
        created_at=moment(found.created_at),
        segments=[_segment(caller, part) for part in found.segments],
        obligations=list(caller.services.tables.obligations.codes(found.obligations)),
    )


def _segment(caller: Caller, part: ReleasedSegment) -> SegmentView:
    tables, segment, payload = caller.services.tables, part.segment, part.payload
    released = (payload or part.stream is not None) and not part.sealed
    encoded = base64.b64encode(payload).decode() if payload else None
    return SegmentView(
        name=segment.name,
        categories=list(tables.categories.codes(segment.categories)),
        sensitivities=list(tables.sensitivities.codes(segment.sensitivities)),
        data_from=moment(segment.data_from) if segment.data_from else None,
        data_to=moment(segment.data_to),
        media_type=segment.media_type,
        resources=segment.resources,
        size_bytes=segment.size_bytes,
        sha256=_sha256_of(part).hex() if released else None,
        content=None if part.sealed else encoded,
        sealed=encoded if part.sealed else None,
    )


def _sha256_of(part: ReleasedSegment) -> bytes:
    """The digest of what leaves. A stream's is known before its first byte, which is what it is for."""
    return part.segment.sha256 if part.stream is not None else hashlib.sha256(part.payload).digest()
