"""India's ABDM (gateway API 0.5): consent requests, their state, artefacts, acknowledgements.

Each message is answered at once, in the form of the callback that the gateway would send.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends
from pydantic import Field

from backend.api.idempotent import attempt
from backend.api.schemas import Body, Hex32, Message, Moment, bytes32
from backend.api.security import Caller, agent_of, needs, requesting_member
from backend.consent.requests import ConsentRequest
from backend.errors import NotFound
from backend.idempotency import Attempt
from backend.identity.roles import Scope
from backend.interop.abdm.errors import AbdmStale, AbdmUnsupported
from backend.interop.abdm.request import read_consent
from backend.types import Bytes32, ConsentId, MemberId, time_text, to_hex

router = APIRouter(prefix="/v1/abdm", tags=["ABDM"])
WINDOW_SECONDS: Final = 600
Hiu = Annotated[Caller, Depends(needs(Scope.CONSENT_REQUEST))]
ArtefactId = Annotated[str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]


class Envelope(Body):
    """``requestId`` names the message: again it is the same act, with another body it is refused."""

    requestId: uuid.UUID  # noqa: N815 - ABDM's name
    timestamp: Moment = Field(description="of the sending, at most ten minutes from the time here")


class InitBody(Envelope):
    consent: Message = Field(description="ABDM's consent: docs/abdm.md")


class StatusBody(Envelope):
    consentRequestId: Hex32  # noqa: N815 - ABDM's name


class FetchBody(Envelope):
    consentId: ArtefactId  # noqa: N815 - ABDM's name


class Acknowledged(Body):
    status: Literal["OK"]
    consentId: ArtefactId  # noqa: N815 - ABDM's name


class Answered(Body):
    requestId: uuid.UUID  # noqa: N815 - ABDM's name


class OnNotifyBody(Envelope):
    acknowledgement: Annotated[list[Acknowledged], Field(min_length=1, max_length=100)]
    resp: Answered = Field(description="the requestId of the notification: the notice_id of the end")


@router.post("/consent-requests/init", status_code=202)
def init(body: InitBody, caller: Hiu) -> dict[str, Any]:
    """Ask a patient, in ABDM's words. ``patient.id`` is the reference from POST /v1/patients/search."""
    services, principal = caller
    with _message(caller, "consent-requests/init", body) as tried:
        request_id = Bytes32(tried.draw("request"))
        if not tried.finished:
            consent = read_consent(body.consent, now=services.clock())
            if consent.hip not in (None, to_hex(services.tenant)):
                raise AbdmUnsupported("Not a provider here.", field="consent.hip.id")
            services.requests.ask(
                consent.asked(
                    services.identity.resolve_patient(principal, consent.patient),
                    requesting_member(principal),
                    services.tables,
                ),
                consent.message,
                requester=agent_of(principal),
                source=json.dumps(body.consent),
                request_id=request_id,
            )
    return _answer(tried, body, consentRequest={"id": to_hex(request_id)})


@router.post("/consent-requests/status", status_code=202)
def status(body: StatusBody, caller: Hiu) -> dict[str, Any]:
    """The state of a request: REQUESTED, GRANTED, DENIED, EXPIRED or REVOKED, and its artefacts' ids."""
    services = caller.services
    with _message(caller, "consent-requests/status", body) as tried:
        request = _own(body.consentRequestId, caller)
        standing = services.abdm.standing(request)
    found = {
        "id": to_hex(request.request_id),
        "status": standing.status,
        "consentArtefacts": [{"id": name} for name in standing.artefacts],
    }
    return _answer(tried, body, consentRequest=found)


@router.post("/consents/fetch", status_code=202)
def fetch(body: FetchBody, caller: Hiu) -> dict[str, Any]:
    """An artefact, for the HIU that asked and for the HIP it is made for."""
    with _message(caller, "consents/fetch", body) as tried:
        artefact = caller.services.abdm.fetch(body.consentId, member=requesting_member(caller.principal))
    return _answer(tried, body, consent=artefact)


@router.post("/consents/on-notify", status_code=202)
def on_notify(body: OnNotifyBody, caller: Hiu) -> dict[str, Any]:
    """Acknowledge a notification, or the notice of a consent's end. The patient sees when an end was, or that
    it is late."""
    services, principal = caller
    member = requesting_member(principal)
    with _message(caller, "consents/on-notify", body) as tried:
        rows = [services.abdm.row(each.consentId, member=member) for each in body.acknowledgement]
        # By the message's own id: an answer that was late for another one must not stand for it.
        _acknowledge(body.resp.requestId.hex, caller, member, about={row.consent_id for row in rows})
    return _answer(tried, body)


def _acknowledge(name: str, caller: Caller, member: MemberId, *, about: set[ConsentId]) -> None:
    """Acknowledge the notification or the notice of this id, or both. Raises NotFound unless it is about this
    consent."""
    notifications, notices = caller.services.abdm_notifications, caller.services.acknowledgements
    notification = notifications.get(name, member=member)
    notice = None
    with suppress(NotFound):
        notice = notices.get(name, member=member)
    found = [each for each in (notification, notice) if each is not None]
    if not found or any({each.consent_id} != about for each in found):
        raise NotFound
    if notification is not None:
        notifications.acknowledge(notification)
    if notice is not None:
        notices.acknowledge(name, member=member, by=agent_of(caller.principal))


@contextmanager
def _message(caller: Caller, act: str, body: Envelope) -> Iterator[Attempt]:
    """Run a message inside. Raises AbdmStale, IdempotencyKeyReused: the mark outlives the window for good."""
    if abs(body.timestamp.timestamp() - caller.services.clock()) > WINDOW_SECONDS:
        raise AbdmStale(field="body.timestamp")
    # One act for all of them, so that a requestId of one message cannot be used for another kind.
    named = _Named(act=act, body=body.model_dump(mode="json"))
    with attempt(caller, "abdm", str(body.requestId), named) as tried:
        yield tried


class _Named(Body):
    act: str
    body: dict[str, Any]


def _own(request_id: str, caller: Caller) -> ConsentRequest:
    """Return the caller's own request that came in ABDM's words; raise NotFound for any other."""
    try:
        request = caller.services.requests.get(bytes32(request_id))
    except NotFound:
        raise NotFound from None
    if request.asked.grantee != requesting_member(caller.principal) or not request.source:
        raise NotFound
    return request


def _answer(tried: Attempt, body: Envelope, **found: Any) -> dict[str, Any]:
    return {
        "requestId": str(uuid.UUID(bytes=tried.draw("answer", 16), version=4)),
        "timestamp": time_text(tried.begun_at),
        **found,
        "resp": {"requestId": str(body.requestId)},
    }
