"""What studies are paid with: escrows on the chain, deposits against invoices, release and refund."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from backend.api.idempotent import Key, attempt
from backend.api.limits import Limited, Spending
from backend.api.schemas import AccountText, Body, Hex32, account, bytes32, moment
from backend.api.security import Caller, agent_of, needs
from backend.errors import InvalidInput, NotFound
from backend.identity.principal import Principal
from backend.identity.roles import Role, Scope
from backend.research.errors import StudyNotFound
from backend.research.money.errors import EscrowUnknown, PaymentsUnavailable
from backend.research.money.escrow_book import Escrow
from backend.research.money.types import MAX_AMOUNT, EscrowId, EscrowTerms
from backend.research.study import Study
from backend.research.types import StudyId
from backend.types import to_hex

router = APIRouter(prefix="/v1/escrows", tags=["research"])
Paying = Annotated[Caller, Depends(needs(Scope.PAYMENT_MANAGE))]
Proposing = Annotated[Caller, Depends(needs(Scope.STUDY_PROPOSE))]
Refunding = Annotated[Caller, Depends(needs(Scope.PAYMENT_MANAGE, Scope.STUDY_PROPOSE))]
Seeing = Annotated[Caller, Depends(needs(Scope.STUDY_READ, Scope.PAYMENT_MANAGE))]
_DECIMAL: Final = r"^[1-9][0-9]{0,38}$"
AmountText = Annotated[
    str, Field(pattern=_DECIMAL, description="in the token's smallest unit, as decimal text")
]


class InvoiceBody(Body):
    """A deposit for a study that its researcher paid by invoice."""

    study: Hex32
    amount: AmountText
    invoice: str = Field(
        pattern=r"^[A-Za-z0-9._:/+-]{1,64}$",
        description="your reference of the invoice, without names; each pays once",
    )


class OwnFundingBody(Body):
    study: Hex32
    amount: AmountText


class TermsView(BaseModel):
    """What a deployment's money is; the times are in seconds and never change."""

    chain_id: str
    market: str
    token: str
    is_test_token: bool = Field(description="true: it is worth nothing")
    custodian: str = Field(description="member that runs the studies and proposes payouts")
    payments_office: str = Field(description="account that pays into escrows against invoices")
    stock: str = Field(description="what the payments office has")
    board_threshold: int
    objection_seconds: int
    settlement_seconds: int
    claim_seconds: int
    grace_seconds: int


class DepositView(BaseModel):
    amount: str
    block: int
    transaction: str


class InvoiceView(BaseModel):
    invoice: str
    amount: str
    received_at: datetime


class EscrowView(BaseModel):
    escrow: str
    study: str
    funder: str
    token: str
    by_invoice: bool
    available: str = Field(description="what no payout owes")
    released: bool
    locked_until: datetime | None = Field(
        description="null: the study was never permitted, so nothing is locked"
    )
    deposits: list[DepositView]
    invoices: list[InvoiceView]


class TransactionView(BaseModel):
    """A legacy transaction (EIP-155) for the funder's own wallet to sign, and to send where it can."""

    sender: str = Field(serialization_alias="from")
    to: str
    data: str
    value: str = "0"
    nonce: int
    gas: int
    gas_price: str = Field(description="in wei")
    chain_id: str


class SignedFundingBody(OwnFundingBody):
    """Both transactions of the draft, signed, in its order."""

    transactions: Annotated[
        list[Annotated[str, Field(pattern=r"^0x([0-9a-fA-F]{2}){1,4096}$")]],
        Field(min_length=2, max_length=2),
    ]


class TokensBody(Body):
    account: AccountText
    amount: AmountText


class TokensView(BaseModel):
    done: bool = Field(description="false: on its way, nothing more to do")


@router.get("/terms", response_model=TermsView)
def get_terms(caller: Seeing) -> TermsView:
    """What studies are paid with here, and how long each wait is."""
    ledger = caller.services.money.ledger
    if ledger.token is None:
        raise PaymentsUnavailable
    rules = ledger.rules()
    return TermsView(
        chain_id=str(ledger.chain_id),
        market=ledger.market,
        token=ledger.token,
        is_test_token=ledger.is_test_token,
        custodian=to_hex(caller.services.tenant),
        payments_office=ledger.office,
        stock=str(ledger.stock()),
        board_threshold=rules.board_threshold,
        objection_seconds=rules.objection_seconds,
        settlement_seconds=rules.settlement_seconds,
        claim_seconds=rules.claim_seconds,
        grace_seconds=rules.grace_seconds,
    )


@router.post("/invoices", status_code=201, response_model=EscrowView, responses={202: {"model": EscrowView}})
def fund_by_invoice(body: InvoiceBody, caller: Paying, response: Response) -> EscrowView:
    """Pay into a study's escrow, once for each invoice. On the embedded chain with play money, else from what
    the payments office has. 202: it is on its way and needs nothing more."""
    services, principal = caller
    terms = services.money.book.by_invoice(services.studies.get(StudyId(bytes32(body.study))))
    amount = amount_of(body.amount)
    if not services.money.funding.fund(terms, amount, invoice=body.invoice, by=agent_of(principal)):
        response.status_code = 202
    return _view(services.money.book.get(terms))


@router.get("", response_model=list[EscrowView])
def list_escrows(study: Hex32, caller: Seeing) -> list[EscrowView]:
    """A study's escrows into which something came: what is free, and every deposit."""
    found = visible_study(caller, study)
    return [_view(escrow) for escrow in caller.services.money.book.of(found)]


