"""Members, accounts, and what the AccessManager was told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from backend.consent.ledger_types import NOBODY, MemberStanding
from backend.explorer.thing import Thing, View
from backend.explorer.wording import called, iso, role_names
from backend.types import subject_text, to_hex

_ACCOUNT_BITS: Final = 160
_SUBJECT_BITS: Final = 96


def member_things(view: View, word: bytes) -> Iterator[Thing]:
    found = view.state.participants.members.get(word)
    if found is None:
        return
    standing = MemberStanding(found.standing).name.lower()
    expired = found.standing == MemberStanding.ACTIVE and view.now >= found.expiry
    facts: dict[str, Any] = {
        "account": "none" if found.account == NOBODY else found.account,
        "roles": role_names(found.roles),
        "credential until": iso(found.expiry),
        "credential hash": to_hex(found.credential_hash),
        "key hash": to_hex(found.key_hash),
    }
    waiting = [
        to_hex(opening)
        for each in view.since_first()
        for opening in each.patients.emergencies.unreviewed.get(word, ())
    ]
    if waiting:
        facts["openings that wait for a review"] = waiting
    yield Thing("member", f"{standing}, but its credential has expired" if expired else standing, facts)


def account_things(view: View, word: bytes) -> Iterator[Thing]:
    if int.from_bytes(word) >> _ACCOUNT_BITS or not int.from_bytes(word) >> _SUBJECT_BITS:
        return
    account, state, consents = f"0x{word[12:].hex()}", view.state, view.patients.consents
    facts: dict[str, Any] = {}
    member = state.participants.member_of.get(account)
    if member and any(member):
        facts["member"] = to_hex(member)
    controlled = [
        subject_text(subject)
        for subject, packed in consents.subjects.items()
        if packed & (1 << _ACCOUNT_BITS) - 1 == int.from_bytes(word)
    ]
    held = sum(
        1 for (holder, _), found in state.records.commitments.items() if holder == account and found[0]
    )
    found = (
        ("controls subjects", controlled),
        ("delegate of", [to_hex(each) for each, who in consents.delegates.items() if who == account]),
        ("record versions committed", held),
        ("paid for study", to_hex(state.market.payees[account]) if account in state.market.payees else ""),
        ("named for donations", "yes" if account in state.market.donations else ""),
        ("roles of the AccessManager", [
            str(number) for number, role in state.access.roles.items() if role.members.get(account, (0, 0))[0]
        ]),
    )  # fmt: skip
    facts |= {name: value for name, value in found if value}
    if facts:
        yield Thing("account", "known", facts)


def operation_things(view: View, word: bytes) -> Iterator[Thing]:
    found = view.state.access.operations.get(word)
    if found is None:
        return
    facts = {"call": called(found.data), "on": found.target, "announced by": found.caller}
    state = f"announced, may be carried out from {iso(found.due)}" if found.due else "over"
    yield Thing("announced operation", state, facts)
