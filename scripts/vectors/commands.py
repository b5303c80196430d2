"""A case for each command that is signed: who signs it, what must be there, and the call that carries it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, cast

from backend.adapters.ledger.headers import delegation_header, grant_header
from backend.consent.recovery_terms import (
    AcceptRecovery,
    ConfirmRecovery,
    DelegatedEndForCause,
    EndForCause,
    ProposeRecovery,
    RecoveryPolicy,
    SetRecoveryPolicy,
    VetoRecovery,
)
from backend.consent.terms import (
    ABSENT,
    UNBOUNDED,
    DelegatedDelegation,
    DelegatedGrant,
    DelegatedRevoke,
    Delegation,
    Document,
    Grant,
    Kind,
    OpenSubject,
    Revoke,
    RevokeAll,
)
from backend.consent.typed_data import Signable, consent_id, struct_hash
from backend.types import Bytes32, UnixSeconds
from scripts.vectors import world as w
from scripts.vectors.deployment import DOMAINS, Step, account, returned, sign
from scripts.vectors.documents import documents

SOON: Final = UnixSeconds(w.START + w.DAY)
BEFORE: Final = w.START + 10
AT: Final = w.START + 1000


@dataclass(frozen=True, slots=True)
class SignedCase:
    """``call`` carries ``signer``'s signature of ``message``; ``before`` must have happened."""

    name: str
    contract: str
    message: Signable
    signer: str
    call: Step
    before: tuple[Step, ...] = ()

    @property
    def signature(self) -> bytes:
        return sign(self.signer, self.message, DOMAINS[self.contract])


def registry(function: str, *arguments: Any, at: int = AT, **more: Any) -> Step:
    """Return a call of the consent registry."""
    return Step(at, "ConsentRegistry", function, arguments, **more)


def consent_signature(who: str, message: Signable) -> bytes:
    return sign(who, message, DOMAINS["ConsentRegistry"])


def given(document: Document, *, at: int = AT, says: str = "") -> Step:
    """Return the recording of a document that the patient signed."""
    function = "grant" if isinstance(document, Grant) else "delegate"
    answer = returned("ConsentRegistry", function, consent_id(document))
    signature = consent_signature("patient", document)
    return Step(*(at, "ConsentRegistry", function, (header(document), signature)), answer=answer, says=says)


def header(document: Document) -> tuple[Any, ...]:
    return grant_header(document) if isinstance(document, Grant) else delegation_header(document)


def consent_cases() -> Iterator[SignedCase]:
    """Yield those of the consent registry."""

    def case(name: str, message: Signable, call: Step, *before: Step, signer: str = "patient") -> SignedCase:
        return SignedCase(name, "ConsentRegistry", message, signer, call, before)

    named = dict(documents())
    superseded = w.grant(label="permit")
    for name, document in named.items():
        if name != "carer":  # has a parent, so it is recorded by the delegate above it: delegated_delegation
            before = (given(superseded, at=BEFORE),) if name == "permit_with_rules" else ()
            yield case(name, document, given(document), *before)
    permit = named["permit"]
    mother, guardian = (cast(Delegation, named[each]) for each in ("delegation", "guardianship"))
    chain, under = [delegation_header(mother)], consent_id(mother)
    delegated = given(mother, at=BEFORE)
    granted = given(permit, at=BEFORE + 1)

    def by_mother(function: str, message: Signable, *arguments: Any, answer: bytes = b"") -> Step:
        return registry(function, *arguments, chain, consent_signature("mother", message), answer=answer)

    grant = DelegatedGrant(w.grant(label="delegated"), under)
    answer = returned("ConsentRegistry", "grantByDelegate", consent_id(grant.grant))
    call = by_mother("grantByDelegate", grant, grant_header(grant.grant), answer=answer)
    yield case("delegated_grant", grant, call, delegated, signer="mother")
    child = DelegatedDelegation(w.delegation(delegate=w.CARER, parent=under, label="child"), under)
    answer = returned("ConsentRegistry", "subdelegate", consent_id(child.child))
    call = by_mother("subdelegate", child, delegation_header(child.child), answer=answer)
    yield case("delegated_delegation", child, call, delegated, signer="mother")
    revoke = Revoke(consent_id(permit))
    call = registry("revoke", revoke.consent, consent_signature("patient", revoke))
    yield case("revoke", revoke, call, granted)
    delegated_revoke = DelegatedRevoke(consent_id(permit), under)
    call = by_mother("revokeByDelegate", delegated_revoke, delegated_revoke.consent)
    yield case("delegated_revoke", delegated_revoke, call, delegated, granted, signer="mother")
    revoke_all = RevokeAll(w.SUBJECT, 0)
    call = registry("revokeAll", w.SUBJECT, 0, consent_signature("patient", revoke_all))
    yield case("revoke_all", revoke_all, call)
    opening = OpenSubject(w.OTHER_SUBJECT, account("stranger"), SOON)
    signature = consent_signature("stranger", opening)
    arguments = (opening.subject, opening.controller, opening.submit_by, signature)
    call = registry("openSubject", *arguments, sender="hospital")
    yield case("open_subject", opening, call, signer="stranger")
    end = EndForCause(under)
    call = registry("endForCause", under, consent_signature("patient", end))
    yield case("end_for_cause", end, call, delegated)
    end_by = DelegatedEndForCause(under, consent_id(guardian))
    signature = consent_signature("mother", end_by)
    call = registry("endForCauseByGuardian", under, [delegation_header(guardian)], signature)
    named_guardian = given(guardian, at=BEFORE + 1)
    yield case("delegated_end_for_cause", end_by, call, delegated, named_guardian, signer="mother")
    sole = guardianship_of_child(w.START, UnixSeconds(w.END))
    answer = returned("ConsentRegistry", "openSubjectUnderGuardian", consent_id(sole))
    signed = (delegation_header(sole), consent_signature("mother", sole))
    call = registry("openSubjectUnderGuardian", *signed, sender="hospital", answer=answer)
    yield case("guardianship_of_child", sole, call, signer="mother")