@router.post("/draft", response_model=list[TransactionView])
def draft_own_funding(body: OwnFundingBody, caller: Proposing, spend: Spending) -> list[TransactionView]:
    """The transactions with which a researcher pays from the account of its own member, in order."""
    spend(Limited.DRAFT)
    services = caller.services
    study = visible_study(caller, body.study)
    terms = services.money.book.own(study)
    if terms is None:
        raise InvalidInput("Your organisation has no account on the chain; pay by invoice.", field="study")
    return [
        TransactionView(
            sender=terms.funder,
            to=each.to,
            data=to_hex(each.data),
            nonce=each.nonce,
            gas=each.gas,
            gas_price=str(each.gas_price),
            chain_id=str(each.chain_id),
        )
        for each in services.money.ledger.own_funding(terms, amount_of(body.amount))
    ]


@router.post("/signed", status_code=201, response_model=EscrowView, responses={202: {"model": EscrowView}})
def fund_from_own_account(
    body: SignedFundingBody, caller: Proposing, response: Response, idempotency_key: Key = None
) -> EscrowView:
    """Put the signed transactions of the draft on the chain, for whoever has no node to send them to."""
    services, principal = caller
    terms = services.money.book.own(visible_study(caller, body.study))
    if terms is None:
        raise EscrowUnknown
    raws = [bytes.fromhex(raw[2:]) for raw in body.transactions]
    with attempt(caller, "escrow-deposits", idempotency_key, body) as act:
        done = services.money.settling.deposit(
            terms, amount_of(body.amount), raws, attempt=act, by=agent_of(principal)
        )
    if not done:
        response.status_code = 202
    return _view(services.money.book.get(terms))


@router.post(
    "/test-tokens", status_code=201, response_model=TokensView, responses={202: {"model": TokensView}}
)
def issue_test_tokens(
    body: TokensBody, caller: Paying, response: Response, idempotency_key: Key = None
) -> TokensView:
    """Give play money to an account, such as a researcher's. On an embedded chain only."""
    services, principal = caller
    with attempt(caller, "test-tokens", idempotency_key, body) as act:
        done = services.money.settling.issue(
            account(body.account, field="account"),
            amount_of(body.amount),
            attempt=act,
            by=agent_of(principal),
        )
    if not done:
        response.status_code = 202
    return TokensView(done=done)


@router.post("/{study}/{escrow}/release", response_model=EscrowView, responses={202: {"model": EscrowView}})
def release(
    study: Hex32, escrow: Hex32, caller: Paying, response: Response, idempotency_key: Key = None
) -> EscrowView:
    """Say that no more payouts will be proposed, for good, so that the funder need not wait for the end."""
    services, principal = caller
    terms = _terms(caller, study, escrow)
    with attempt(caller, "escrow-release", idempotency_key, _Named(study=study, escrow=escrow)) as act:
        if not services.money.settling.release(terms, attempt=act, by=agent_of(principal)):
            response.status_code = 202
    return _view(services.money.book.get(terms))


@router.post("/{study}/{escrow}/refund", response_model=EscrowView, responses={202: {"model": EscrowView}})
def refund(
    study: Hex32, escrow: Hex32, caller: Refunding, response: Response, idempotency_key: Key = None
) -> EscrowView:
    """Send what is free back to the funder, once the escrow is not locked."""
    services, principal = caller
    terms = _terms(caller, study, escrow)
    with attempt(caller, "escrow-refund", idempotency_key, _Named(study=study, escrow=escrow)) as act:
        if not services.money.settling.refund(terms, attempt=act, by=agent_of(principal)):
            response.status_code = 202
    return _view(services.money.book.get(terms))


class _Named(Body):
    study: str
    escrow: str


def visible_study(caller: Caller, study: str) -> Study:
    """Return a study that the caller may see the money of: its own as a researcher, all as a board or whoever
    pays. Raises StudyNotFound for any other."""
    services, principal = caller
    found = services.studies.get(StudyId(bytes32(study)))
    if not _sees_all(principal) and found.proposal.researcher != principal.member_id:
        raise StudyNotFound
    return found


def _sees_all(principal: Principal) -> bool:
    return Role.ETHICS_BOARD in principal.roles or Scope.PAYMENT_MANAGE in principal.scopes


def amount_of(text: str) -> int:
    amount = int(text)
    if amount > MAX_AMOUNT:
        raise InvalidInput("An escrow holds less than 2^128.", field="amount")
    return amount


def _terms(caller: Caller, study: str, escrow: str) -> EscrowTerms:
    try:
        return caller.services.money.book.terms(visible_study(caller, study), EscrowId(bytes32(escrow)))
    except NotFound as absent:
        raise EscrowUnknown from absent


def _view(escrow: Escrow) -> EscrowView:
    terms, state = escrow.terms, escrow.state
    return EscrowView(
        escrow=to_hex(terms.escrow_id),
        study=to_hex(terms.study),
        funder=terms.funder,
        token=terms.token,
        by_invoice=escrow.by_invoice,
        available=str(state.available),
        released=state.released,
        locked_until=moment(state.locked_until) if state.locked_until else None,
        deposits=[
            DepositView(amount=str(each.received), block=each.block, transaction=to_hex(each.transaction))
            for each in escrow.deposits
        ],
        invoices=[
            InvoiceView(invoice=row.invoice, amount=str(row.amount), received_at=_at(row.at))
            for row in escrow.fundings
        ],
    )


def _at(seconds: int) -> datetime:
    found = moment(seconds)
    if found is None:
        raise InvalidInput("This time cannot be expressed.", field="time")
    return found
