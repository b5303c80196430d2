"""Recovery of a patient's account by guardians whom the patient named: see docs/recovery.md."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from backend.api.limits import Limited, Spending
from backend.api.schemas import (
    AccountText,
    Body,
    Hex32,
    HexSignature,
    HexSubject,
    Message,
    account,
    bytes32,
    moment,
    subject_id,
)
from backend.api.security import Caller, Open, agent_of, needs, require_party
from backend.api.services import Services
from backend.consent.recovery_terms import (
    MAX_GUARDIANS,
    AcceptRecovery,
    ProposeRecovery,
    RecoveryPolicy,
    SetRecoveryPolicy,
    VetoRecovery,
)
from backend.consent.terms_json import from_json
from backend.errors import NotPermitted
from backend.identity.roles import Scope
from backend.identity.types import PrincipalKind
from backend.recovery.guardians import Guardian
from backend.recovery.service import Guarded, Pending, Situation
from backend.recovery.types import Case, CaseState
from backend.types import Address, ConsentId, subject_text, to_hex

router = APIRouter(prefix="/v1/recovery", tags=["recovery"])
Own = Annotated[Caller, Depends(needs(Scope.CONSENT_OWN))]
Anyone = Annotated[Caller, Depends(needs())]
Desk = Annotated[Caller, Depends(needs(Scope.ENROLMENT_ISSUE))]
Progress = Literal["collecting", "waiting", "completed", "over"]


class GuardianView(BaseModel):
    guardianship: str
    account: str
    relationship: str = Field(description="as the patient signed it")


class PolicyView(BaseModel):
    """Any ``threshold`` of these guardians together."""

    threshold: int
    guardians: list[GuardianView] = Field(description="those that count now; one who ended counts for a time")
    named: int = Field(description="how many it names")


class RecoveryPending(BaseModel):
    """A recovery that waits: nothing is given, and permits and powers cannot be given, until it is over."""

    account: str = Field(description="the one that is to control the records")
    proposed_at: datetime
    ready_at: datetime = Field(description="until then it can be stopped; then the service completes it")
    lapses_at: datetime
    can_be_stopped: bool


class CaseView(BaseModel):
    account: str = Field(description="the new one")
    agreed: int
    needed: int
    accepted: bool = Field(description="whether the new account has signed")
    desk: Literal["not_needed", "needed", "confirmed"] = Field(
        description="needed: one was stopped before, so that guardians cannot propose alone"
    )
    sign_by: datetime


class RecoveryView(BaseModel):
    policy: PolicyView | None = Field(description="None: nobody is named, and nobody can recover the account")
    waiting: PolicyView | None = Field(description="replaces the policy at 'waiting_until'")
    waiting_until: datetime | None
    pending: RecoveryPending | None
    begun: list[CaseView] = Field(description="not yet with the ledger: signatures are missing")
    delay_seconds: int
    can_stop: bool = Field(description="whether a recovery could be stopped: once, without the desk")


class GuardedView(BaseModel):
    """Somebody whom the caller guards."""

    subject: str
    guardianship: str
    relationship: str
    named: bool = Field(description="whether the patient named the caller for recovery")
    needed: int = Field(description="how many guardians must agree; 0 where nobody is named")
    pending: RecoveryPending | None
    begun: list[CaseView]


class RecoveryClaim(BaseModel):
    """What was begun for the caller's account."""

    subject: str
    state: Progress
    agreed: int
    needed: int
    accepted: bool
    desk: Literal["not_needed", "needed", "confirmed"]
    sign_by: datetime
    pending: RecoveryPending | None


class DeskCaseView(BaseModel):
    """What waits for the desk, with whom it is about: the person who must stand in front of it."""

    subject: str
    name: str
    record_number: str
    birth_date: str | None
    account: str
    agreed: int
    needed: int
    accepted: bool
    confirmed: bool
    pending: bool


class PolicyWish(Body):
    subject: HexSubject
    guardianships: Annotated[list[Hex32], Field(min_length=1, max_length=MAX_GUARDIANS)]
    threshold: int = Field(ge=1, le=MAX_GUARDIANS, description="two or more, where two are named")


class AgreementWish(Body):
    subject: HexSubject
    account: AccountText = Field(description="the new account of the patient")


class SubjectBody(Body):
    subject: HexSubject


class RecoveryDraft(BaseModel):
    typed_data: dict[str, Any] = Field(description="for eth_signTypedData_v4; send its message back")


class SignedRecovery(Body):
    message: Message = Field(description="the message of the draft, unchanged")
    signature: HexSignature


class SignedAgreement(SignedRecovery):
    account: AccountText = Field(description="of the guardian who signed")


class RecoveryDone(BaseModel):
    state: Literal["recorded"] = "recorded"


