"""Attempts at the consent registry."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from backend.adapters.ledger.headers import delegation_header, grant_header
from backend.consent.recovery_terms import DelegatedEndForCause, EndForCause
from backend.consent.terms import (
    Command,
    DelegatedDelegation,
    DelegatedGrant,
    DelegatedRevoke,
    Delegation,
    Kind,
    OpenSubject,
    Revoke,
    RevokeAll,
)
from backend.consent.typed_data import consent_id
from backend.types import ConsentId, SubjectId
from tests.support.access.attempt import Attempt, Maker, attempt, tries
from tests.support.access.documents import ALWAYS, consent, delegation
from tests.support.access.world import AccessWorld, Sign


@tries("ConsentRegistry.openSubject")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    command = OpenSubject(SubjectId(w.UNOPENED), w.account("successor"), ALWAYS)
    return attempt(w.UNOPENED, command.controller, ALWAYS, w.signer("successor")(command))


@tries("ConsentRegistry.openSubject/controller")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    command = OpenSubject(SubjectId(w.UNOPENED), w.account("successor"), ALWAYS)
    return attempt(w.UNOPENED, command.controller, ALWAYS, sign(command))


def _guardianship(w: AccessWorld, subject: int) -> Delegation:
    return delegation(subject, w.people["guardian"], 15, label="another", kind=Kind.GUARDIANSHIP)


def _under_guardian(subject: str, signed: bool) -> Maker:
    def make(w: AccessWorld, who: str, sign: Sign) -> Attempt:
        document = _guardianship(w, getattr(w, subject))
        signature = (sign if signed else w.signer("guardian"))(document)
        return attempt(delegation_header(document), signature, child=w.CHILD, adult=w.ADULT)

    return make


tries("ConsentRegistry.openSubjectUnderGuardian")(_under_guardian("UNOPENED", signed=False))
tries("ConsentRegistry.openSubjectUnderGuardian/guardian")(_under_guardian("UNOPENED", signed=True))
tries("ConsentRegistry.addGuardian")(_under_guardian("CHILD", signed=False))
tries("ConsentRegistry.addGuardian/guardian")(_under_guardian("CHILD", signed=True))
tries("ConsentRegistry.addGuardian/to a patient with a wallet")(_under_guardian("ADULT", signed=False))


# --- by the controller


@tries("ConsentRegistry.grant")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    document = consent(w.ADULT, "new")
    return attempt(grant_header(document), sign(document))


@tries("ConsentRegistry.grantDirect")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return attempt(grant_header(consent(w.ADULT, "new")), adult=w.ADULT)


@tries("ConsentRegistry.grantBatch")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    document = consent(w.ADULT, "new")
    return attempt([grant_header(document)], [sign(document)])


@tries("ConsentRegistry.revoke")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return attempt(w.found["a permit"], sign(Revoke(w.found["a permit"])))


@tries("ConsentRegistry.revokeDirect")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return attempt(w.found["a permit"], adult=w.ADULT)


@tries("ConsentRegistry.revokeBatch")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return attempt([w.found["a permit"]], [sign(Revoke(w.found["a permit"]))])


@tries("ConsentRegistry.revokeAhead")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    document = consent(w.ADULT, "unmined")
    return attempt(grant_header(document), sign(Revoke(consent_id(document))))


@tries("ConsentRegistry.revokeDelegationAhead")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    document = delegation(w.ADULT, w.people["newcomer"], 4)
    return attempt(delegation_header(document), sign(Revoke(consent_id(document))))


@tries("ConsentRegistry.revokeAll")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return attempt(w.ADULT, 0, sign(RevokeAll(SubjectId(w.ADULT), 0)))


@tries("ConsentRegistry.revokeAllDirect")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return attempt(w.ADULT, 0, adult=w.ADULT)


@tries("ConsentRegistry.delegate")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    document = delegation(w.ADULT, w.people["newcomer"], 4)
    return attempt(delegation_header(document), sign(document))


@tries("ConsentRegistry.delegateDirect")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return attempt(delegation_header(delegation(w.ADULT, w.people["newcomer"], 4)), adult=w.ADULT)


@tries("ConsentRegistry.endForCause")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    ended = _given(w, "grantor")
    return attempt(ended, sign(EndForCause(ended)))


# --- by delegates and guardians, each with its own chain, the others with that of the one who may


def _given(w: AccessWorld, name: str) -> ConsentId:
    return consent_id(w.chains[name][0])


def _used(w: AccessWorld, who: str, otherwise: str) -> tuple[Sequence[object], ConsentId, dict[str, object]]:
    """Return the chain's headers, its leaf and what the errors name."""
    chain = w.chain_of(who, otherwise)
    return w.headers(chain), consent_id(chain[0]), {"own": w.own(who), "held": int(chain[0].powers)}


