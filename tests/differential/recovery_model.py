"""The rules of recovery in plain Python, from contracts/properties.md (RC1 to RC18), docs/contracts.md and
IRecovery."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

from tests.differential.consent_model import ConsentModel
from tests.differential.consent_rules import Entry, Subject
from tests.differential.documents import (
    GUARDIANSHIP,
    NOBODY,
    REVOKE,
    ZERO,
    Delegation,
    InPerson,
    RecoveryPolicy,
)
from tests.differential.member_model import CUSTODIAN
from tests.differential.outcome import Event, Refused, refuse

DELAY = 72 * 3600
LAPSE = 7 * 86_400
STANDING = 4 * DELAY  # how long a later policy waits, a guardian still counts, and a child's must have stood


@dataclass(frozen=True)
class Proposal:
    subject: int
    controller: str
    round: int
    submit_by: int


@dataclass(frozen=True)
class Proof:
    """``signers`` are who signed for the guardians. ``acceptance``, ``desk``: the account and who really
    signed."""

    policy: RecoveryPolicy
    guardians: tuple[Delegation, ...]
    signers: tuple[str, ...]
    acceptance: str
    desk: str = NOBODY
    desk_signer: str = NOBODY


@dataclass
class Recovery:
    """One subject's. ``controller`` is the account proposed; NOBODY once vetoed or completed."""

    policy: bytes = ZERO
    next_policy: bytes = ZERO
    next_from: int = 0
    policy_round: int = 0
    guardians_as_of: int = 0
    controller: str = NOBODY
    proposed_at: int = 0
    round: int = 0
    is_veto_spent: bool = False


