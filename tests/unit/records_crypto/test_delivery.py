from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from backend.errors import IntegrityError
from backend.keystore import Secret
from backend.records.context import ContentContext, SuiteNumber
from backend.records.delivery import (
    Delivery,
    Origin,
    deliver,
    deliver_end_to_end,
    open_delivery,
    read_header,
)
from backend.records.envelope import ciphertext_size, is_ciphertext_size, seal_bytes
from backend.records.envelope_errors import EnvelopeRefused, NotCanonical, SuiteRefused, WrapRefused
from backend.records.frame import describe
from backend.records.padding import padded_size
from backend.records.sealing import (
    RecipientPrivateKey,
    SlotTarget,
    open_share,
    seal_segment_key,
    seal_share,
)
from backend.records.wrapping import wrap_dek
from backend.types import ConsentId, UnixSeconds

CLINIC = RecipientPrivateKey(Secret(b"\x0a" * 32))
STRANGER = RecipientPrivateKey(Secret(b"\x0b" * 32))
REPORT = b"a report" * 5000


def delivered(context: ContentContext) -> bytes:
    source = describe(REPORT, "text/plain")
    return b"".join(deliver((REPORT,), source=source, context=context, recipient=CLINIC.public))


def end_to_end(context: ContentContext, keys: Any, **other: Any) -> bytes:
    target = SlotTarget(
        keys.laboratory.id,
        CLINIC.public.id,
        ConsentId(b"\x0c" * 32),
        UnixSeconds(2_000_000_000),
        31_337,
        b"\x0d" * 20,
    )
    origin = Origin(
        target,
        seal_segment_key(keys.laboratory, CLINIC.public, target),
        wrap_dek(keys.dek, under=keys.laboratory, context=context),
    )
    ciphertext = seal_bytes(
        REPORT, "text/plain", context=context, dek=keys.dek, erasure_share=keys.erasure_share
    )
    given: dict[str, Any] = {"erasure_share": keys.erasure_share, "origin": origin, **other}
    return b"".join(deliver_end_to_end(ciphertext, context=context, recipient=CLINIC.public, **given))


def whole(found: Delivery) -> bytes:
    return b"".join(found.document.data)


def in_pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def test_delivery_opens_for_its_reader_and_tells_what_it_is(context: ContentContext) -> None:
    found = open_delivery((delivered(context),), CLINIC)
    assert (found.header.context, found.header.origin) == (context, None)
    assert found.document.source.media_type == "text/plain"
    assert whole(found) == REPORT


@pytest.mark.parametrize("size", [7, 1000, 65_536])
def test_delivery_opens_in_pieces_of_any_size(context: ContentContext, keys: Any, size: int) -> None:
    for delivery in (delivered(context), end_to_end(context, keys)):
        assert whole(open_delivery(in_pieces(delivery, size), CLINIC)) == REPORT


def test_header_is_read_byte_by_byte(context: ContentContext) -> None:
    header, _ = read_header(in_pieces(delivered(context)[:3000], 1))
    assert header.context == context


def test_two_deliveries_of_one_document_share_no_key(context: ContentContext) -> None:
    assert delivered(context)[-4096:] != delivered(context)[-4096:]


def test_end_to_end_delivery_opens_with_what_the_reader_alone_holds(
    context: ContentContext, keys: Any
) -> None:
    found = open_delivery((end_to_end(context, keys),), CLINIC)
    assert found.header.origin is not None
    assert whole(found) == REPORT


def test_delivery_does_not_open_for_a_stranger(context: ContentContext, keys: Any) -> None:
    for delivery in (delivered(context), end_to_end(context, keys)):
        with pytest.raises(WrapRefused):
            open_delivery((delivery,), STRANGER)
        header, _ = read_header((delivery,))
        renamed = replace(header, recipient=STRANGER.public.id).prefix()
        with pytest.raises(WrapRefused):
            open_delivery((renamed + delivery[len(header.prefix()) :],), STRANGER)


def test_delivery_with_any_header_field_changed_is_refused(context: ContentContext, keys: Any) -> None:
    for delivery in (delivered(context), end_to_end(context, keys)):
        header, _ = read_header((delivery,))
        body = delivery[len(header.prefix()) :]
        changes: list[dict[str, Any]] = [
            {"context": replace(context, version=2)},
            {"context": replace(context, segment="other")},
            {"context": replace(context, record_id=bytes(16))},
            {"sealed": bytes(1168)},
        ]
        if header.origin is not None:
            changes += [
                {"origin": None},
                {"origin": replace(header.origin, slot=bytes(1168))},
                {"origin": replace(header.origin, wrapped_dek=bytes(40))},
                {
                    "origin": replace(
                        header.origin, target=replace(header.origin.target, expiry=UnixSeconds(1))
                    )
                },
            ]
        for change in changes:
            with pytest.raises(IntegrityError):
                whole(open_delivery((replace(header, **change).prefix() + body,), CLINIC))


def test_end_to_end_delivery_with_another_share_is_refused(context: ContentContext, keys: Any) -> None:
    other = end_to_end(context, keys, erasure_share=Secret(b"\x99" * 32))
    with pytest.raises(EnvelopeRefused):
        whole(open_delivery((other,), CLINIC))


def test_delivery_altered_or_cut_anywhere_gives_no_unchecked_byte(context: ContentContext, keys: Any) -> None:
    for delivery in (delivered(context), end_to_end(context, keys)):
        for at in [*range(0, len(delivery), 997), len(delivery) - 1]:
            damaged = bytearray(delivery)
            damaged[at] ^= 1
            got: list[bytes] = []
            with pytest.raises(IntegrityError):
                got.extend(open_delivery((bytes(damaged),), CLINIC).document.data)
            assert REPORT.startswith(b"".join(got))
            with pytest.raises(IntegrityError):
                whole(open_delivery((delivery[:at],), CLINIC))


def test_what_is_no_delivery_or_of_an_unknown_suite_is_refused(context: ContentContext) -> None:
    good = delivered(context)
    header, _ = read_header((good,))
    for data in (b"", b"assent-delivery/2\n" + good[18:], good[:18] + b"\xff\xff\xff\xff" + good[22:]):
        with pytest.raises(NotCanonical):
            open_delivery((data,), CLINIC)
    suite = replace(header, context=replace(context, suite=SuiteNumber(2)))
    with pytest.raises(SuiteRefused):
        open_delivery((suite.prefix() + good[len(header.prefix()) :],), CLINIC)


def test_share_opens_for_its_reader_and_segment_only(context: ContentContext, keys: Any) -> None:
    sealed = seal_share(keys.erasure_share, CLINIC.public, context)
    assert open_share(sealed, CLINIC, context) == keys.erasure_share
    for private, place in ((STRANGER, context), (CLINIC, replace(context, version=2))):
        with pytest.raises(WrapRefused):
            open_share(sealed, private, place)
    with pytest.raises(WrapRefused):
        open_share(sealed[:-1], CLINIC, context)


def test_ciphertext_sizes_are_those_of_padded_frames_and_no_other() -> None:
    possible = {ciphertext_size(padded_size(size)) for size in range(40_000)}
    assert all(is_ciphertext_size(size) == (size in possible) for size in range(max(possible)))
