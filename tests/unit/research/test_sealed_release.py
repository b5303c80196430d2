"""A dataset sealed to its researcher opens for them, as what it is, and for nobody else as nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from backend.errors import AssentError
from backend.keystore import Secret
from backend.records.context import SuiteNumber
from backend.records.envelope_errors import EnvelopeRefused, NotCanonical, SuiteRefused, WrapRefused
from backend.records.headed import beginning, take_header
from backend.records.sealing import RecipientPrivateKey
from backend.research.datasets.sealed import ReleaseHeader, open_release, seal_release

RESEARCHER = RecipientPrivateKey(Secret(b"\x0a" * 32))
STRANGER = RecipientPrivateKey(Secret(b"\x0b" * 32))
TENANT, STUDY, RELEASE = b"\x01" * 32, b"\x02" * 32, b"\x03" * 32
PACKAGE = b"PK a package" * 9000
MAGIC = b"assent-release/1\n"


def sealed() -> bytes:
    return b"".join(
        seal_release(PACKAGE, tenant=TENANT, study=STUDY, release=RELEASE, recipient=RESEARCHER.public)
    )


def opened(delivery: bytes, size: int = 1 << 20, key: RecipientPrivateKey = RESEARCHER) -> bytes:
    pieces: Iterator[bytes] = (delivery[start : start + size] for start in range(0, len(delivery), size))
    return b"".join(open_release(pieces, key).document.data)


def header_of(delivery: bytes) -> tuple[ReleaseHeader, bytes]:
    _, rest = take_header((delivery,), MAGIC, max_bytes=4096, what="")
    return open_release((delivery,), RESEARCHER).header, b"".join(rest)


@pytest.mark.parametrize("size", [1, 1000, 1 << 20])
def test_release_opens_in_pieces_of_any_size_and_says_what_it_is(size: int) -> None:
    delivery = sealed()
    assert opened(delivery, size) == PACKAGE
    header, _ = header_of(delivery)
    assert (header.tenant, header.study, header.release) == (TENANT, STUDY, RELEASE)


def test_release_shows_neither_content_nor_length() -> None:
    delivery = sealed()
    assert b"a package" not in delivery
    assert len(delivery) > len(PACKAGE)


def test_release_opens_for_nobody_else() -> None:
    delivery = sealed()
    header, rest = header_of(delivery)
    with pytest.raises(WrapRefused):
        opened(delivery, key=STRANGER)
    claimed = beginning(MAGIC, replace(header, recipient=STRANGER.public.id).encode()) + rest
    with pytest.raises(WrapRefused):
        opened(claimed, key=STRANGER)


@pytest.mark.parametrize("field", ["tenant", "study", "release", "sealed"])
def test_release_under_another_name_is_refused(field: str) -> None:
    header, rest = header_of(sealed())
    other = bytes(len(getattr(header, field)))
    with pytest.raises(WrapRefused):
        opened(beginning(MAGIC, replace(header, **{field: other}).encode()) + rest)


def test_suite_that_is_not_allowed_is_refused() -> None:
    delivery = sealed()
    with pytest.raises(SuiteRefused):
        open_release((delivery,), RESEARCHER, allowed_suites=frozenset())
    header, rest = header_of(delivery)
    with pytest.raises(SuiteRefused):
        opened(beginning(MAGIC, replace(header, suite=SuiteNumber(2)).encode()) + rest)


@pytest.mark.parametrize("place", [0, 30, 1300, -1])
def test_release_with_a_flipped_bit_gives_no_byte_of_the_chunk(place: int) -> None:
    delivery = bytearray(sealed())
    delivery[place] ^= 1
    with pytest.raises(AssentError):
        opened(bytes(delivery))


def test_release_cut_off_is_refused() -> None:
    delivery = sealed()
    with pytest.raises(EnvelopeRefused):
        opened(delivery[:-1])
    for end in (5, 200):
        with pytest.raises(NotCanonical):
            opened(delivery[:end])


@pytest.mark.parametrize("delivery", [b"", b"assent-delivery/1\n" + bytes(100), MAGIC + b"\xff" * 40])
def test_other_bytes_are_no_release(delivery: bytes) -> None:
    with pytest.raises(NotCanonical, match="not a released dataset"):
        opened(delivery)
