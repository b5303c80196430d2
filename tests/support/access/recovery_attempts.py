"""Attempts at recoveries."""

from __future__ import annotations

from backend.adapters.ledger.headers import delegation_header
from backend.consent.recovery_terms import (
    AcceptRecovery,
    ConfirmRecovery,
    ProposeRecovery,
    RecoveryPolicy,
    SetRecoveryPolicy,
    VetoRecovery,
)
from backend.consent.terms import Delegation
from backend.consent.typed_data import consent_id, struct_hash
from backend.types import SubjectId
from tests.support.access.attempt import Attempt, attempt, tries
from tests.support.access.documents import ALWAYS, word
from tests.support.access.situation import policy_words
from tests.support.access.world import AccessWorld, Sign

_NO_DESK = "0x" + "00" * 20


@tries("Recovery.setRecoveryPolicy")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    named = RecoveryPolicy((consent_id(w.guardianships[w.ADULT, "guardian"]),), 1, word("next policy"))
    signature = sign(SetRecoveryPolicy(SubjectId(w.ADULT), named, 1, ALWAYS))
    return attempt(w.ADULT, struct_hash(named), 1, ALWAYS, signature)


def _proposal(
    w: AccessWorld, *, guardian: Delegation, by: Sign, accepted: Sign, desk: str = _NO_DESK, confirmed: Sign
) -> Attempt:
    # Two rounds are over: the recovery from the former controller was proposed and completed.
    words = (SubjectId(w.ADULT), w.account("successor"), 2, ALWAYS)
    proof = (
        policy_words(w, w.ADULT),
        [delegation_header(guardian)],
        [by(ProposeRecovery(*words))],
        accepted(AcceptRecovery(*words)),
        desk,
        confirmed(ConfirmRecovery(*words)) if desk != _NO_DESK else b"",
    )
    return attempt(words, proof, own=consent_id(guardian), adult=w.ADULT)


@tries("Recovery.proposeRecovery")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    (guardian, *_) = w.chain_of(who, "guardian")
    return _proposal(w, guardian=guardian, by=sign, accepted=w.signer("successor"), confirmed=sign)


@tries("Recovery.proposeRecovery/acceptance")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    guardian = w.guardianships[w.ADULT, "guardian"]
    return _proposal(w, guardian=guardian, by=w.signer("guardian"), accepted=sign, confirmed=sign)


@tries("Recovery.proposeRecovery/desk")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return _proposal(
        w,
        guardian=w.guardianships[w.ADULT, "guardian"],
        by=w.signer("guardian"),
        accepted=w.signer("successor"),
        desk=w.account(who, "Recovery"),
        confirmed=sign,
    )


@tries("Recovery.vetoRecovery")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return attempt(w.DISPUTED, 1, sign(VetoRecovery(SubjectId(w.DISPUTED), 1)))


def _veto(w: AccessWorld, subject: int, who: str, sign: Sign) -> Attempt:
    used = w.guardianships.get((subject, who), w.guardianships[subject, "guardian"])
    signature = sign(VetoRecovery(SubjectId(subject), 1))
    return attempt(subject, 1, delegation_header(used), signature, disputed=w.DISPUTED)


@tries("Recovery.vetoRecoveryByGuardian")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return _veto(w, w.DISPUTED_CHILD, who, sign)


@tries("Recovery.vetoRecoveryByGuardian/of a patient with a wallet")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return _veto(w, w.DISPUTED, who, sign)


@tries("Recovery.completeRecovery")
def _(w: AccessWorld, who: str, sign: Sign) -> Attempt:
    return attempt(w.DISPUTED)
