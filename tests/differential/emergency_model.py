"""Breaking the glass in plain Python, from contracts/properties.md (EA1 to EA17), docs/contracts.md,
IEmergencyAccess."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.differential.consent_model import ConsentModel
from tests.differential.documents import GRANT, GUARDIANSHIP, NOBODY, REVOKE, ZERO, Delegation, InPerson
from tests.differential.member_model import CUSTODIAN, ETHICS_BOARD, RESPONDER
from tests.differential.outcome import Event, Refused, refuse

LIMIT, ALLOW, FORBID = 0, 1, 2
HOUR = 3600
DEFAULT_DURATION, LONGEST, LATEST, REVIEW = 2 * HOUR, 4 * HOUR, 4 * HOUR, 72 * HOUR


@dataclass(frozen=True)
class Opener:
    """What a responder signs, by its id. ``local_time`` None: to open now. Who countersigns, or None."""

    id: bytes
    subject: int
    by: InPerson
    reason: bytes
    duration: int
    submit_by: int
    local_time: int | None = None
    countersigner: InPerson | None = None


@dataclass
class Opening:
    subject: int
    responder: str
    member: bytes
    countersigner: bytes
    opened_at: int
    expires_at: int
    recorded_at: int
    is_late: bool
    closed_at: int = 0
    finding: bytes = ZERO
    reviewed_at: int = 0


@dataclass
class EmergencyModel:
    consents: ConsentModel
    openings: dict[bytes, Opening] = field(default_factory=dict)
    policies: dict[int, list[tuple[int, int]]] = field(default_factory=dict)  # subject: (since, policy)

    @property
    def now(self) -> int:
        return self.consents.now()

    # --- policies

    def policy(self, subject: int) -> int:
        history = self.policies.get(subject, [])
        return history[-1][1] if history else LIMIT

    def round(self, subject: int) -> int:
        return len(self.policies.get(subject, []))

    def policy_at(self, subject: int, time: int) -> int:
        """At the end of that second."""
        stood = [policy for since, policy in self.policies.get(subject, []) if since <= time]
        return stood[-1] if stood else LIMIT

    def forbidden_in(self, subject: int, time: int) -> bool:
        """Whether a forbid was set in that very second."""
        return any(since == time and policy == FORBID for since, policy in self.policies.get(subject, []))

    def first_forbid_from(self, subject: int, time: int) -> int:
        """The first second from ``time`` on in which it was forbidden; zero if never."""
        return next((s for s, policy in self.policies.get(subject, []) if s >= time and policy == FORBID), 0)

    def _policy_faults(self, subject: int, policy: int, round_: int) -> set[str]:
        faults = set() if subject in self.consents.subjects else {"SubjectUnknown"}
        if policy > FORBID:
            faults.add("PolicyUnknown")
        if round_ != self.round(subject) and policy != self.policy(subject):
            faults.add("RoundNotCurrent")  # what changes nothing needs no round
        return faults

    def set_policy(self, subject: int, policy: int, round_: int, by: InPerson) -> list[Event]:
        faults = self._policy_faults(subject, policy, round_)
        owner = self.consents.subjects.get(subject)
        if not faults and policy == self.policy(subject):
            return []  # it stands already, whoever asks
        if owner is None or by.signer != owner.controller or by.signer == NOBODY:
            faults.add("SignatureInvalid")
        refuse(faults)
        return self._set(subject, policy)

    def set_policy_by_guardian(
        self, guardianship: Delegation, policy: int, round_: int, by: InPerson
    ) -> list[Event]:
        subject = guardianship.subject
        faults = self._policy_faults(subject, policy, round_)
        owner = self.consents.subjects.get(subject)
        if owner and owner.controller != NOBODY:
            faults.add("SubjectHasController")
        if policy == FORBID:
            faults.add("GuardianMayNotForbid")
        needed = GRANT if policy == ALLOW else REVOKE
        is_live = guardianship.kind == GUARDIANSHIP and self.consents.is_live(guardianship.id, GUARDIANSHIP)
        if not is_live or not guardianship.powers & needed:
            faults.add("GuardianshipNotLive")
        if not faults and policy == self.policy(subject):
            return []
        if by.signer != guardianship.delegate:
            faults.add("SignatureInvalid")
        refuse(faults)
        return self._set(subject, policy)

    def _set(self, subject: int, policy: int) -> list[Event]:
        if policy == self.policy(subject):
            return []
        self.policies.setdefault(subject, []).append((self.now, policy))
        fields = {"subject": subject, "policy": policy, "round": self.round(subject), "setAt": self.now}
        return [Event("EmergencyPolicySet", **fields)]

    # --- openings

    def open(self, opener: Opener) -> list[Event]:
        faults = self._opener_faults(opener)
        opened_at = self.now if opener.local_time is None else opener.local_time
        if opener.local_time is None:
            if self.now > opener.submit_by:
                faults.add("SubmittedTooLate")
        elif opener.local_time > self.now:
            faults.add("OpenedInTheFuture")
        elif self.now - opener.local_time > LATEST:
            faults.add("RecordedTooLate")
        if opened_at <= self.now and self.is_forbidden(opener.subject, opened_at):
            faults.add("PolicyForbids")
        refuse(faults | self._countersignature_faults(opener))
        opening = self._opening(opener, opened_at)
        self.openings[opener.id] = opening
        return [
            Event(
                "EmergencyOpened",
                opening=opener.id,
                subject=opener.subject,
                member=opening.member,
                responder=opener.by.account,
                countersigner=opening.countersigner,
                reason=opener.reason,
                openedAt=opened_at,
                expiresAt=opening.expires_at,
                recordedAt=self.now,
                late=opening.is_late,
            )
        ]

    def is_forbidden(self, subject: int, time: int) -> bool:
        return self.policy_at(subject, time) == FORBID or self.forbidden_in(subject, time)

    def _opener_faults(self, opener: Opener) -> set[str]:
        faults = set() if opener.subject in self.consents.subjects else {"SubjectUnknown"}
        if opener.reason == ZERO:
            faults.add("ReasonZero")
        if opener.duration > LONGEST:
            faults.add("DurationTooLong")
        if self.consents.members.member_with_role(opener.by.account, RESPONDER) == ZERO:
            faults.add("NotResponder")
        if opener.by.flaw:
            faults.add("SignatureInvalid")
        if opener.id in self.openings:
            faults.add("AlreadyOpened")
        return faults

    def _countersignature_faults(self, opener: Opener) -> set[str]:
        members = self.consents.members
        member = members.member_with_role(opener.by.account, RESPONDER)
        if opener.countersigner is None:
            return {"CountersignatureNeeded"} if self.overdue(member) else set()
        other = members.member_with_role(opener.countersigner.account, RESPONDER)
        faults = {"NotResponder"} if other == ZERO else set()
        if other == member:
            faults.add("CountersignerNotAnother")
        if opener.countersigner.flaw:
            faults.add("SignatureInvalid")
        return faults

    def _opening(self, opener: Opener, opened_at: int) -> Opening:
        members = self.consents.members
        asked = opener.duration or DEFAULT_DURATION
        policy = self.policy_at(opener.subject, opened_at)
        given = asked if policy == ALLOW else asked // 2
        # Late, and forbidden since: its window ends there.
        forbidden = self.first_forbid_from(opener.subject, opened_at)
        countersigner = ZERO
        if opener.countersigner:
            countersigner = members.member_of(opener.countersigner.account)
        return Opening(
            opener.subject,
            opener.by.account,
            members.member_of(opener.by.account),
            countersigner,
            opened_at,
            min(opened_at + given, forbidden or opened_at + given),
            self.now,
            opener.local_time is not None,
        )

    # --- what counts

    def ends_at(self, opening: Opening) -> int:
        """Its end, its closing or the forbid, whichever was first."""
        forbidden = self.first_forbid_from(opening.subject, opening.opened_at)
        ends = [opening.expires_at, opening.closed_at or opening.expires_at, forbidden or opening.expires_at]
        return min(ends)

    def is_over(self, opening: Opening) -> bool:
        return self.now >= self.ends_at(opening)

    def is_open(self, id_: bytes) -> bool:
        opening = self.openings.get(id_)
        if opening is None or self.is_over(opening):
            return False
        return self.consents.members.member_with_role(opening.responder, RESPONDER) == opening.member

    def unreviewed(self, member: bytes) -> list[bytes]:
        """In the order of recording."""
        return [id_ for id_, each in self.openings.items() if each.member == member and not each.reviewed_at]

    def overdue(self, member: bytes) -> bool:
        waiting = self.unreviewed(member)
        return bool(waiting) and self.now >= self.openings[waiting[0]].recorded_at + REVIEW

    # --- closing and review

    def close(self, id_: bytes, by: InPerson) -> list[Event]:
        opening = self.openings.get(id_)
        if opening is None:
            raise Refused({"OpeningUnknown"})
        if self.is_over(opening):
            return []  # whoever asks
        controller = self.consents.subjects[opening.subject].controller
        faults = set() if by.account in {opening.responder, controller} - {NOBODY} else {"MayNotClose"}
        if by.flaw:
            faults.add("SignatureInvalid")
        refuse(faults)
        opening.closed_at = self.now
        return [Event("EmergencyClosed", opening=id_, closer=by.account, closedAt=self.now)]

    def review(self, id_: bytes, finding: bytes, by: InPerson) -> list[Event]:
        opening = self.openings.get(id_)
        faults = {"FindingZero"} if finding == ZERO else set()
        members = self.consents.members
        member = members.member_of(by.account)
        if not any(members.member_has_role(member, role) for role in (CUSTODIAN, ETHICS_BOARD)):
            faults.add("NotReviewer")
        if by.flaw:
            faults.add("SignatureInvalid")
        if opening is None:
            raise Refused({"OpeningUnknown"} | faults)
        if not self.is_over(opening):
            faults.add("OpeningNotOver")
        if member in {opening.member, opening.countersigner} - {ZERO}:
            faults.add("ReviewerTookPart")
        if opening.reviewed_at:
            faults.add("AlreadyReviewed")
        refuse(faults)
        opening.finding, opening.reviewed_at = finding, self.now
        fields = {"opening": id_, "reviewer": member, "finding": finding, "reviewedAt": self.now}
        return [Event("EmergencyReviewed", **fields)]
