"""Payouts of studies: proposed for a result, objected to, settled by the board, closed."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from backend.api.escrows import AmountText, amount_of, visible_study
from backend.api.idempotent import Key, attempt
from backend.api.limits import Limited, Spending
from backend.api.schemas import AccountText, Body, Hex32, HexSignature, account, bytes32, moment
from backend.api.security import Caller, agent_of, needs
from backend.consent.member_terms import NameDonation, ObjectToPayout, SettlePayout
from backend.consent.typed_data import RESEARCH_NAME, Domain, Signable, typed_data
from backend.errors import NotFound, NotPermitted
from backend.identity.roles import Role, Scope
from backend.research.errors import StudyNotFound
from backend.research.money.errors import PayoutTermsInvalid, PayoutUnknown
from backend.research.money.payouts import Round
from backend.research.money.shares import Budget, PerPatient, wanted_of
from backend.research.money.types import BoardApproval, EscrowId, RoundId
from backend.types import to_hex

router = APIRouter(prefix="/v1/payouts", tags=["research"])
Paying = Annotated[Caller, Depends(needs(Scope.PAYMENT_MANAGE))]
Seeing = Annotated[Caller, Depends(needs(Scope.STUDY_READ, Scope.PAYMENT_MANAGE))]
Approving = Annotated[Caller, Depends(needs(Scope.STUDY_APPROVE))]
Objecting = Annotated[Caller, Depends(needs(Scope.STUDY_APPROVE, Scope.STUDY_PROPOSE))]


class PayoutBody(Body):
    """Pay the patients of a result. A study with a price is paid by it; for another one give exactly one of
    ``per_patient`` and ``budget``."""

    study: Hex32
    escrow: Hex32
    result: Hex32
    per_patient: AmountText | None = None
    budget: AmountText | None = Field(
        default=None,
        description="shared equally over the upper end of the published range of patients; the rest stays",
    )
    missing: int = Field(
        default=0,
        ge=0,
        description="shares known to be gone, as the list of results shows: erasures explain it",
    )


class ApprovalBody(Body):
    """One board member's signature over a draft."""

    member: AccountText
    signature: HexSignature


class ObjectionBody(Body):
    """``objector`` and ``signature`` over the draft; neither, for a researcher who paid by invoice."""

    objector: AccountText | None = None
    signature: HexSignature | None = None


class SettlementBody(Body):
    stands: bool = Field(description="true: the objection is dismissed; false: the payout is rejected")
    approvals: Annotated[list[ApprovalBody], Field(min_length=1, max_length=32)]


class DonationBody(Body):
    account: AccountText
    approvals: Annotated[list[ApprovalBody], Field(min_length=1, max_length=32)]


class ResultView(BaseModel):
    """A result that was committed to; the numbers are for those who pay alone."""

    result: str
    study: str
    committed_at: datetime | None
    participants: int
    placed: int = Field(description="in a payout")
    waiting: int = Field(description="in none yet: no payee named, or named after the last one")
    missing: int = Field(description="shares that are gone: erased patients, or the index was changed")


class PayoutView(BaseModel):
    round: str
    study: str
    escrow: str
    result: str
    attempt: int
    root: str
    share: str = Field(description="what each patient gets")
    total: str = Field(description="what left the escrow's free part; what nobody claims comes back")
    remaining: str
    opens_at: datetime | None
    closes_at: datetime | None
    objected: bool


class SignatureDraft(BaseModel):
    typed_data: dict[str, Any]


class DoneView(BaseModel):
    done: bool = Field(description="false: on its way, nothing more to do")


@router.get("/results", response_model=list[ResultView])
def list_results(study: Hex32, caller: Paying) -> list[ResultView]:
    """The results of a study's runs, and how many of their patients are in a payout."""
    services = caller.services
    found = visible_study(caller, study)
    views = []
    for row in services.money.results.of_study(bytes32(to_hex(found.study_id))):
        owed = services.money.payouts.owed(row)
        views.append(
            ResultView(
                result=to_hex(row.result),
                study=to_hex(row.study),
                committed_at=moment(row.at),
                participants=owed.participants,
                placed=owed.placed,
                waiting=owed.waiting,
                missing=owed.missing,
            )
        )
    return views


@router.post("", status_code=201, response_model=PayoutView)
def propose(body: PayoutBody, caller: Paying, idempotency_key: Key = None) -> PayoutView:
    """Propose the payout to the patients who named a payee and are in none yet. It opens by itself after the
    time to object."""
    services, principal = caller
    study = visible_study(caller, body.study)
    terms = services.money.book.terms(study, EscrowId(bytes32(body.escrow)))
    with attempt(caller, "payouts", idempotency_key, body) as act:
        tree = services.money.payouts.propose(
            terms,
            bytes32(body.result),
            wanted_of(study.proposal.price, _asked(body), token=terms.token, runs=study.proposal.runs),
            missing=body.missing,
            attempt=act,
            by=agent_of(principal),
        )
    return _view(services.money.payouts.get(tree.round))


@router.get("", response_model=list[PayoutView])
def list_payouts(study: Hex32, caller: Seeing) -> list[PayoutView]:
    """A study's payouts that the board did not reject, and where they stand on the chain."""
    found = visible_study(caller, study)
    rounds = caller.services.money.payouts.of_study(bytes32(to_hex(found.study_id)))
    return [_view(each) for each in rounds]


@router.get("/donations/draft", response_model=SignatureDraft)
def draft_donation(account_named: AccountText, caller: Approving, spend: Spending) -> SignatureDraft:
    """What a board member signs to let an account be paid for any study, as a donation."""
    spend(Limited.DRAFT)
    return _draft(caller, NameDonation(account(account_named, field="account_named")))


