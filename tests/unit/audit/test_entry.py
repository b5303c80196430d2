from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.audit import cbor, seal
from backend.audit.entry import (
    ANONYMOUS,
    Action,
    Agent,
    AgentKind,
    AuditEvent,
    Group,
    Outcome,
    mark_of,
)
from backend.audit.errors import EntryDamaged, EventTooLarge, InvalidEvent
from backend.audit.leaf import Leaf
from backend.audit.verify import VerificationError, decode_cbor
from backend.types import MAX_SUBJECT_ID, Address, BlockNumber, ConsentId, MemberId, RecordId, SubjectId
from tests.support.memory_audit import ORIGIN, read_event

KEY, OTHER_KEY = b"\x01" * 32, b"\x02" * 32
codes = st.from_regex(r"[a-z][a-z0-9_.]{0,20}", fullmatch=True)
values = st.one_of(
    st.booleans(), st.integers(-(2**63), 2**63 - 1), st.binary(max_size=64), st.just("a-b:c/1.2")
)
events = st.builds(
    AuditEvent,
    type=codes,
    outcome=st.sampled_from(Outcome),
    occurred_at_ms=st.integers(0, 2**53 - 1),
    actor=st.builds(Agent, st.sampled_from(AgentKind), st.from_regex(r"[a-z0-9:]{0,30}", fullmatch=True)),
    organisation=st.none() | st.binary(min_size=32, max_size=32).map(MemberId),
    groups=st.lists(
        st.builds(
            Group,
            st.binary(min_size=32, max_size=32).map(MemberId),
            st.integers(0, 2**53 - 1),
            st.sampled_from([b"", b"\x07" * 32]),
        ),
        max_size=3,
    ).map(tuple),
    subject=st.none() | st.integers(1, MAX_SUBJECT_ID).map(SubjectId),
    purpose=st.none() | st.just("TREAT"),
    action=st.none() | st.sampled_from(Action),
    records=st.lists(st.binary(min_size=16, max_size=16).map(RecordId), max_size=3).map(tuple),
    segments=st.lists(st.binary(min_size=1, max_size=64), max_size=3).map(tuple),
    consents=st.lists(st.binary(min_size=32, max_size=32).map(ConsentId), max_size=3).map(tuple),
    reasons=st.lists(codes, max_size=3).map(tuple),
    final_block=st.none() | st.integers(0, 2**40).map(BlockNumber),
    obligations=st.integers(0, 2**16 - 1),
    detail=st.dictionaries(codes, values, max_size=4),
)


@given(events)
@settings(max_examples=80)
def test_event_reads_back_from_its_one_encoding(event: AuditEvent) -> None:
    data = event.encode()
    assert AuditEvent.decode(data) == event
    assert AuditEvent.decode(data).encode() == data
    assert decode_cbor(data) == cbor.decode(data)  # the verifier's own decoder sees the same


@pytest.mark.parametrize(
    "change",
    [
        {"type": "Read"},
        {"type": ""},
        {"occurred_at_ms": -1},
        {"actor": Agent(AgentKind.STAFF, "Dr Jane Doe")},
        {"actor": Agent(AgentKind.STAFF, "jane@hospital.example")},
        {"actor": Agent(AgentKind.STAFF, "a", token=b"short")},
        {"basis": bytes(4_097)},
        {"organisation": MemberId(b"short")},
        {"groups": (Group(MemberId(b"short")),)},
        {"groups": (Group(MemberId(bytes(32)), -1),)},
        {"groups": (Group(MemberId(bytes(32)), 1, b"short"),)},
        {"groups": (Group(MemberId(bytes(32))),) * 513},
        {"subject": SubjectId(0)},
        {"subject": SubjectId(2**96)},
        {"purpose": "for treatment"},
        {"records": (RecordId(b"short"),)},
        {"segments": (b"",)},
        {"segments": (bytes(65),)},
        {"consents": (ConsentId(bytes(31)),)},
        {"reasons": ("No consent was found",)},
        {"reasons": ("code",) * 513},
        {"final_block": BlockNumber(-1)},
        {"obligations": 2**63},
        {"detail": {"Note": 1}},
        {"detail": {"note": "patient said no"}},
        {"detail": {"note": bytes(65)}},
        {"detail": {"note": 1.5}},
        {"detail": {"note": None}},
    ],
)
def test_event_refuses_what_is_not_a_coded_value(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidEvent):
        replace(read_event(), **change)


