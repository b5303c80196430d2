"""Recovery as people do it: a patient names guardians, they agree to a new account, a delay runs, anybody
completes it.

The chain decides everything again. Here signatures are collected, since guardians do not sign in one place,
and whoever is refused is told why.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from backend.audit import codes
from backend.audit.entry import Agent, AuditEvent, Outcome
from backend.audit.log import AuditLog
from backend.consent.authority import WalletCheck, require_signed_by
from backend.consent.drafting import SUBMIT_WITHIN_SECONDS
from backend.consent.errors import UnderErasure
from backend.consent.evidence import EvidenceBook
from backend.consent.ledger_types import NOBODY
from backend.consent.recovery_state import COMPLETION_SECONDS, RecoveryState
from backend.consent.recovery_terms import (
    AcceptRecovery,
    ProposeRecovery,
    RecoveryCommand,
    RecoveryPolicy,
    SetRecoveryPolicy,
    VetoRecovery,
)
from backend.consent.restrictions import RestrictionQueue
from backend.consent.service import SubmittedTooLate
from backend.consent.tables import Tables
from backend.consent.typed_data import Domain, digest, struct_hash, typed_data
from backend.consent.validation import check_command
from backend.errors import AssentError, IntegrityError, NotFound, Unavailable
from backend.outbox.errors import NotYet
from backend.outbox.service import Outbox
from backend.recovery.books import CaseBook, PolicyBook
from backend.recovery.errors import (
    DeskNotNeeded,
    GuardianUnfit,
    NotGuardian,
    RecoveryDraftOutdated,
    RecoveryIsPending,
    RecoveryNotDue,
    RecoveryNotNamed,
    RecoveryNotPending,
    RecoverySelf,
    RecoveryUnknown,
    VetoIsSpent,
)
from backend.recovery.guardians import Guardian, Guardians
from backend.recovery.ports import DeskSigner, RecoveryChain
from backend.recovery.steps import ACT, RecoverySteps
from backend.recovery.types import Case, CaseState
from backend.types import Address, Bytes32, ConsentId, SubjectId, UnixSeconds

SIGN_WITHIN_SECONDS: Final = 7 * 24 * 3600  # guardians are asked one after the other


@dataclass(frozen=True, slots=True)
class Pending:
    """A proposal that waits. ``ready_at``: from when on it can be completed."""

    controller: Address
    proposed_at: UnixSeconds
    ready_at: UnixSeconds
    lapses_at: UnixSeconds
    can_be_stopped: bool


@dataclass(frozen=True, slots=True)
class Situation:
    """Where a patient's recovery stands, at the head."""

    state: RecoveryState
    controller: Address
    policy: RecoveryPolicy | None  # in force
    waiting: RecoveryPolicy | None  # in force from ``state.next_from`` on
    pending: Pending | None


