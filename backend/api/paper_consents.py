"""Consents on paper, of patients without a wallet: two witnesses sign, one clerk stops."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from backend.api.consent_requests import NoticeHash
from backend.api.schemas import (
    Body,
    Codes,
    Hex16,
    Hex32,
    HexSignature,
    HexSubject,
    Moment,
    bytes32,
    moment,
    seconds,
    subject_id,
)
from backend.api.security import Caller, needs
from backend.api.services import Services
from backend.consent.drafting import BEGINNING, Wish
from backend.consent.paper_types import Paper, Signatures
from backend.consent.scans import MAX_SCAN_BYTES
from backend.consent.terms import UNLIMITED_USES, Kind
from backend.consent.typed_data import consent_id, typed_data
from backend.errors import InvalidInput
from backend.identity.roles import Scope
from backend.types import MemberId, subject_text, to_hex

router = APIRouter(prefix="/v1/paper-consents", tags=["consents on paper"])
Desk = Annotated[Caller, Depends(needs(Scope.PAPER_HANDLE))]
MediaType = Literal["application/pdf", "image/png", "image/jpeg"]
_BASE64_CHARACTERS: Final = (MAX_SCAN_BYTES + 2) // 3 * 4


class PaperBody(Body):
    """A scanned paper, what it permits, and the two members of staff who witness it."""

    subject: HexSubject
    scan: str = Field(max_length=_BASE64_CHARACTERS, description="base64 of at most 1 MiB")
    media_type: MediaType
    sha256: Hex32 = Field(description="of the scan, so that nobody signs for bytes that changed on the way")
    witnesses: Annotated[list[Hex16], Field(min_length=2, max_length=2)]
    grantee: Hex32
    purposes: Codes = Field(min_length=1)
    categories: Codes = Field(min_length=1)
    sensitivities: Codes = []
    actions: Codes = ["access"]
    data_from: Moment | None = None
    data_to: Moment | None = None
    not_before: Moment | None = None
    not_after: Moment = Field(description="twelve months (366 days) from now at most")
    max_uses: int | None = Field(default=None, ge=1, lt=UNLIMITED_USES)
    language: Literal["en", "de"] = "en"
    notice: NoticeHash = None


class SignaturesBody(Body):
    """One witness's signature of each message in ``typed_data``."""

    delegation: HexSignature
    grant: HexSignature
    stop: HexSignature


class WitnessView(BaseModel):
    staff_id: str
    account: str
    signed: bool


class PaperMessages(BaseModel):
    """For eth_signTypedData_v4: the delegation to both witnesses, the consent under it, and the consent's
    revocation, which stays sealed here until somebody records a stop."""

    delegation: dict[str, Any]
    grant: dict[str, Any]
    stop: dict[str, Any]


class PaperView(BaseModel):
    paper_id: str
    subject: str
    consent_id: str
    delegation_id: str
    state: str = Field(description="open, signed, recorded, stopped; or lapsed, an open one after seven days")
    summary: str
    sha256: str
    media_type: str
    brought_at: datetime | None
    lapses_at: datetime | None
    witnesses: list[WitnessView]
    typed_data: PaperMessages


@router.post("", status_code=201, response_model=PaperView)
def bring_paper(body: PaperBody, caller: Desk) -> PaperView:
    """Keep the scan of a signed paper and get what its witnesses sign. Nothing counts until both have."""
    services, principal = caller
    tables = services.tables
    paper = services.papers.bring(
        _scan(body.scan),
        media_type=body.media_type,
        expected=bytes32(body.sha256),
        wish=Wish(
            kind=Kind.PERMIT,
            grantee=MemberId(bytes32(body.grantee)),
            purposes=tables.purposes.mask(body.purposes),
            categories=tables.categories.mask(body.categories),
            sensitivities=tables.sensitivities.mask(body.sensitivities),
            actions=tables.actions.mask(body.actions),
            data_from=seconds(body.data_from, default=BEGINNING),
            data_to=seconds(body.data_to),
            not_before=seconds(body.not_before, default=BEGINNING),
            not_after=seconds(body.not_after),
            max_uses=body.max_uses or UNLIMITED_USES,
        ),
        subject=subject_id(body.subject),
        witnesses=body.witnesses,
        language=body.language,
        notice=bytes32(body.notice) if body.notice else None,
        by=principal.id,
    )
    return _view(paper, services)


@router.get("", response_model=list[PaperView])
def list_papers(caller: Desk) -> list[PaperView]:
    """The papers that still want a witness's signature."""
    return [_view(paper, caller.services) for paper in caller.services.papers.waiting()]


@router.get("/{paper}", response_model=PaperView)
def get_paper(paper: Hex16, caller: Desk) -> PaperView:
    """One paper, with who signed it and what there is to sign."""
    return _view(caller.services.papers.get(paper), caller.services)


@router.get("/{paper}/scan", response_class=Response)
def get_scan(paper: Hex16, caller: Desk) -> Response:
    """The scan, for a witness to look at before signing. Who looked is in the patient's access list."""
    scan, media_type = caller.services.papers.scan(paper, by=caller.principal.id)
    return Response(scan, media_type=media_type, headers={"Content-Disposition": "attachment"})


@router.post("/{paper}/signatures", response_model=PaperView)
def sign_paper(paper: Hex16, body: SignaturesBody, caller: Desk) -> PaperView:
    """Sign as one of the two witnesses. The first signature waits for the second, for seven days; with the
    second the consent is recorded."""
    services, principal = caller
    signatures = Signatures(*(bytes.fromhex(text[2:]) for text in (body.delegation, body.grant, body.stop)))
    return _view(services.papers.sign(paper, signatures, by=principal.id), services)


@router.post("/{paper}/stop", response_model=PaperView)
def stop_paper(paper: Hex16, caller: Desk) -> PaperView:
    """Record that the patient wants it stopped. In force at once; one member of staff is enough."""
    services, principal = caller
    return _view(services.papers.stop(paper, by=principal.id), services)


def _view(paper: Paper, services: Services) -> PaperView:
    delegation, grant, stop = (typed_data(command, services.domain) for command in paper.commands())
    lapsed = services.papers.is_lapsed(paper)
    return PaperView(
        paper_id=paper.paper_id,
        subject=subject_text(paper.subject),
        consent_id=to_hex(paper.consent_id),
        delegation_id=to_hex(consent_id(paper.delegation)),
        state="lapsed" if lapsed else paper.state.value,
        summary=paper.grant.terms.summary,
        sha256=to_hex(paper.digest),
        media_type=paper.media_type,
        brought_at=moment(paper.brought_at),
        lapses_at=moment(paper.lapses_at),
        witnesses=[
            WitnessView(
                staff_id=each.staff_id, account=each.account, signed=each.staff_id in paper.signatures
            )
            for each in paper.witnesses
        ],
        typed_data=PaperMessages(delegation=delegation, grant=grant, stop=stop),
    )


def _scan(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as refusal:
        raise InvalidInput("The scan is base64, without line ends.", field="scan") from refusal