@tries("ConsentRegistry.grantByDelegate")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    chain, leaf, named = _used(w, who, "grantor")
    document = consent(w.ADULT, "new")
    return attempt(grant_header(document), chain, sign(DelegatedGrant(document, leaf)), **named)


@tries("ConsentRegistry.grantByDelegate/superseding")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    chain, leaf, named = _used(w, who, "proxy")
    document = consent(w.ADULT, "new", supersedes=w.found["a permit"])
    return attempt(grant_header(document), chain, sign(DelegatedGrant(document, leaf)), **named)


def _revocation(target: Callable[[AccessWorld], ConsentId], otherwise: str) -> Maker:
    def make(w: AccessWorld, who: str, sign: Sign) -> Attempt:
        chain, leaf, named = _used(w, who, otherwise)
        return attempt(target(w), chain, sign(DelegatedRevoke(target(w), leaf)), **named)

    return make


tries("ConsentRegistry.revokeByDelegate")(_revocation(lambda w: w.found["a permit"], "revoker"))
tries("ConsentRegistry.revokeByDelegate/a deny")(_revocation(lambda w: w.found["a deny"], "proxy"))
tries("ConsentRegistry.revokeByDelegate/a delegation")(
    _revocation(lambda w: _given(w, "grantor"), "guardian")
)


@tries("ConsentRegistry.revokeAheadByDelegate")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    chain, leaf, named = _used(w, who, "revoker")
    document = consent(w.ADULT, "unmined")
    signature = sign(DelegatedRevoke(consent_id(document), leaf))
    return attempt(grant_header(document), chain, signature, **named)


@tries("ConsentRegistry.revokeAllByGuardian")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    chain, _, named = _used(w, who, "guardian")
    return attempt(w.ADULT, 0, chain, sign(RevokeAll(SubjectId(w.ADULT), 0)), **named)


@tries("ConsentRegistry.subdelegate")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    chain, leaf, named = _used(w, who, "delegator")
    child = delegation(w.ADULT, w.people["newcomer"], 8, depth=0, parent=leaf)
    return attempt(delegation_header(child), chain, sign(DelegatedDelegation(child, leaf)), **named)


def _end(w: AccessWorld, position: int, used: ConsentId, sign: Callable[[Command], bytes]) -> Attempt:
    ended = _given(w, "subdelegate")
    return attempt(w.headers(w.chains["subdelegate"]), position, sign(DelegatedRevoke(ended, used)))


@tries("ConsentRegistry.endDelegation")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return _end(w, 0, _given(w, "subdelegate"), sign)


@tries("ConsentRegistry.endDelegation/from above")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return _end(w, 1, _given(w, "proxy"), sign)


@tries("ConsentRegistry.endForCauseByGuardian")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    chain, leaf, named = _used(w, who, "guardian")
    ended = _given(w, "grantor")
    return attempt(ended, chain, sign(DelegatedEndForCause(ended, leaf)), **named)


# --- by the custodian that opened a subject without controller, and by Recovery


def _guardianship_id(w: AccessWorld, subject: int) -> ConsentId:
    return consent_id(w.guardianships[subject, "guardian"])


@tries("ConsentRegistry.endGuardianship")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return attempt(_guardianship_id(w, w.CHILD), child=w.CHILD)


@tries("ConsentRegistry.endGuardianship/by a suspended opener")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return attempt(_guardianship_id(w, w.SECOND_CHILD), second_child=w.SECOND_CHILD)


@tries("ConsentRegistry.endForCause/a child's guardianship")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return attempt(_guardianship_id(w, w.CHILD), b"", child=w.CHILD)


@tries("ConsentRegistry.stepRecovery")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return attempt(w.ADULT, w.account("newcomer"), False)
