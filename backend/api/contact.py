"""Where a patient wants notices by e-mail. They tell that there is something to see, and nothing more."""

from __future__ import annotations

import html
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Response
from pydantic import BaseModel, Field

from backend.api.schemas import Body, HexSubject, moment, subject_id
from backend.api.security import Caller, Open, agent_of, needs, require_party
from backend.consent.tables import LANGUAGES
from backend.identity.roles import Scope
from backend.notices.contact_types import ALL_KINDS, ContactFile, ContactState, NoticeKind, Wish
from backend.notices.letters import texts
from backend.notices.mail_addresses import MAX_CHARACTERS
from backend.types import SubjectId

router = APIRouter(prefix="/v1/contact", tags=["notices by e-mail"])
Own = Annotated[Caller, Depends(needs(Scope.CONSENT_OWN))]
Token = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{43}$")]


class ContactBody(Body):
    address: str = Field(max_length=MAX_CHARACTERS)
    language: Literal["en", "de"] = "en"
    kinds: Annotated[list[NoticeKind], Field(min_length=1, max_length=len(NoticeKind))] | None = Field(
        default=None, description="what to be told of; default: everything"
    )


class CodeBody(Body):
    code: str = Field(max_length=64, description="from the mail")


class PendingView(BaseModel):
    """An address whose code has not come back. ``refused``: its server takes no mail for it."""

    address: str
    language: str
    kinds: list[NoticeKind]
    expires_at: datetime | None
    refused: bool


class ContactView(BaseModel):
    """Mail goes to ``address`` while ``state`` is active. ``suspended``: its server refuses it for good;
    ``unsubscribed``: by the link in a mail. Giving the address again has a new code sent and begins anew."""

    address: str | None
    language: str | None
    kinds: list[NoticeKind]
    state: ContactState | None
    confirmed_at: datetime | None
    pending: PendingView | None


@router.get("", response_model=ContactView)
def get_contact(subject: HexSubject, caller: Own) -> ContactView:
    """The address that is kept, and the one that waits for its code."""
    return _view(caller.services.contacts.of(_own(caller, subject)))


@router.put("", response_model=ContactView)
def set_contact(subject: HexSubject, body: ContactBody, caller: Own) -> ContactView:
    """Give an address, or change language and kinds. A new address gets a code; until that has come back by
    `POST /v1/contact/confirm`, mail goes where it went. One address a patient."""
    wanted = _own(caller, subject)
    services, principal = caller
    kinds = ALL_KINDS if body.kinds is None else frozenset(body.kinds)
    wish = Wish(address=body.address, language=body.language, kinds=kinds)
    return _view(services.contacts.set(wanted, wish, by=agent_of(principal)))


@router.post("/confirm", response_model=ContactView)
def confirm_contact(subject: HexSubject, body: CodeBody, caller: Own) -> ContactView:
    """Send back the code. From now on mail goes to its address; the address before is told."""
    wanted = _own(caller, subject)
    services, principal = caller
    return _view(services.contacts.confirm(wanted, body.code, by=agent_of(principal)))


@router.delete("", status_code=204)
def remove_contact(subject: HexSubject, caller: Own) -> None:
    """Keep no address and send no more mail. The address is told."""
    wanted = _own(caller, subject)
    services, principal = caller
    services.contacts.remove(wanted, by=agent_of(principal))


@router.get("/unsubscribe/{token}", response_class=Response)
def ask_to_unsubscribe(token: Token) -> Response:  # noqa: ARG001 - every token gets the same page
    """The page behind the link in a mail, the same for each. It asks first, since programs open links."""
    return Response(_page(), media_type="text/html; charset=utf-8")


@router.post("/unsubscribe/{token}", status_code=204)
def unsubscribe(token: Token, services: Open) -> None:
    """Stop the mails that carry this link (RFC 8058). It stops mails and nothing else, once and for all; the
    same answer for every token."""
    services.contacts.unsubscribe(token)


def _own(caller: Caller, subject: str) -> SubjectId:
    wanted = subject_id(subject)
    require_party(caller.principal, subject=wanted, member=None)
    return wanted


def _view(file: ContactFile) -> ContactView:
    contact, pending = file.contact, file.pending
    return ContactView(
        address=contact and contact.wish.address,
        language=contact and contact.wish.language,
        kinds=sorted(contact.wish.kinds) if contact else [],
        state=contact and contact.state,
        confirmed_at=moment(contact.confirmed_at) if contact else None,
        pending=pending
        and PendingView(
            address=pending.wish.address,
            language=pending.wish.language,
            kinds=sorted(pending.wish.kinds),
            expires_at=moment(pending.expires_at),
            refused=pending.refused,
        ),
    )


def _page() -> str:
    parts = []
    for language in LANGUAGES:
        said = {name: html.escape(text) for name, text in texts()[language].items()}
        parts.append(
            f'<section lang="{language}"><h1>{said["page.title"]}</h1><p>{said["page.question"]}</p>'
            '<form method="post"><input type="hidden" name="List-Unsubscribe" value="One-Click">'
            f"<button>{said['page.button']}</button></form></section>"
        )
    title = html.escape(texts()[LANGUAGES[0]]["page.title"])
    head = f'<meta charset="utf-8"><title>{title}</title>'
    return f"<!doctype html><html><head>{head}</head><body>{''.join(parts)}</body></html>"