@pytest.mark.parametrize(
    "values",
    [
        {"v": 2},
        {"v": 1},
        {
            "v": 1,
            "type": "a",
            "outcome": "permitted",
            "occurred_at_ms": 1,
            "actor": ["member", ""],
            "extra": 1,
        },
        {"v": 1, "type": "a", "outcome": "maybe", "occurred_at_ms": 1, "actor": ["member", ""]},
        {"v": 1, "type": "a", "outcome": "denied", "occurred_at_ms": 1, "actor": ["member"]},
        # a field that is empty is left out, so this is a second encoding of one event
        {
            "v": 1,
            "type": "a",
            "outcome": "denied",
            "occurred_at_ms": 1,
            "actor": ["member", ""],
            "obligations": 0,
        },
        [],
    ],
)
def test_event_in_another_form_is_refused(values: Any) -> None:
    with pytest.raises(EntryDamaged):
        AuditEvent.decode(cbor.encode(values))


def test_event_cannot_be_changed_through_its_detail() -> None:
    given_detail: dict[str, str | int | bool | bytes] = {"bytes": 1}
    event = replace(read_event(), detail=given_detail)
    given_detail["bytes"] = 2
    assert event.detail == {"bytes": 1}
    with pytest.raises(TypeError):
        event.detail["bytes"] = 3  # type: ignore[index]


def test_agents_hold_ids_only() -> None:
    account = Address("0x00000000000000000000000000000000000000AA")
    assert Agent.account(account).id == account.lower()
    assert Agent.member(MemberId(b"\x0c" * 32)).id == "0x" + "0c" * 32
    assert (Agent.service("relayer").kind, ANONYMOUS.id) == (AgentKind.SERVICE, "")


@given(
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**64 - 1),
    st.binary(min_size=32, max_size=32),
)
@settings(max_examples=60)
def test_leaf_is_deterministic_cbor_and_reads_back(sequence: int, time: int, some: bytes) -> None:
    leaf = Leaf(some, sequence, bytes(32), time, some[::-1])
    data = leaf.encode()
    expected = {"v": 1, "p": some, "s": sequence, "h": bytes(32), "t": time, "c": some[::-1]}
    assert data == cbor.encode(expected)
    assert Leaf.decode(data) == leaf
    for broken in (data[:-1], data + b"\x00", b"", data[:111], data[:112] + b"\x00" + data[112:]):
        with pytest.raises(ValueError):
            Leaf.decode(broken)


