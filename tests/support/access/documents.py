"""What people sign for their consents."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from eth_utils.crypto import keccak

from backend.consent.terms import Delegation, Grant, Kind
from backend.types import Bytes32, ConsentId, UnixSeconds
from tests.support.access.known import MASKS, RELATIONSHIP, SUMMARY
from tests.support.access.node import START
from tests.support.ledger_world import Person
from tests.support.ledger_world import delegation as any_delegation
from tests.support.ledger_world import grant as any_grant

END = UnixSeconds(START + 300 * 86_400)
ALWAYS = UnixSeconds(2**40 - 1)
# In place of those of any grant: what a scan of the chain looks for.
_TERMS: dict[str, Any] = {**MASKS, "summary": SUMMARY}
NOTHING = ConsentId(bytes(32))


def word(text: str) -> Bytes32:
    return Bytes32(keccak(text=text))


def consent(subject: int, label: str, kind: Kind = Kind.PERMIT, supersedes: ConsentId = NOTHING) -> Grant:
    """Return a consent that is good from its block on; ``label`` is its salt's."""
    made = any_grant(subject, salt=word(label), kind=kind)
    return replace(
        made,
        terms=replace(made.terms, **_TERMS),
        not_before=UnixSeconds(0),
        not_after=END,
        supersedes=supersedes,
        submit_by=ALWAYS,
    )


def delegation(
    subject: int,
    delegate: Person,
    powers: int,
    *,
    label: str = "",
    kind: Kind = Kind.DELEGATION,
    depth: int = 2,
    parent: ConsentId = NOTHING,
) -> Delegation:
    made = any_delegation(subject, delegate, powers=powers, kind=kind, depth=depth, parent=parent)
    return replace(
        made,
        not_before=UnixSeconds(0),
        not_after=END,
        terms=replace(made.terms, relationship=RELATIONSHIP, salt=word(label or "delegation"), **_TERMS),
        submit_by=ALWAYS,
    )
