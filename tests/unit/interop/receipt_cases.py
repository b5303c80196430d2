"""Consents at each point of their life, with what their record is made from."""

from __future__ import annotations

from backend.consent.evidence_store import SignedDocument
from backend.consent.history import Change, Step
from backend.consent.states import State
from backend.consent.summary import with_summary
from backend.consent.terms import Delegation, Grant, Kind
from backend.consent.typed_data import Domain, consent_id
from backend.interop.receipts.events import History
from backend.interop.receipts.parties import Custodian
from backend.interop.receipts.record import Case
from backend.types import Address, BlockNumber, Bytes32, UnixSeconds
from scripts.vectors import world as w

DOMAIN = Domain(31337, Address("0x5FbDB2315678afecb367f032d93F642f64180aa3"))
CUSTODIAN = Custodian(
    w.HOSPITAL,
    "General Hospital",
    "1 Main Street, Springfield",
    "mailto:privacy@hospital.example",
    "https://hospital.example",
    jurisdiction="DE",
    storage_location="DE-BE",
)
RECEIVED = Step(Change.RECEIVED, at=w.START)
RECORDED = Step(Change.RECORDED, UnixSeconds(w.START + 2), BlockNumber(7), Bytes32(b"\x07" * 32))
REVOKED = Step(Change.REVOKED, UnixSeconds(w.START + w.DAY), BlockNumber(9), Bytes32(b"\x09" * 32))


def case(
    grant: Grant,
    *later: Step,
    state: State = State.LIVE,
    via: tuple[Delegation, ...] = (),
    now: UnixSeconds = w.NOW,
) -> Case:
    grant = with_summary(grant, w.TABLES)
    signer = via[0].delegate if via else w.PATIENT
    steps = (RECEIVED, RECORDED, *later)
    history = History(grant, consent_id(grant), steps, state, now, DOMAIN)
    return Case(history, SignedDocument(grant, b"\x01" * 65, signer, via), CUSTODIAN, "Lakeside Clinic")


CASES = {
    "permit": case(w.grant(erase_by=w.END, sensitivities=w.sensitivities("HIV"))),
    "permit in German without end of storage": case(w.grant(language="de")),
    "deny of everything to everyone": case(w.grant(Kind.DENY)),
    "refused request": case(w.grant(Kind.REFUSAL)),
    "withdrawn": case(w.grant(), REVOKED, state=State.REVOKED),
    "withdrawn, not on the chain yet": case(w.grant(), state=State.REVOKED),
    "expired": case(w.grant(), state=State.EXPIRED, now=UnixSeconds(w.END + 1)),
    "replaced by a later one": case(w.grant(), REVOKED, state=State.SUPERSEDED),
    "too late to be recorded": case(w.grant(), state=State.LAPSED),
    "suspended": case(w.grant(), state=State.SUSPENDED),
    "prohibition that was revoked": case(w.grant(Kind.DENY), REVOKED, state=State.REVOKED),
    "by a delegate": case(w.grant(), via=(w.delegation(),)),
    "by a guardian": case(w.grant(), via=(w.delegation(Kind.GUARDIANSHIP),)),
}