@dataclass(frozen=True, slots=True)
class Guarded:
    """A patient as one of the guardians sees it. ``named``: whether the policy in force names that one."""

    subject: SubjectId
    guardian: Guardian
    named: bool
    situation: Situation
    cases: Sequence[Case]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryService:
    chain: RecoveryChain
    delay_seconds: int  # fixed when deployed
    policies: PolicyBook
    cases: CaseBook
    guardians: Guardians
    evidence: EvidenceBook
    restrictions: RestrictionQueue
    steps: RecoverySteps
    desk: DeskSigner
    outbox: Outbox
    wallets: WalletCheck
    audit: AuditLog
    domain: Domain  # of the contract Recovery
    signed_since: (
        UnixSeconds  # when that contract took over from another; what was signed before is for that one
    )
    tables: Tables
    clock: Callable[[], int]

    # --- what there is

    def situation(self, subject: SubjectId) -> Situation:
        """Raises PolicyMissing, SealedDocumentRefused."""
        now, state, delay = self.clock(), self.chain.state(subject), self.delay_seconds
        policy, waiting = state.in_force(now), state.waiting(now)
        pending = None
        if state.is_pending(now, delay):
            ready_at = UnixSeconds(state.proposed_at + delay)
            pending = Pending(
                controller=state.controller,
                proposed_at=state.proposed_at,
                ready_at=ready_at,
                lapses_at=UnixSeconds(ready_at + COMPLETION_SECONDS),
                can_be_stopped=not state.is_veto_spent,
            )
        return Situation(
            state=state,
            controller=self.evidence.subject(subject).controller,
            policy=None if policy is None else self.policies.open(policy, subject),
            waiting=None if waiting is None else self.policies.open(waiting, subject),
            pending=pending,
        )

    def guarded_by(self, account: Address) -> list[Guarded]:
        """Return whom the account guards."""
        found = []
        for subject in self.guardians.subjects(account):
            guarded = None if self.restrictions.erases(subject) else self._guarded(subject, account)
            if guarded is not None:
                found.append(guarded)
        return found

    def of_account(self, account: Address) -> list[tuple[Case, Situation]]:
        """Return what was begun for a new account, newest first."""
        cases = sorted(self.cases.of_account(account), key=lambda case: -case.begun_at)
        found = [(case, self.situation(case.subject)) for case in cases]
        return [
            (case, situation)
            for case, situation in found
            if case.state is not CaseState.COMPLETED or situation.controller == account
        ]

    def open_cases(self, subject: SubjectId, situation: Situation) -> list[Case]:
        """Return those of a patient that still collect signatures."""
        return [case for case in self.cases.of_subject(subject) if self.is_open(case, situation)]

    def is_open(self, case: Case, situation: Situation) -> bool:
        """Whether signatures of this case can still be used."""
        return (
            case.state is CaseState.COLLECTING
            and case.round == situation.state.round
            and case.begun_at >= self.signed_since
            and self.clock() <= case.submit_by
        )

    # --- the patient names guardians

    def draft_policy(
        self, subject: SubjectId, guardianships: Sequence[ConsentId], threshold: int
    ) -> dict[str, Any]:
        """Return the typed data to sign. Raises GuardianUnfit, RecoveryIsPending, InvalidTerms."""
        situation = self._quiet(subject)
        command = SetRecoveryPolicy(
            subject=subject,
            policy=RecoveryPolicy(tuple(guardianships), threshold, Bytes32(secrets.token_bytes(32))),
            round=situation.state.policy_round,
            submit_by=self._soon(),
        )
        self._check_policy(command)
        return typed_data(command, self.domain)

    def set_policy(self, command: SetRecoveryPolicy, signature: bytes) -> None:
        """Record who may recover the patient. The same again changes nothing.

        Raises as ``draft_policy``, and SubmittedTooLate, RecoveryDraftOutdated, WrongSigner,
        SignatureInvalid, UnderErasure.
        """
        name = struct_hash(command.policy)
        if self.outbox.find(ACT, f"policy/{name.hex()}") is None:
            situation = self._quiet(command.subject)
            self._check_policy(command)
            self._in_time(command.submit_by)
            if command.round != situation.state.policy_round:
                raise RecoveryDraftOutdated(field="message.round")
            self._signed(command, signature, situation.controller)
            self.policies.keep(command.policy, command.subject)
        self.steps.set_policy(command, signature, self.evidence.subject(command.subject).controller)

    # --- guardians and the new account agree

    def draft_agreement(self, account: Address, subject: SubjectId, controller: Address) -> dict[str, Any]:
        """Return what a guardian signs, the same for all.

        Raises NotGuardian, RecoveryNotNamed, RecoveryIsPending, RecoverySelf.
        """
        guarded = self._may_agree(account, subject, controller)
        case = self.cases.find(subject, controller)
        if case is None or not self.is_open(case, guarded.situation):
            now = self.clock()
            proposal = ProposeRecovery(
                subject, controller, guarded.situation.state.round, UnixSeconds(now + SIGN_WITHIN_SECONDS)
            )
        else:
            proposal = case.proposal
        return typed_data(proposal, self.domain)

    def agree(self, account: Address, proposal: ProposeRecovery, signature: bytes) -> Case:
        """Take a guardian's signature. With the last that is needed it goes to the chain.

        Raises as ``draft_agreement``, and SubmittedTooLate, RecoveryDraftOutdated, WrongSigner,
        SignatureInvalid, UnderErasure, what the chain refuses with.
        """
        check_command(proposal, self.tables)
        known = self.cases.find(proposal.subject, proposal.controller)
        if known is not None and known.proposal == proposal and self.steps.is_under_way(known):
            return self._proposed(known)  # a retry
        guarded = self._may_agree(account, proposal.subject, proposal.controller)
        self._in_time(proposal.submit_by)
        latest = self.clock() + SIGN_WITHIN_SECONDS
        if proposal.round != guarded.situation.state.round or proposal.submit_by > latest:
            raise RecoveryDraftOutdated(field="message")
        self._signed(proposal, signature, account)
        guardianship = guarded.guardian.guardianship

        def agreed(case: Case | None) -> Case:
            if case is None or not self.is_open(case, guarded.situation):
                return self._begun(proposal, guarded.situation, case, {guardianship: signature})
            if case.proposal != proposal:
                raise RecoveryDraftOutdated(field="message")
            return case.changed(agreed={**case.agreed, guardianship: signature})

        case = self._changed(proposal.subject, proposal.controller, agreed)
        self._log(codes.RECOVERY_AGREED, Agent.account(account), case)
        return self._advance(case)

    def draft_acceptance(self, account: Address, subject: SubjectId) -> dict[str, Any]:
        """Return what the new account signs. Raises RecoveryUnknown."""
        return typed_data(self._open_case(subject, account).acceptance_terms, self.domain)

    def accept(self, acceptance: AcceptRecovery, signature: bytes) -> Case:
        """Take the new account's signature. Raises as ``agree``, RecoveryUnknown."""
        check_command(acceptance, self.tables)
        known = self.cases.find(acceptance.subject, acceptance.controller)
        if known is not None and known.acceptance_terms == acceptance and self.steps.is_under_way(known):
            return self._proposed(known)  # a retry
        self._standing(acceptance.subject)
        self._in_time(acceptance.submit_by)
        self._open_case(acceptance.subject, acceptance.controller)
        self._signed(acceptance, signature, acceptance.controller)

        def accepted(case: Case | None) -> Case:
            if case is None or case.acceptance_terms != acceptance:
                raise RecoveryDraftOutdated(field="message")
            return case.changed(acceptance=signature)

        case = self._changed(acceptance.subject, acceptance.controller, accepted)
        self._log(codes.RECOVERY_ACCEPTED, Agent.account(acceptance.controller), case)
        return self._advance(case)

    # --- the desk, once a recovery was stopped

    def needs_desk(self, situation: Situation) -> bool:
        """Whether guardians alone can propose no more."""
        return not situation.state.can_be_stopped(self.clock())

    def at_desk(self, controller: Address) -> list[tuple[Case, Situation]]:
        """Return what was begun for a new account and wants the desk."""
        found = [(case, self.situation(case.subject)) for case in self.cases.of_account(controller)]
        return [each for each in found if self.is_open(*each) and self.needs_desk(each[1])]

    def confirm(self, subject: SubjectId, controller: Address, *, by: Agent) -> Case:
        """Have the custodian stand for it: its desk saw the patient. With the last signature it goes to the
        chain, and cannot be stopped any more.

        Raises RecoveryUnknown, DeskNotNeeded, RecoveryIsPending, UnderErasure, what the chain refuses with.
        """
        self._standing(subject)
        situation = self.situation(subject)
        if situation.pending is not None:
            raise RecoveryIsPending
        case = self._open_case(subject, controller)
        if not self.needs_desk(situation):
            raise DeskNotNeeded
        terms = case.confirmation_terms
        signature = self.desk.sign(digest(terms, self.domain))

        def confirmed(found: Case | None) -> Case:
            if found is None or found.confirmation_terms != terms:
                raise RecoveryDraftOutdated
            return found.changed(desk=self.desk.account, confirmation=signature)

        case = self._changed(subject, controller, confirmed)
        self._log(codes.RECOVERY_CONFIRMED, by, case)
        return self._advance(case)

    # --- stopping and completing

    def draft_veto(self, subject: SubjectId) -> dict[str, Any]:
        """Return what the present controller signs to stop it. Raises RecoveryNotPending, VetoIsSpent."""
        situation = self._stoppable(subject)
        return typed_data(VetoRecovery(subject, situation.state.round), self.domain)

    def veto(self, command: VetoRecovery, signature: bytes) -> None:
        """Stop it. The same again changes nothing. Raises as ``draft_veto``, RecoveryDraftOutdated,
        WrongSigner, SignatureInvalid."""
        check_command(command, self.tables)
        if self.outbox.find(ACT, f"veto/{command.subject:024x}/{command.round}") is None:
            situation = self._stoppable(command.subject)
            if command.round != situation.state.round:
                raise RecoveryDraftOutdated(field="message.round")
            self._signed(command, signature, situation.controller)
        self.steps.veto(command, signature, self.evidence.subject(command.subject).controller)

    def complete(self, account: Address, subject: SubjectId) -> None:
        """Complete one whose time has come, for a guardian or the new account. The service does it, too.

        Raises RecoveryUnknown, RecoveryNotPending, RecoveryNotDue.
        """
        found = [case for case in self.cases.of_subject(subject) if case.state is CaseState.PROPOSED]
        if not found:
            raise RecoveryUnknown
        situation = self.situation(subject)
        if (
            all(case.controller != account for case in found)
            and self._guardian(subject, account, situation) is None
        ):
            raise RecoveryUnknown
        pending = situation.pending
        if pending is None:
            raise RecoveryNotPending
        for case in found:
            if case.controller == pending.controller:
                try:
                    self.steps.complete(case)
                except NotYet as waiting:
                    raise RecoveryNotDue from waiting

    def resume(self) -> None:
        """At start-up: send on what had all its signatures when a crash came."""
        for case in self.cases.collecting():
            with suppress(AssentError):  # it stays, and whoever signs or looks is told
                self._advance(case)

    # --- checks

    def _quiet(self, subject: SubjectId) -> Situation:
        self._standing(subject)
        situation = self.situation(subject)
        if situation.controller == NOBODY:
            raise NotFound
        if situation.pending is not None:
            raise RecoveryIsPending
        return situation

    def _check_policy(self, command: SetRecoveryPolicy) -> None:
        check_command(command, self.tables)
        live = self.guardians.live(command.subject)
        accounts = {live[name].account for name in command.policy.guardianships if name in live}
        if len(accounts) != len(command.policy.guardianships):
            raise GuardianUnfit(field="guardianships")

    def _may_agree(self, account: Address, subject: SubjectId, controller: Address) -> Guarded:
        self._standing(subject)
        guarded = self._guarded(subject, account)
        if guarded is None:
            raise NotGuardian
        situation = guarded.situation
        if situation.policy is None:
            raise RecoveryNotNamed
        if not guarded.named:
            raise NotGuardian
        if situation.pending is not None:
            raise RecoveryIsPending
        counting = self.guardians.of(subject)
        guards = {counting[name].account for name in situation.policy.guardianships if name in counting}
        if controller == situation.controller or controller in guards:
            raise RecoverySelf(field="controller")
        return guarded

    def _stoppable(self, subject: SubjectId) -> Situation:
        situation = self.situation(subject)
        if situation.pending is None or situation.controller == NOBODY:
            raise RecoveryNotPending
        if not situation.pending.can_be_stopped:
            raise VetoIsSpent
        return situation

    def _guardian(self, subject: SubjectId, account: Address, situation: Situation) -> Guardian | None:
        """Return the account's guardianship, one that the policy names before others."""
        named = () if situation.policy is None else situation.policy.guardianships
        own = [each for each in self.guardians.of(subject).values() if each.account == account]
        return min(own, key=lambda each: each.guardianship not in named, default=None)

    def _guarded(self, subject: SubjectId, account: Address) -> Guarded | None:
        """Return the patient as this account sees it; None where it is no guardian."""
        situation = self.situation(subject)
        guardian = self._guardian(subject, account, situation)
        if guardian is None:
            return None
        named = situation.policy is not None and guardian.guardianship in situation.policy.guardianships
        return Guarded(subject, guardian, named, situation, self.open_cases(subject, situation))

    def _open_case(self, subject: SubjectId, controller: Address) -> Case:
        case = self.cases.find(subject, controller)
        if case is None or not self.is_open(case, self.situation(subject)):
            raise RecoveryUnknown
        return case

    def _standing(self, subject: SubjectId) -> None:
        if self.restrictions.erases(subject):
            raise UnderErasure(field="subject")

    def _in_time(self, submit_by: int) -> None:
        if submit_by < self.clock():
            raise SubmittedTooLate(field="message.submitBy")

    def _soon(self) -> UnixSeconds:
        return UnixSeconds(self.clock() + SUBMIT_WITHIN_SECONDS)

    def _signed(self, command: RecoveryCommand, signature: bytes, account: Address) -> None:
        require_signed_by(command, signature, account, domain=self.domain, relay=self.wallets)

    # --- cases

    def _begun(
        self,
        proposal: ProposeRecovery,
        situation: Situation,
        earlier: Case | None,
        agreed: dict[ConsentId, bytes],
    ) -> Case:
        policy = situation.state.in_force(self.clock())
        if policy is None:
            raise RecoveryNotNamed
        return Case(
            subject=proposal.subject,
            controller=proposal.controller,
            round=proposal.round,
            submit_by=proposal.submit_by,
            policy=policy,
            former=situation.controller,
            begun_at=UnixSeconds(self.clock()),
            agreed=agreed,
            revision=0 if earlier is None else earlier.revision + 1,
        )

    def _changed(
        self, subject: SubjectId, controller: Address, change: Callable[[Case | None], Case]
    ) -> Case:
        while True:
            case = change(self.cases.find(subject, controller))
            if self.cases.put(case):
                return case

    def _advance(self, case: Case) -> Case:
        """Propose it once all have signed."""
        policy = self.policies.open(case.policy, case.subject)
        if not case.acceptance or len(case.agreed) < policy.threshold:
            return case
        if not case.confirmation and self.needs_desk(self.situation(case.subject)):
            return case
        return self._proposed(case)

    def _proposed(self, case: Case) -> Case:
        try:
            self.steps.propose(case)
        except (Unavailable, IntegrityError):
            raise
        except AssentError:
            self.steps.moved(case, CaseState.REFUSED)
            raise
        return self.cases.find(case.subject, case.controller) or case

    def _log(self, kind: str, actor: Agent, case: Case) -> None:
        # A step that is taken again after a crash is one entry.
        name = "/".join((kind, case.case_id, str(case.round), str(case.submit_by), actor.id))
        self.audit.append(
            AuditEvent(
                type=kind,
                outcome=Outcome.CHANGED,
                occurred_at_ms=self.clock() * 1000,
                actor=actor,
                subject=case.subject,
                detail={"controller": case.controller.lower()},
            ),
            act=hashlib.sha256(name.encode()).digest()[:16],
        )