@dataclass
class RecoveryModel:
    consents: ConsentModel
    states: dict[int, Recovery] = field(default_factory=dict)

    @property
    def now(self) -> int:
        return self.consents.now()

    def state(self, subject: int) -> Recovery:
        """What stands now: a later policy that is due has taken its place and brought the veto back."""
        state = self.states.setdefault(subject, Recovery())
        if state.next_from and self.now >= state.next_from:
            state.policy, state.next_policy, state.next_from = state.next_policy, ZERO, 0
            state.is_veto_spent = False
        return state

    def ready_at(self, subject: int) -> int:
        return self.state(subject).proposed_at + DELAY

    def is_pending(self, subject: int) -> bool:
        state = self.state(subject)
        return state.controller != NOBODY and self.now < state.proposed_at + DELAY + LAPSE

    def _subject(self, subject: int) -> Subject:
        if subject not in self.consents.subjects:
            raise Refused({"SubjectUnknown"})
        return self.consents.subjects[subject]

    def _controller_faults(self, subject: Subject, by: InPerson) -> set[str]:
        is_controller = by.signer == subject.controller != NOBODY
        return set() if is_controller else {"SignatureInvalid"}

    # --- policy

    def set_policy(
        self, subject: int, policy: bytes, round_: int, submit_by: int, by: InPerson
    ) -> list[Event]:
        faults = self._controller_faults(self._subject(subject), by)
        state = self.state(subject)
        if round_ != state.policy_round:
            faults.add("RoundNotCurrent")
        if self.now > submit_by:
            faults.add("SubmittedTooLate")
        if self.is_pending(subject):
            faults.add("RecoveryPending")
        refuse(faults)
        if state.policy_round == 0:
            state.policy = policy
        else:
            state.next_policy, state.next_from = policy, self.now + STANDING
        state.policy_round += 1
        return [Event("RecoveryPolicySet", subject=subject)]

    # --- proposals

    def propose(self, proposal: Proposal, proof: Proof) -> list[Event]:
        subject = self._subject(proposal.subject)
        state = self.state(proposal.subject)
        is_following = state.guardians_as_of != 0 and self._follows(proposal.subject)
        as_of = state.guardians_as_of if is_following else self.now
        faults = self._proposal_faults(proposal, proof, state) | self._desk_faults(subject, proposal, proof)
        if subject.controller == NOBODY:
            faults |= self._guardian_faults(subject, proposal, proof, as_of, needed=1)
        else:
            faults |= self._policy_faults(state, proof)
            needed = proof.policy.threshold
            faults |= self._guardian_faults(subject, proposal, proof, as_of, needed=needed)
        refuse(faults)
        state.guardians_as_of = as_of
        state.controller, state.proposed_at = proposal.controller, self.now
        state.next_policy, state.next_from = ZERO, 0
        state.round += 1
        subject.is_recovery_flagged = True
        fields = {"subject": proposal.subject, "controller": proposal.controller, "desk": proof.desk}
        return [self._stepped(proposal.subject), Event("RecoveryProposed", **fields)]

    def _follows(self, subject: int) -> bool:
        """Whether a proposal made now follows upon the one before: that is pending, or was vetoed."""
        state = self.state(subject)
        return self.is_pending(subject) or state.is_veto_spent

    def _proposal_faults(self, proposal: Proposal, proof: Proof, state: Recovery) -> set[str]:
        faults = set()
        if proposal.controller == NOBODY:
            faults.add("SignatureInvalid")
        if proposal.round != state.round:
            faults.add("RoundNotCurrent")
        if self.now > proposal.submit_by:
            faults.add("SubmittedTooLate")
        if proof.acceptance != proposal.controller:
            faults.add("SignatureInvalid")
        return faults

    def _desk_faults(self, subject: Subject, proposal: Proposal, proof: Proof) -> set[str]:
        """The desk is the opening custodian in standing; alone the guardians neither replace nor follow a
        veto."""
        if proof.desk == NOBODY:
            state = self.state(proposal.subject)
            faults = {"RecoveryPending"} if self.is_pending(proposal.subject) else set()
            if state.is_veto_spent or subject.controller == NOBODY:
                faults.add("DeskNeeded")
            return faults
        members = self.consents.members
        faults = set()
        if members.member_with_role(proof.desk, CUSTODIAN) != subject.custodian:
            faults.add("NotOpeningCustodian")
        if proof.desk_signer != proof.desk:
            faults.add("SignatureInvalid")
        return faults

    def _policy_faults(self, state: Recovery, proof: Proof) -> set[str]:
        faults = set()
        if proof.policy.hash != state.policy:
            faults.add("RecoveryPolicyDiffers")
        if proof.policy.threshold == 0:
            faults.add("GuardiansMissing")
        if any(link.id not in proof.policy.guardianships for link in proof.guardians):
            faults.add("NotGuardian")
        return faults

    def _guardian_faults(
        self, subject: Subject, proposal: Proposal, proof: Proof, as_of: int, *, needed: int
    ) -> set[str]:
        faults = set()
        if len(proof.guardians) < needed:
            faults.add("GuardiansMissing")
        if len(proof.guardians) != len(proof.signers):
            faults.add("BatchLengthsDiffer")
        accounts = [int(link.delegate, 16) for link in proof.guardians]
        if any(one >= other for one, other in pairwise(accounts)):
            faults.add("GuardiansUnordered")
        is_child = subject.controller == NOBODY
        for link, signer in zip(proof.guardians, proof.signers, strict=False):
            entry = self.consents.entries.get(link.id)
            if (
                entry is None
                or entry.subject != proposal.subject
                or not self.is_guardian(entry, as_of, is_child)
            ):
                faults.add("NotGuardian")
            if signer != link.delegate:
                faults.add("SignatureInvalid")
            if self.consents.members.member_of(link.delegate) == subject.custodian:
                faults.add("GuardianIsDesk")
        return faults

    def is_guardian(self, entry: Entry, as_of: int, is_child: bool) -> bool:
        """From its begin until four delays after its end; a child's must have stood for four delays."""
        if entry.kind != GUARDIANSHIP or not entry.not_before:
            return False
        begin = entry.not_before + (STANDING if is_child else 0)
        ended = min(entry.not_after, entry.revoked_at or entry.not_after)
        return begin <= as_of < ended + STANDING

    # --- the end of one

    def veto(self, subject: int, round_: int, by: InPerson) -> list[Event]:
        faults = self._controller_faults(self._subject(subject), by)
        return self._veto(subject, round_, faults)

    def veto_by_guardian(self, round_: int, guardianship: Delegation, by: InPerson) -> list[Event]:
        subject = self._subject(guardianship.subject)
        faults = {"SubjectHasController"} if subject.controller != NOBODY else set()
        if guardianship.kind != GUARDIANSHIP or not self.consents.is_live(guardianship.id, GUARDIANSHIP):
            faults.add("NotGuardian")
        if not guardianship.powers & REVOKE:
            faults.add("PowerMissing")
        if by.signer != guardianship.delegate:
            faults.add("SignatureInvalid")
        return self._veto(guardianship.subject, round_, faults)

    def _veto(self, subject: int, round_: int, faults: set[str]) -> list[Event]:
        state = self.state(subject)
        if not self.is_pending(subject):
            faults.add("RecoveryNotPending")
        if state.is_veto_spent:
            faults.add("VetoSpent")
        if round_ != state.round:
            faults.add("RoundNotCurrent")
        refuse(faults)
        state.is_veto_spent = True
        self._end(subject)
        return [self._stepped(subject), Event("RecoveryVetoed", subject=subject)]

    def complete(self, subject: int) -> list[Event]:
        if not self.is_pending(subject):
            raise Refused({"RecoveryNotPending"})
        if self.now < self.ready_at(subject):
            raise Refused({"RecoveryTooEarly"})
        state, owner = self.state(subject), self._subject(subject)
        owner.controller = state.controller
        state.is_veto_spent = False
        self._end(subject)
        completed = Event("RecoveryCompleted", subject=subject, controller=owner.controller)
        return [self._stepped(subject), completed]

    def _end(self, subject: int) -> None:
        state = self.state(subject)
        state.controller = NOBODY
        state.round += 1
        self.consents.subjects[subject].is_recovery_flagged = False

    def _stepped(self, subject: int) -> Event:
        owner = self.consents.subjects[subject]
        fields = {"controller": owner.controller, "proposed": owner.is_recovery_flagged}
        return Event("RecoveryStepped", subject=subject, **fields)
