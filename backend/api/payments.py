"""A patient's payments: what each study pays and where it goes, the claim, and the proof of it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field

from backend.api.limits import Limited, Spending
from backend.api.schemas import (
    AccountText,
    Body,
    Hex32,
    HexSignature,
    HexSubject,
    account,
    bytes32,
    moment,
    subject_id,
)
from backend.api.security import Caller, agent_of, needs, require_party
from backend.errors import NotFound
from backend.identity.roles import Scope
from backend.research.money.claims import Share
from backend.research.money.types import Payee, PayeeKind, RoundId, Standing
from backend.research.types import StudyId
from backend.types import Address, SubjectId, to_hex

router = APIRouter(prefix="/v1/payments", tags=["research"])
Owning = Annotated[Caller, Depends(needs(Scope.CONSENT_OWN))]


class PayeeWish(Body):
    """Where to be paid for one study: ``own`` (made for it), ``other`` (somebody else's) or ``donation``."""

    subject: HexSubject
    study: Hex32
    account: AccountText
    kind: PayeeKind = PayeeKind.OWN


class PayeeBody(PayeeWish):
    """The signature over the draft's text, unchanged."""

    number: int = Field(ge=1, lt=2**31)
    signature: HexSignature


class PayeeDraft(BaseModel):
    """Sign ``text`` with ``personal_sign`` and send it back with ``number``."""

    text: str
    number: int


class PayeeView(BaseModel):
    study: str
    account: str
    kind: PayeeKind
    number: int


class ClaimBody(Body):
    subject: HexSubject
    round: Hex32


class PaymentView(BaseModel):
    """A share of one result of a study."""

    study: str
    title: str
    result: str
    earned_at: datetime | None
    standing: Standing
    payee: str | None = Field(description="the account of its payment; else the one named, if any")
    amount: str | None = Field(description="null until it is in a payout")
    round: str | None
    opens_at: datetime | None
    closes_at: datetime | None


class ClaimView(BaseModel):
    done: bool = Field(description="false: the chain is away; it goes on by itself")


@router.get("", response_model=list[PaymentView])
def list_payments(caller: Owning, subject: HexSubject) -> list[PaymentView]:
    """Every share of the patient's, newest first, and where it stands."""
    wanted = _party(caller, subject)
    return [_view(caller, wanted, share) for share in caller.services.money.claims.of_subject(wanted)]


@router.post("/payees/draft", response_model=PayeeDraft)
def draft_payee(body: PayeeWish, caller: Owning, spend: Spending) -> PayeeDraft:
    """Get the text that names where the patient is paid for a study."""
    spend(Limited.DRAFT)
    text, number = caller.services.money.payees.draft(
        bytes32(body.study), _party(caller, body.subject), account(body.account, field="account"), body.kind
    )
    return PayeeDraft(text=text, number=number)


@router.post("/payees", response_model=PayeeView)
def name_payee(body: PayeeBody, caller: Owning) -> PayeeView:
    """Name where the patient is paid for a study. It counts for every payout that is proposed from now on."""
    services, principal = caller
    payee = Payee(
        study=bytes32(body.study),
        subject=_party(caller, body.subject),
        account=account(body.account, field="account"),
        kind=body.kind,
        number=body.number,
        signer=_signer(caller),
        signature=bytes.fromhex(body.signature[2:]),
    )
    services.money.payees.name(payee, by=agent_of(principal))
    return PayeeView(study=to_hex(payee.study), account=payee.account, kind=payee.kind, number=payee.number)


@router.post("/claims", response_model=ClaimView, responses={202: {"model": ClaimView}})
def claim(body: ClaimBody, caller: Owning, response: Response) -> ClaimView:
    """Have an open payment made, without gas. It goes to the account named and nowhere else."""
    services, principal = caller
    subject, round_ = _party(caller, body.subject), RoundId(bytes32(body.round))
    done = services.money.claims.claim(subject, round_, by=agent_of(principal))
    if not done:
        response.status_code = 202
    return ClaimView(done=done)


@router.get("/proof")
def get_proof(
    caller: Owning, subject: HexSubject, round_: Annotated[Hex32, Query(alias="round")]
) -> dict[str, Any]:
    """The proof of a payment, with which any other relayer can submit the claim. It checks offline."""
    return caller.services.money.claims.proof(_party(caller, subject), RoundId(bytes32(round_)))


def _party(caller: Caller, subject: str) -> SubjectId:
    """Return the patient. Raises NotFound, as for nobody, unless the caller decides for the patient: money is
    no business of a mere delegate."""
    services, principal = caller
    wanted = subject_id(subject)
    require_party(principal, subject=wanted, member=None)
    if not services.erasure.may_erase(_signer(caller), wanted):
        raise NotFound
    return wanted


def _signer(caller: Caller) -> Address:
    if caller.principal.account is None:
        raise NotFound
    return caller.principal.account


def _view(caller: Caller, subject: SubjectId, share: Share) -> PaymentView:
    services, opened = caller.services, share.opened
    view = PaymentView(
        study=to_hex(share.study),
        title=services.studies.get(StudyId(share.study)).proposal.title,
        result=to_hex(share.result),
        earned_at=moment(share.at),
        standing=share.standing,
        payee=None,
        amount=None,
        round=None,
        opens_at=None,
        closes_at=None,
    )
    if opened is None:
        named = services.money.payees.of(share.study, subject)
        return view.model_copy(update={"payee": None if named is None else named.account})
    state = opened.round.state
    return view.model_copy(
        update={
            "payee": opened.payment.account,
            "amount": str(opened.payment.amount),
            "round": to_hex(opened.round.tree.round),
            "opens_at": moment(state.opens_at),
            "closes_at": moment(state.closes_at),
        }
    )
