"""What a witnessed delegation may say, and whether two witnesses signed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from eth_keys.datatypes import PrivateKey

from backend.consent.errors import InvalidTerms, WiderThanParent
from backend.consent.subset import check_given_under
from backend.consent.terms import ZERO32, Delegation, Kind, Power
from backend.consent.validation import check_delegation
from backend.consent.witnessed import MAX_SECONDS, RELATIONSHIP, Pair
from backend.types import Address, UnixSeconds
from scripts.vectors import world as w

ONE, OTHER, STRANGER = (PrivateKey(bytes([number]) * 32) for number in (1, 2, 3))
DIGEST = w.salt("what is signed")
YEAR = 366 * 24 * 3600


def account(key: PrivateKey) -> Address:
    return Address(key.public_key.to_checksum_address())


PAIR = Pair(account(ONE), account(OTHER), w.salt("a paper"))


def witnessed(kind: Kind = Kind.GUARDIANSHIP, **changes: Any) -> Delegation:
    found = w.delegation(kind)
    start = UnixSeconds(max(found.not_before, w.START))
    found = replace(
        found,
        not_before=start,
        not_after=UnixSeconds(start + MAX_SECONDS),
        powers=Power.GRANT | Power.REVOKE,
        depth=0,
        terms=replace(found.terms, relationship=RELATIONSHIP, evidence=w.salt("scan")),
    )
    terms = changes.pop("terms", {})
    return replace(found, **changes, terms=replace(found.terms, **terms))


def sign(key: PrivateKey, digest: bytes = DIGEST) -> bytes:
    signature: bytes = key.sign_msg_hash(digest).to_bytes()
    return signature[:64] + bytes([signature[64] + 27])


@pytest.mark.parametrize("kind", [Kind.DELEGATION, Kind.GUARDIANSHIP])
def test_twelve_months_and_not_a_second_more(kind: Kind) -> None:
    assert MAX_SECONDS == YEAR
    sound = witnessed(kind)
    check_delegation(sound, w.TABLES)
    longer = replace(sound, not_after=UnixSeconds(sound.not_after + 1))
    with pytest.raises(InvalidTerms) as refusal:
        check_delegation(longer, w.TABLES)
    assert refusal.value.field == "notAfter"
    check_delegation(replace(longer, terms=replace(longer.terms, relationship="GUARD")), w.TABLES)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"terms": {"evidence": ZERO32}}, "terms.evidence"),
        ({"powers": Power.GRANT | Power.DELEGATE}, "powers"),
        ({"powers": Power.GRANT | Power.READ}, "powers"),
        ({"depth": 1}, "depth"),
        ({"not_before": UnixSeconds(0)}, "notAfter"),
    ],
)
def test_more_than_a_paper_may_is_refused(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidTerms) as refusal:
        check_delegation(witnessed(**changes), w.TABLES)
    assert refusal.value.field == field


def test_permit_of_a_paper_stays_within_its_dates() -> None:
    delegation = witnessed()
    terms = delegation.terms
    within: dict[str, Any] = {
        "purposes": terms.purposes,
        "categories": terms.categories,
        "sensitivities": terms.sensitivities,
        "not_before": delegation.not_before,
        "not_after": delegation.not_after,
    }
    check_given_under(w.grant(**within), (delegation,))
    for name, value in (
        ("not_before", delegation.not_before - 1),
        ("not_after", delegation.not_after + 1),
    ):
        with pytest.raises(WiderThanParent):
            check_given_under(w.grant(**{**within, name: value}), (delegation,))


def test_both_signed() -> None:
    assert PAIR.signed(DIGEST, sign(ONE) + sign(OTHER))


@pytest.mark.parametrize(
    "signature",
    [
        sign(ONE),
        sign(OTHER),
        sign(ONE) + sign(ONE),
        sign(OTHER) + sign(ONE),
        sign(ONE) + sign(STRANGER),
        sign(ONE) + sign(OTHER, w.salt("something else")),
        sign(ONE) + sign(OTHER) + b"\0",
        sign(ONE) + sign(OTHER)[:64] + bytes([sign(OTHER)[64] - 27]),
        bytes(130),
        b"",
    ],
)
def test_less_than_both_is_not_the_pair(signature: bytes) -> None:
    assert not PAIR.signed(DIGEST, signature)


def test_one_account_twice_is_no_pair() -> None:
    assert not Pair(PAIR.first, PAIR.first, PAIR.salt).signed(DIGEST, sign(ONE) + sign(ONE))


def test_address_follows_from_accounts_salt_code_and_factory() -> None:
    # That the chain has the same, the integration test of the API sees: the contract answers there.
    factory, other = account(STRANGER), account(ONE)
    found = {
        PAIR.address(factory, b"\x01"),
        PAIR.address(factory, b"\x02"),
        PAIR.address(other, b"\x01"),
        replace(PAIR, salt=w.salt("another paper")).address(factory, b"\x01"),
        Pair(PAIR.second, PAIR.first, PAIR.salt).address(factory, b"\x01"),
    }
    assert len(found) == 5