@router.get("", response_model=RecoveryView)
def show(subject: HexSubject, caller: Own) -> RecoveryView:
    """Who may recover the patient's account, and whether somebody does."""
    services = caller.services
    wanted = subject_id(subject)
    require_party(caller.principal, subject=wanted, member=None)
    recovery = services.recovery
    situation = recovery.situation(wanted)
    counting = recovery.guardians.of(wanted)
    next_from = situation.state.next_from
    return RecoveryView(
        policy=_policy(situation.policy, counting),
        waiting=_policy(situation.waiting, counting),
        waiting_until=None if situation.waiting is None else moment(next_from),
        pending=_pending(situation.pending),
        begun=[_case(case, situation, services) for case in recovery.open_cases(wanted, situation)],
        delay_seconds=recovery.delay_seconds,
        can_stop=situation.state.can_be_stopped(services.clock()),
    )


@router.post("/policies/draft", response_model=RecoveryDraft)
def draft_policy(body: PolicyWish, caller: Own, spend: Spending) -> RecoveryDraft:
    """Get the message that names guardians for recovery, in the place of those named before."""
    spend(Limited.DRAFT)
    wanted = subject_id(body.subject)
    require_party(caller.principal, subject=wanted, member=None)
    names = [ConsentId(bytes32(name)) for name in body.guardianships]
    return RecoveryDraft(typed_data=caller.services.recovery.draft_policy(wanted, names, body.threshold))


@router.post("/policies", status_code=201, response_model=RecoveryDone)
def set_policy(body: SignedRecovery, services: Open) -> RecoveryDone:
    """Name guardians for recovery. The first policy holds at once, a later one after four delays."""
    command = from_json(SetRecoveryPolicy, body.message, "message.")
    services.recovery.set_policy(command, _signature(body))
    return RecoveryDone()


@router.get("/guarded", response_model=list[GuardedView])
def guarded(caller: Anyone) -> list[GuardedView]:
    """Whom the caller's account guards, and what was begun for them."""
    services = caller.services
    return [_guarded(one, services) for one in caller.services.recovery.guarded_by(_account_of(caller))]


@router.post("/agreements/draft", response_model=RecoveryDraft)
def draft_agreement(body: AgreementWish, caller: Anyone, spend: Spending) -> RecoveryDraft:
    """Get the message with which a guardian agrees to a new account."""
    spend(Limited.DRAFT)
    typed = caller.services.recovery.draft_agreement(
        _account_of(caller), subject_id(body.subject), account(body.account, field="account")
    )
    return RecoveryDraft(typed_data=typed)


@router.post("/agreements", status_code=201, response_model=RecoveryClaim)
def agree(body: SignedAgreement, services: Open) -> RecoveryClaim:
    """Agree as a guardian. With the last signature it is proposed, and the delay begins."""
    proposal = from_json(ProposeRecovery, body.message, "message.")
    signer = account(body.account, field="account")
    return _claim(services.recovery.agree(signer, proposal, _signature(body)), services)


@router.get("/claims", response_model=list[RecoveryClaim])
def claims(caller: Anyone) -> list[RecoveryClaim]:
    """What guardians began for the caller's account, newest first."""
    recovery = caller.services.recovery
    found = recovery.of_account(_account_of(caller))
    return [_view(case, situation, caller.services) for case, situation in found]


@router.post("/acceptances/draft", response_model=RecoveryDraft)
def draft_acceptance(body: SubjectBody, caller: Anyone, spend: Spending) -> RecoveryDraft:
    """Get the message with which the new account takes the records on."""
    spend(Limited.DRAFT)
    typed = caller.services.recovery.draft_acceptance(_account_of(caller), subject_id(body.subject))
    return RecoveryDraft(typed_data=typed)


@router.post("/acceptances", status_code=201, response_model=RecoveryClaim)
def accept(body: SignedRecovery, services: Open) -> RecoveryClaim:
    """Accept, as the new account."""
    acceptance = from_json(AcceptRecovery, body.message, "message.")
    return _claim(services.recovery.accept(acceptance, _signature(body)), services)


@router.get("/desk", response_model=list[DeskCaseView])
def at_desk(new_account: AccountText, caller: Desk) -> list[DeskCaseView]:
    """What was begun for a new account and cannot go on without the desk."""
    services = caller.services
    wanted = account(new_account, field="new_account")
    return [_at_desk(case, situation, services) for case, situation in services.recovery.at_desk(wanted)]


@router.post("/confirmations", status_code=201, response_model=DeskCaseView)
def confirm(body: AgreementWish, caller: Desk) -> DeskCaseView:
    """Confirm, as the desk, that the patient is here and wants this account. Nobody stops it then."""
    services, principal = caller
    if principal.kind is not PrincipalKind.STAFF:
        raise NotPermitted("Only staff who saw the person can confirm.")
    case = services.recovery.confirm(
        subject_id(body.subject), account(body.account, field="account"), by=agent_of(principal)
    )
    return _at_desk(case, services.recovery.situation(case.subject), services)


