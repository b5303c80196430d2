"""The packed slots, against the layout written in the contract's interface."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from backend.consent.ledger_types import delegation_tag, unpack_consent_slot, unpack_subject_slot
from backend.types import ConsentId

_UINT40 = st.integers(0, 2**40 - 1)
_UINT32 = st.integers(0, 2**32 - 1)


@given(
    subject=st.integers(0, 2**96 - 1),
    kind=st.integers(0, 255),
    epoch=_UINT32,
    revoked_at=_UINT40,
    not_after=_UINT40,
    not_before=_UINT40,
)
@settings(max_examples=100)
def test_consent_slot_packed_low_to_high_unpacks(
    subject: int, kind: int, epoch: int, revoked_at: int, not_after: int, not_before: int
) -> None:
    word = subject | kind << 96 | epoch << 104 | revoked_at << 136 | not_after << 176 | not_before << 216
    slot = unpack_consent_slot(word)
    assert (slot.subject, slot.kind, slot.epoch) == (subject, kind, epoch)
    is_tag = revoked_at >= 2**39
    assert (slot.revoked_at, slot.delegation_tag) == ((0, revoked_at) if is_tag else (revoked_at, 0))
    assert (slot.not_after, slot.not_before) == (not_after, not_before)


def test_delegation_tag_is_the_low_bits_of_the_id_above_any_time() -> None:
    delegation = ConsentId(b"\xff" * 27 + b"\x81\x02\x03\x04\x05")
    assert delegation_tag(delegation) == 0x8102030405
    assert delegation_tag(ConsentId(bytes(32))) == 2**39
    assert unpack_consent_slot(delegation_tag(delegation) << 136).delegation_tag == 0x8102030405


@given(
    controller=st.integers(0, 2**160 - 1),
    epoch=_UINT32,
    count=_UINT32,
    opened=st.booleans(),
    later_flags=st.integers(0, 2**31 - 1),
)
@settings(max_examples=100)
def test_subject_slot_packed_low_to_high_unpacks(
    controller: int, epoch: int, count: int, opened: bool, later_flags: int
) -> None:
    flags = later_flags << 1 | opened
    found = unpack_subject_slot(controller | epoch << 160 | count << 192 | flags << 224)
    assert int(found.controller, 16) == controller
    assert (found.epoch, found.count, found.opened, found.slots) == (epoch, count, opened, ())


def test_subject_slot_controller_is_checksummed() -> None:
    assert unpack_subject_slot(0x5AAEB6053F3E94C9B9A09F33669435E7EF1BEAED).controller == (
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"  # an example of EIP-55
    )


def test_empty_consent_slot_is_not_recorded() -> None:
    assert not unpack_consent_slot(0).is_recorded
