"""The patient and a living guardianship may erase; a delegate, and a guardianship that ended, may not."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from backend.consent.decision_types import Evidence
from backend.consent.ledger_types import UNOPENED, SubjectEvidence
from backend.consent.terms import Kind
from backend.erasure.authority import MayErase
from backend.types import UnixSeconds
from scripts.vectors import world as w

NOW = w.START + w.DAY
OPENED = replace(UNOPENED, controller=w.PATIENT, opened=True)
UNDER_GUARDIAN = replace(UNOPENED, opened=True)
GUARDIANSHIP = w.delegation(Kind.GUARDIANSHIP)


@dataclass
class Gathered:
    head: SubjectEvidence
    evidence: tuple[Evidence, ...]


def may(account: str, head: SubjectEvidence, *evidence: Evidence, now: int = NOW) -> bool:
    class Book:
        def gather(self, _: object) -> Gathered:
            return Gathered(head, evidence)

    return MayErase(evidence=Book(), clock=lambda: now)(account, w.SUBJECT)  # type: ignore[arg-type]


def test_controller_may() -> None:
    assert may(w.PATIENT, OPENED)
    assert may(w.PATIENT.lower(), OPENED)


def test_guardian_may_while_the_guardianship_lives() -> None:
    assert may(w.MOTHER, UNDER_GUARDIAN, w.final(GUARDIANSHIP))
    assert not may(w.MOTHER, UNDER_GUARDIAN, w.final(GUARDIANSHIP), now=w.END)
    living = w.final(GUARDIANSHIP)
    ended = replace(living, head=replace(living.head, revoked_at=UnixSeconds(NOW - 1)))
    for hindered in (ended, replace(living, revocation_pending=True)):
        assert not may(w.MOTHER, UNDER_GUARDIAN, hindered)
    assert not may(w.MOTHER, UNDER_GUARDIAN, w.received(GUARDIANSHIP))


@pytest.mark.parametrize("account", [w.MOTHER, "0x" + "00" * 20])
def test_delegate_and_nobody_may_not(account: str) -> None:
    assert not may(account, OPENED, w.final(w.delegation()))
    assert not may(account, UNOPENED)