def guardianship_of_child(start: UnixSeconds, end: UnixSeconds) -> Delegation:
    """Return the guardianship that the mother takes on over another subject."""
    dates = {"not_before": start, "not_after": end, "submit_by": UNBOUNDED}
    return w.delegation(Kind.GUARDIANSHIP, label="child", subject=w.OTHER_SUBJECT, parent=ABSENT, **dates)


class Recoveries:
    """The mother, as the one guardian, gives the patient's subject to the carer; the hospital is the desk."""

    guardian: Final = w.delegation(Kind.GUARDIANSHIP, label="recovery")
    policy: Final = RecoveryPolicy((consent_id(guardian),), 1, Bytes32(w.salt("policy")))

    def signature(self, who: str, message: Signable) -> bytes:
        return sign(who, message, DOMAINS["Recovery"])

    def step(self, at: int, function: str, *arguments: Any, **more: Any) -> Step:
        return Step(at, "Recovery", function, arguments, **more)

    def set_policy(self, at: int, **more: Any) -> Step:
        command = SetRecoveryPolicy(w.SUBJECT, self.policy, 0, SOON)
        signature = self.signature("patient", command)
        return self.step(
            at, "setRecoveryPolicy", w.SUBJECT, struct_hash(self.policy), 0, SOON, signature, **more
        )

    def propose(self, at: int, *, with_desk: bool = True, **more: Any) -> Step:
        values = (w.SUBJECT, account("carer"), 0, SOON)
        proof = (
            (list(self.policy.guardianships), self.policy.threshold, self.policy.salt),
            [delegation_header(self.guardian)],
            [self.signature("mother", ProposeRecovery(*values))],
            self.signature("carer", AcceptRecovery(*values)),
            account("hospital") if with_desk else "0x" + "00" * 20,
            self.signature("hospital", ConfirmRecovery(*values)) if with_desk else b"",
        )
        return self.step(at, "proposeRecovery", values, proof, **more)


def recovery_cases() -> Iterator[SignedCase]:
    """Yield those of recovery. Completing one is not signed."""
    the = Recoveries()
    named, policy = given(the.guardian, at=BEFORE), the.set_policy(BEFORE + 1)
    setting = SetRecoveryPolicy(w.SUBJECT, the.policy, 0, SOON)
    yield SignedCase("set_recovery_policy", "Recovery", setting, "patient", the.set_policy(AT))
    values = (w.SUBJECT, account("carer"), 0, SOON)
    steps: tuple[tuple[str, Signable, str], ...] = (
        ("propose_recovery", ProposeRecovery(*values), "mother"),
        ("accept_recovery", AcceptRecovery(*values), "carer"),
        ("confirm_recovery", ConfirmRecovery(*values), "hospital"),
    )
    for name, message, signer in steps:
        yield SignedCase(name, "Recovery", message, signer, the.propose(AT), (named, policy))
    veto = VetoRecovery(w.SUBJECT, 1)
    call = the.step(AT, "vetoRecovery", w.SUBJECT, 1, the.signature("patient", veto))
    proposed = the.propose(BEFORE + 2)
    yield SignedCase("veto_recovery", "Recovery", veto, "patient", call, (named, policy, proposed))
