"""People, dates and short ways to write consents, for the published vectors and the tests of the decision."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any, Final

from backend.consent.assembly import EMPTY_SLOT
from backend.consent.decision_types import DecisionInput, Evidence, Requester, Segment
from backend.consent.ledger_types import ConsentSlot, LedgerView, Membership, MemberStanding, SubjectEvidence
from backend.consent.prepared import prepare
from backend.consent.tables import load_tables
from backend.consent.terms import (
    ABSENT,
    UNBOUNDED,
    UNLIMITED_USES,
    ZERO32,
    BreakGlass,
    ConsentTerms,
    Delegation,
    DelegationTerms,
    Document,
    Effect,
    Grant,
    Kind,
    Power,
    ResearchTerms,
    Rule,
)
from backend.types import Address, BlockNumber, Bytes32, MemberId, QueuePosition, SubjectId, UnixSeconds

TABLES = load_tables()


def member(name: str) -> MemberId:
    return MemberId(hashlib.sha256(b"vector member " + name.encode()).digest())


def _account(name: str) -> Address:
    # Not all upper or lower case digits, so already in checksum form only by luck: taken from fixed keys.
    return Address(_ACCOUNTS[name])


_ACCOUNTS = {
    "patient": "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf",  # of private key 1
    "mother": "0x2B5AD5c4795c026514f8317c7a215E218DcCD6cF",  # 2
    "carer": "0x6813Eb9362372EEF6200f3b1dbC3f819671cBA69",  # 3
    "stranger": "0x1efF47bc3a10a45D4B230B5d10E37751FE6AA718",  # 4
}
PATIENT, MOTHER, CARER, STRANGER = map(_account, _ACCOUNTS)
CLINIC, HOSPITAL, DOCTOR, UNIVERSITY = map(member, ("clinic", "hospital", "doctor", "university"))
WARD, TUMOUR_BOARD = map(member, ("ward team", "tumour board"))  # care teams of the hospital
SUBJECT = SubjectId(0x5EED0000000000000000002A)
OTHER_SUBJECT = SubjectId(0x5EED0000000000000000002B)
START = UnixSeconds(1_790_000_000)
NOW = UnixSeconds(1_800_000_000)
END = UnixSeconds(1_830_000_000)
DAY = 86_400
DATA_TIME = UnixSeconds(1_780_000_000)


def purposes(*codes: str) -> int:
    return TABLES.purposes.mask(codes)


def categories(*codes: str) -> int:
    return TABLES.categories.mask(codes)


def sensitivities(*codes: str) -> int:
    return TABLES.sensitivities.mask(codes)


def actions(*codes: str) -> int:
    return TABLES.actions.mask(codes)


def obligations(*codes: str) -> int:
    return TABLES.obligations.mask(codes)


def salt(label: str) -> Bytes32:
    return Bytes32(hashlib.sha256(b"vector salt " + label.encode()).digest())


def grant(kind: Kind = Kind.PERMIT, *rules: Rule, label: str = "", **changes: Any) -> Grant:
    """Return a grant to the clinic of laboratory results and medicines for treatment, with ``changes`` made.

    Fields of the terms and of the grant share one set of names. A deny starts as one against everyone.
    """
    permit = kind == Kind.PERMIT
    terms = ConsentTerms(
        decision=Effect.PERMIT if permit else Effect.DENY,
        grantee=CLINIC if kind != Kind.DENY else MemberId(ZERO32),
        purposes=purposes("TREAT") if permit else 0,
        categories=categories("laboratory", "medications") if permit else 0,
        sensitivities=0,
        actions=actions("access", "use") if permit else 0,
        data_from=UnixSeconds(0),
        data_to=UNBOUNDED,
        erase_by=UNBOUNDED,
        max_uses=UNLIMITED_USES if permit else 0,
        uses_per_period=UNLIMITED_USES if permit else 0,
        period_seconds=0,
        break_glass=BreakGlass.ALLOW,
        break_glass_categories=0,
        redelegation_depth=0,
        rules=rules,
        research=ResearchTerms(),
        notice=ZERO32,
        language="en",
        summary="",
        salt=salt(label),
    )
    request = salt("request") if kind == Kind.REFUSAL else ZERO32
    whole = Grant(SUBJECT, terms, START, END, kind, 0, request, ABSENT, UnixSeconds(START + DAY))
    inner = {field.name for field in dataclasses.fields(ConsentTerms)} & set(changes)
    terms = dataclasses.replace(terms, **{name: changes[name] for name in inner})
    outer = {name: value for name, value in changes.items() if name not in inner}
    return dataclasses.replace(whole, terms=terms, **outer)


def delegation(kind: Kind = Kind.DELEGATION, *, label: str = "", **changes: Any) -> Delegation:
    """Return a delegation to the mother to grant, to revoke, and to read at the request of the family."""
    terms = DelegationTerms(
        purposes=purposes("TREAT", "FAMRQT"),
        categories=categories("laboratory", "medications"),
        sensitivities=0,
        relationship="mother",
        evidence=salt("evidence"),
        notice=ZERO32,
        language="en",
        summary="",
        salt=salt(label),
    )
    powers = Power.GRANT | Power.REVOKE | Power.READ
    whole = Delegation(
        *(SUBJECT, MOTHER, int(powers), START, END, int(kind), 0, 0, ABSENT),
        terms=terms,
        submit_by=UnixSeconds(START + DAY),
    )
    inner = ({field.name for field in dataclasses.fields(DelegationTerms)}) & set(changes)
    terms = dataclasses.replace(terms, **{name: changes[name] for name in inner})
    outer = {name: value for name, value in changes.items() if name not in inner}
    return dataclasses.replace(whole, terms=terms, **outer)


def slot_of(document: Document, **changes: Any) -> ConsentSlot:
    """Return the slot that the chain keeps for a document recorded at its start."""
    slot = ConsentSlot(
        document.subject,
        int(document.kind),
        document.epoch,
        UnixSeconds(0),
        document.not_after,
        document.not_before,
    )
    return dataclasses.replace(slot, **changes)


def final(document: Document, *, via: tuple[Delegation, ...] = (), **changes: Any) -> Evidence:
    """Return evidence of a document that is final. ``taken`` and ``revocation_pending`` may be given."""
    return dataclasses.replace(
        Evidence(prepare(document, via), slot_of(document), slot_of(document)), **changes
    )


def at_head(document: Document) -> Evidence:
    """Return evidence of a document that is mined and not final."""
    return Evidence(prepare(document), EMPTY_SLOT, slot_of(document))


def received(document: Document) -> Evidence:
    """Return evidence of a document that is signed and on no block."""
    return Evidence(prepare(document), EMPTY_SLOT, EMPTY_SLOT)


def ask(*evidence: Evidence, **changes: Any) -> DecisionInput:
    """Return the question whether the clinic may access a laboratory result for treatment."""

    def subject(slots: list[ConsentSlot]) -> SubjectEvidence:
        counted = sum(slot.kind != 0 and slot.not_before != 0 and slot.subject == SUBJECT for slot in slots)
        return SubjectEvidence(PATIENT, 0, counted, True, ())

    none = Bytes32(bytes(32))
    request = DecisionInput(
        subject=SUBJECT,
        requester=Requester(DOCTOR, (CLINIC,)),
        purpose=purposes("TREAT"),
        action=actions("access"),
        segment=segment("laboratory"),
        now=NOW,
        view=LedgerView(0, BlockNumber(102), none, UnixSeconds(0), BlockNumber(100), none),
        final=subject([item.final for item in evidence]),
        head=subject([item.head for item in evidence]),
        evidence=evidence,
        queue_position=QueuePosition(5),
        tables=TABLES.digest,
    )
    asked = dataclasses.replace(request, **changes)
    standing = members(*asked.requester.members)
    given = {name: changes.get(name, standing) for name in ("members_final", "members_head")}
    return dataclasses.replace(asked, **given)


def members(*named: MemberId, **changes: Any) -> dict[MemberId, Membership]:
    """Return members in standing, with ``changes`` made to each."""
    standing = Membership(MemberStanding.ACTIVE, UNBOUNDED)
    return {member: dataclasses.replace(standing, **changes) for member in named}


FAMILY: Final[dict[str, Any]] = {"requester": Requester(account=MOTHER), "purpose": purposes("FAMRQT")}


def segment(*codes: str, sensitive: tuple[str, ...] = (), **changes: Any) -> Segment:
    """Return a segment of one moment of data."""
    whole = Segment(categories(*codes), sensitivities(*sensitive), DATA_TIME, UnixSeconds(DATA_TIME + 1))
    return dataclasses.replace(whole, **changes)
