"""What an entry keeps of a decision's input reads back, and counts uses as they counted then."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.audit import cbor
from backend.audit.errors import EntryDamaged
from backend.consent.basis import Basis, Used, taken_again
from backend.consent.decision_types import Requester, Segment, Team
from backend.consent.terms import UNLIMITED_USES
from backend.consent.uses import Taken, UseLimit
from backend.types import Address, ConsentId, MemberId, UnixSeconds

NOW = UnixSeconds(1_700_000_000)
ids = st.binary(min_size=32, max_size=32)
names = st.lists(ids.map(ConsentId), max_size=3, unique=True).map(tuple)
requesters = st.builds(
    Requester,
    st.none() | ids.map(MemberId),
    st.lists(ids.map(MemberId), max_size=2).map(tuple),
    st.none() | st.just(Address("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed")),
    st.lists(st.builds(Team, ids.map(MemberId), st.none() | ids.map(MemberId)), max_size=2).map(tuple),
)
bases = st.builds(
    Basis,
    now=st.integers(0, 2**40 - 1).map(UnixSeconds),
    requester=requesters,
    fulfils=st.integers(0, 2**16 - 1),
    unrecorded=names,
    ending=names,
    suspended=st.lists(ids.map(MemberId), max_size=2).map(tuple),
    ended_epoch=st.none() | st.integers(0, 2**32 - 1),
    uses=st.lists(st.builds(Used, ids.map(ConsentId), st.integers(1, 99), st.integers(0, 9)), max_size=2).map(
        tuple
    ),
    only=st.none() | names,
    segment=st.none()
    | st.builds(
        Segment,
        st.integers(0, 2**64 - 1),
        st.integers(0, 2**32 - 1),
        st.integers(-(2**39), 0).map(UnixSeconds),
        st.integers(1, 2**40).map(UnixSeconds),
        st.frozensets(ids, max_size=2),
    ),
    asked=st.lists(st.text("s0123456789", min_size=1, max_size=6), max_size=2).map(tuple),
    unopened=st.booleans(),
)


@given(bases)
def test_basis_reads_back_from_its_one_encoding(basis: Basis) -> None:
    assert Basis.decode(basis.encode()) == basis


def test_bound_to_no_consent_is_not_the_same_as_not_bound() -> None:
    bound, free = (Basis(now=NOW, requester=Requester(), only=only) for only in ((), None))
    assert bound.encode() != free.encode()
    assert Basis.decode(bound.encode()).only == ()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x01",
        cbor.encode({"v": 1}),
        cbor.encode({"v": 2, "now": 1}),
        cbor.encode({"v": 1, "now": 1, "more": 1}),
        cbor.encode({"v": 1, "now": 1, "ending": []}),
        cbor.encode({"v": 1, "now": 1, "segment": [1, 2]}),
    ],
)
def test_anything_else_is_damaged(data: bytes) -> None:
    with pytest.raises(EntryDamaged):
        Basis.decode(data)


@given(
    limit=st.builds(
        UseLimit,
        st.integers(0, 6) | st.just(UNLIMITED_USES),
        st.integers(0, 4) | st.just(UNLIMITED_USES),
        st.integers(1, 50) | st.just(2**40 - 1),
    ),
    ages=st.lists(st.integers(0, 100), max_size=8),
    without_times=st.integers(0, 3),
)
def test_uses_taken_again_exhaust_what_was_exhausted(
    limit: UseLimit, ages: list[int], without_times: int
) -> None:
    times = tuple(UnixSeconds(NOW - age) for age in sorted(ages, reverse=True))
    made = len(times) + without_times
    times = () if limit.uses_per_period in (0, UNLIMITED_USES) else times[-limit.uses_per_period :]
    taken = Taken(made, times)
    used = Used(ConsentId(bytes(32)), made, limit.recent(taken, NOW))
    assert limit.exhausted(taken_again(used, limit, NOW), NOW) is limit.exhausted(taken, NOW)