def test_every_flipped_bit_of_a_leaf_gives_another_leaf_or_none() -> None:
    leaf = Leaf(b"\x01" * 32, 300, b"\x02" * 32, 1_700_000_000_000, b"\x03" * 32)
    data = leaf.encode()
    for place in range(len(data) * 8):
        changed = bytearray(data)
        changed[place // 8] ^= 1 << (place % 8)
        try:
            assert Leaf.decode(bytes(changed)) != leaf
        except ValueError:
            continue


def sealed_record() -> tuple[bytes, bytes, seal.Sealed]:
    record = seal.Record(read_event().encode()).encode()
    pseudonym = seal.pseudonym_of(KEY, origin=ORIGIN, epoch=1)
    return record, pseudonym, seal.seal(record, audit_key=KEY, pseudonym=pseudonym, origin=ORIGIN)


def opened(body: bytes, sealed: seal.Sealed, **changes: Any) -> seal.Opened:
    arguments = {
        "audit_key": KEY,
        "pseudonym": sealed.pseudonym,
        "commitment": sealed.commitment,
        "origin": ORIGIN,
    }
    return seal.open_body(body, **{**arguments, **changes})


def test_sealed_record_opens_and_its_salt_opens_the_commitment() -> None:
    record, _, sealed = sealed_record()
    inside = opened(sealed.body, sealed)
    assert inside.record == record
    assert seal.commit(inside.salt, record) == sealed.commitment
    assert record.hex() not in repr(inside)
    assert record not in sealed.body


def test_same_record_sealed_twice_has_nothing_in_common() -> None:
    _, _, one = sealed_record()
    _, _, two = sealed_record()
    assert one.commitment != two.commitment
    assert one.body[1:] != two.body[1:]


@pytest.mark.parametrize(
    "change",
    [
        {"audit_key": OTHER_KEY},
        {"pseudonym": bytes(32)},
        {"commitment": bytes(32)},
        {"origin": "other.example/audit"},
    ],
)
def test_sealed_record_is_bound_to_key_chain_commitment_and_log(change: dict[str, Any]) -> None:
    _, _, sealed = sealed_record()
    with pytest.raises(EntryDamaged):
        opened(sealed.body, sealed, **change)


def test_every_flipped_bit_of_a_body_is_refused() -> None:
    _, _, sealed = sealed_record()
    for place in range(len(sealed.body)):
        changed = bytearray(sealed.body)
        changed[place] ^= 0x10
        with pytest.raises(EntryDamaged):
            opened(bytes(changed), sealed)
    for broken in (b"", sealed.body[:10], sealed.body[:-1], sealed.body + b"\x00"):
        with pytest.raises(EntryDamaged):
            opened(broken, sealed)


def test_body_of_another_record_under_the_same_commitment_is_refused() -> None:
    # what the holder of the audit key could make: everything fits except the commitment
    record, pseudonym, sealed = sealed_record()
    salt, content_key = seal._derive(KEY, sealed.body[1:33], ORIGIN)
    forged = record[:-1] + b"\x02"
    framed = len(forged).to_bytes(4, "big") + forged
    bound = seal._bound_to(ORIGIN, pseudonym, sealed.commitment)
    body = sealed.body[:33] + AESGCMSIV(content_key).encrypt(bytes(12), framed, bound)
    assert seal.commit(salt, record) == sealed.commitment
    with pytest.raises(EntryDamaged, match="commitment"):
        opened(body, sealed)


def test_length_of_a_body_does_not_tell_a_denial_from_a_permit() -> None:
    def length(event: AuditEvent) -> int:
        record = seal.Record(event.encode()).encode()
        return len(seal.seal(record, audit_key=KEY, pseudonym=bytes(32), origin=ORIGIN).body)

    denial = replace(read_event(outcome=Outcome.DENIED), consents=(), records=(), segments=())
    assert length(denial) == length(replace(denial, outcome=Outcome.UNAVAILABLE, detail={}))
    assert length(read_event()) % 256 == length(denial) % 256


def test_event_that_is_too_large_is_refused() -> None:
    event = replace(read_event(), consents=(ConsentId(bytes(32)),) * 500, segments=(bytes(64),) * 100)
    record = seal.Record(event.encode()).encode()
    with pytest.raises(EventTooLarge):
        seal.seal(record, audit_key=KEY, pseudonym=bytes(32), origin=ORIGIN)


def test_pseudonyms_differ_by_key_epoch_and_log() -> None:
    made = {
        seal.pseudonym_of(key, origin=origin, epoch=epoch)
        for key in (KEY, OTHER_KEY)
        for origin in (ORIGIN, "other.example/audit")
        for epoch in (1, 2)
    }
    assert len(made) == 8


def test_record_carries_where_the_chain_before_ended() -> None:
    record = seal.Record(b"event", seal.Before(1, 12, bytes(32)))
    assert seal.Record.decode(record.encode()) == record
    assert seal.Record.decode(seal.Record(b"event").encode()) == seal.Record(b"event")
    acted = seal.Record(b"event", None, b"\xac" * 16)
    assert seal.Record.decode(acted.encode()) == acted
    for bad in ({"v": 1}, {"v": 1, "e": b"", "x": 1}, {"v": 2, "e": b""}, {"v": 1, "e": b"", "b": [1, 2]}, 5):
        with pytest.raises(EntryDamaged):
            seal.Record.decode(cbor.encode(bad))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x18\x01",  # 1, not in its shortest form
        b"\x01\x01",  # spare byte
        b"\xa2\x61b\x01\x61a\x02",  # keys out of order
        b"\xa2\x61a\x01\x61a\x02",  # a key twice
        b"\x5f\x41a\xff",  # indefinite length
        b"\x42a",  # cut off
        b"\xfb\x3f\xf0\x00\x00\x00\x00\x00\x00",  # a float
        b"\xc2\x41\x01",  # a tag
        b"\x81" * 5_000,
    ],
)
def test_both_decoders_refuse_what_is_not_deterministic(data: bytes) -> None:
    with pytest.raises((VerificationError, KeyError, IndexError, RecursionError)):
        decode_cbor(data)
    if not data.startswith((b"\xfb", b"\xc2")):
        with pytest.raises(ValueError):
            cbor.decode(data)


def test_agent_names_its_token_and_is_the_same_without() -> None:
    marked = Agent(AgentKind.CLIENT, "c1", token=mark_of("jti"), session=mark_of("fid"))
    event = replace(read_event(), actor=marked)
    read = AuditEvent.decode(event.encode())
    assert (read.actor.token, read.actor.session) == (mark_of("jti"), mark_of("fid"))
    assert read.actor == Agent(AgentKind.CLIENT, "c1")
    assert mark_of("jti") != mark_of("fid")
    assert len(mark_of("jti")) == 16


def test_entry_of_an_older_release_reads_and_keeps_its_bytes() -> None:
    """An event from before entries named tokens and kept the basis of decisions."""
    old = bytes.fromhex(
        "aa61760164747970656b7265636f72642e72656164656163746f728266636c69656e74626331676f7574636f6d65697065726d"
        "6974746564677265636f726473815001010101010101010101010101010101677375626a6563744c00000000000000000000a1"
        "1a6a686561645f626c6f636b076b66696e616c5f626c6f636b076e6f636375727265645f61745f6d731b0000018bcfe568006e"
        "71756575655f706f736974696f6e03"
    )
    event = AuditEvent.decode(old)
    assert (event.actor, event.actor.token, event.basis) == (Agent(AgentKind.CLIENT, "c1"), b"", b"")
    assert event.encode() == old