@router.post("/donations", response_model=DoneView, responses={202: {"model": DoneView}})
def name_donation(
    body: DonationBody, caller: Approving, response: Response, idempotency_key: Key = None
) -> DoneView:
    """Record the board's signatures: the account takes donations from now on, for good."""
    services, principal = caller
    with attempt(caller, "donations", idempotency_key, body) as act:
        done = services.money.settling.name_donation(
            account(body.account, field="account"),
            _approvals(body.approvals),
            attempt=act,
            by=agent_of(principal),
        )
    return _done(done, response)


@router.get("/{payout}", response_model=PayoutView)
def get_payout(payout: Hex32, caller: Seeing) -> PayoutView:
    """One payout, by its id."""
    return _view(_visible(caller, payout))


@router.get("/{payout}/objection-draft", response_model=SignatureDraft)
def draft_objection(payout: Hex32, caller: Objecting, spend: Spending) -> SignatureDraft:
    """What the funder or a board member signs to object."""
    spend(Limited.DRAFT)
    found = _visible(caller, payout)
    return _draft(caller, ObjectToPayout(found.tree.round, found.tree.attempt))


@router.post("/{payout}/objection", response_model=DoneView, responses={202: {"model": DoneView}})
def object_to(
    payout: Hex32, body: ObjectionBody, caller: Objecting, response: Response, idempotency_key: Key = None
) -> DoneView:
    """Object to a payout before it opens. The board then has time to settle; alone, it stops nothing."""
    services, principal = caller
    found = _visible(caller, payout)
    if body.signature is None or body.objector is None:
        # The office speaks for whom it paid for: the study's own researcher, and nobody else.
        if Role.RESEARCHER not in principal.roles or found.tree.terms.funder != services.money.ledger.office:
            raise NotPermitted("Send the signature of the funder's or a board member's account.")
        objector, signature = services.money.ledger.office, b""
    else:
        objector, signature = account(body.objector, field="objector"), _signature(body.signature)
    with attempt(caller, "payout-objections", idempotency_key, body) as act:
        done = services.money.settling.object(
            found, objector=objector, signature=signature, attempt=act, by=agent_of(principal)
        )
    return _done(done, response)


@router.get("/{payout}/settlement-draft", response_model=SignatureDraft)
def draft_settlement(payout: Hex32, stands: bool, caller: Approving, spend: Spending) -> SignatureDraft:
    """What a board member signs to dismiss the objection (``stands``) or to reject the payout."""
    spend(Limited.DRAFT)
    found = _visible(caller, payout)
    return _draft(caller, SettlePayout(found.tree.round, found.tree.attempt, stands))


@router.post("/{payout}/settlement", response_model=DoneView, responses={202: {"model": DoneView}})
def settle(
    payout: Hex32, body: SettlementBody, caller: Approving, response: Response, idempotency_key: Key = None
) -> DoneView:
    """Record the board's decision on a payout that has not opened."""
    services, principal = caller
    found = _visible(caller, payout)
    with attempt(caller, "payout-settlements", idempotency_key, body) as act:
        done = services.money.settling.settle(
            found,
            stands=body.stands,
            approvals=_approvals(body.approvals),
            attempt=act,
            by=agent_of(principal),
        )
    return _done(done, response)


@router.post("/{payout}/close", response_model=PayoutView, responses={202: {"model": PayoutView}})
def close(payout: Hex32, caller: Paying, response: Response, idempotency_key: Key = None) -> PayoutView:
    """Return to the escrow what nobody claimed in time."""
    services, principal = caller
    found = _visible(caller, payout)
    with attempt(caller, "payout-closings", idempotency_key, _Named(round=payout)) as act:
        if not services.money.settling.close(found, attempt=act, by=agent_of(principal)):
            response.status_code = 202
    return _view(services.money.payouts.get(found.tree.round))


class _Named(Body):
    round: str


def _visible(caller: Caller, round_: str) -> Round:
    found = caller.services.money.payouts.get(RoundId(bytes32(round_)))
    try:
        visible_study(caller, to_hex(found.tree.terms.study))
    except (StudyNotFound, NotFound) as absent:
        raise PayoutUnknown from absent
    return found


def _asked(body: PayoutBody) -> PerPatient | Budget | None:
    match body.per_patient, body.budget:
        case None, None:
            return None
        case str(price), None:
            return PerPatient(amount_of(price))
        case None, str(budget):
            return Budget(amount_of(budget))
    raise PayoutTermsInvalid(field="budget")


def _draft(caller: Caller, command: Signable) -> SignatureDraft:
    ledger = caller.services.money.ledger
    return SignatureDraft(
        typed_data=typed_data(command, Domain(ledger.chain_id, ledger.market, RESEARCH_NAME))
    )


def _approvals(bodies: list[ApprovalBody]) -> list[BoardApproval]:
    return [
        BoardApproval(account(body.member, field="approvals"), _signature(body.signature)) for body in bodies
    ]


def _signature(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def _done(done: bool, response: Response) -> DoneView:
    if not done:
        response.status_code = 202
    return DoneView(done=done)


def _view(found: Round) -> PayoutView:
    tree, state = found.tree, found.state
    return PayoutView(
        round=to_hex(tree.round),
        study=to_hex(tree.terms.study),
        escrow=to_hex(tree.terms.escrow_id),
        result=to_hex(tree.base),
        attempt=tree.attempt,
        root=to_hex(state.root),
        share=str(tree.share),
        total=str(tree.total),
        remaining=str(state.remaining),
        opens_at=moment(state.opens_at),
        closes_at=moment(state.closes_at),
        objected=state.objected,
    )