@router.post("/vetoes/draft", response_model=RecoveryDraft)
def draft_veto(body: SubjectBody, caller: Own) -> RecoveryDraft:
    """Get the message that stops a recovery."""
    wanted = subject_id(body.subject)
    require_party(caller.principal, subject=wanted, member=None)
    return RecoveryDraft(typed_data=caller.services.recovery.draft_veto(wanted))


@router.post("/vetoes", status_code=201, response_model=RecoveryDone)
def veto(body: SignedRecovery, services: Open) -> RecoveryDone:
    """Stop a recovery, as the present account. The signature is the authority; twice is harmless."""
    services.recovery.veto(from_json(VetoRecovery, body.message, "message."), _signature(body))
    return RecoveryDone()


@router.post("/completions", status_code=201, response_model=RecoveryDone)
def complete(body: SubjectBody, caller: Anyone) -> RecoveryDone:
    """Complete a recovery whose delay is over. The service does it by itself, too."""
    caller.services.recovery.complete(_account_of(caller), subject_id(body.subject))
    return RecoveryDone()


def _account_of(caller: Caller) -> Address:
    found = caller.principal.account
    if found is None:
        raise NotPermitted("Only an account of a wallet recovers or guards.")
    return found


def _signature(body: SignedRecovery) -> bytes:
    return bytes.fromhex(body.signature[2:])


def _policy(policy: RecoveryPolicy | None, counting: dict[ConsentId, Guardian]) -> PolicyView | None:
    if policy is None:
        return None
    return PolicyView(
        threshold=policy.threshold,
        named=len(policy.guardianships),
        guardians=[
            GuardianView(
                guardianship=to_hex(name),
                account=counting[name].account,
                relationship=counting[name].document.terms.relationship,
            )
            for name in policy.guardianships
            if name in counting
        ],
    )


def _pending(pending: Pending | None) -> RecoveryPending | None:
    if pending is None:
        return None
    return RecoveryPending(
        account=pending.controller,
        proposed_at=moment(pending.proposed_at),
        ready_at=moment(pending.ready_at),
        lapses_at=moment(pending.lapses_at),
        can_be_stopped=pending.can_be_stopped,
    )


def _case(case: Case, situation: Situation, services: Services) -> CaseView:
    return CaseView(
        account=case.controller,
        agreed=len(case.agreed),
        needed=_needed(situation),
        accepted=bool(case.acceptance),
        desk=_desk(case, situation, services),
        sign_by=moment(case.submit_by),
    )


def _needed(situation: Situation) -> int:
    return 0 if situation.policy is None else situation.policy.threshold


def _desk(
    case: Case, situation: Situation, services: Services
) -> Literal["not_needed", "needed", "confirmed"]:
    if case.confirmation:
        return "confirmed"
    return "needed" if services.recovery.needs_desk(situation) else "not_needed"


def _at_desk(case: Case, situation: Situation, services: Services) -> DeskCaseView:
    person = services.identity.enrolments.person(case.subject)
    return DeskCaseView(
        subject=subject_text(case.subject),
        name=person.name,
        record_number=person.record_number,
        birth_date=person.birth_date,
        account=case.controller,
        agreed=len(case.agreed),
        needed=_needed(situation),
        accepted=bool(case.acceptance),
        confirmed=bool(case.confirmation),
        pending=situation.pending is not None,
    )


def _guarded(one: Guarded, services: Services) -> GuardedView:
    return GuardedView(
        subject=subject_text(one.subject),
        guardianship=to_hex(one.guardian.guardianship),
        relationship=one.guardian.document.terms.relationship,
        named=one.named,
        needed=_needed(one.situation),
        pending=_pending(one.situation.pending),
        begun=[_case(case, one.situation, services) for case in one.cases],
    )


def _claim(case: Case, services: Services) -> RecoveryClaim:
    return _view(case, services.recovery.situation(case.subject), services)


def _view(case: Case, situation: Situation, services: Services) -> RecoveryClaim:
    mine = situation.pending is not None and situation.pending.controller == case.controller
    state: Progress = "over"
    if situation.controller == case.controller:
        state = "completed"
    elif mine:
        state = "waiting"
    elif case.state is CaseState.COLLECTING and case.round == situation.state.round:
        state = "collecting"
    return RecoveryClaim(
        subject=subject_text(case.subject),
        state=state,
        agreed=len(case.agreed),
        needed=_needed(situation),
        accepted=bool(case.acceptance),
        desk=_desk(case, situation, services),
        sign_by=moment(case.submit_by),
        pending=_pending(situation.pending) if mine else None,
    )
