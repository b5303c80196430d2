from __future__ import annotations

import hashlib
import os
from typing import Any

import dag_cbor
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from multiformats import CID

from backend.records import canonical
from backend.records.blocks import (
    BLOCK_BYTES,
    Root,
    Splitter,
    decode_root,
    digest_of,
    encode_root,
    is_root,
    matches,
    parse_cid,
    raw_cid,
    root_cid,
)
from backend.records.envelope_errors import BlobTooLarge, NotCanonical

A, B = raw_cid(b"a"), raw_cid(b"b")


@settings(max_examples=25)
@given(st.integers(0, 3 * BLOCK_BYTES), st.integers(50_000, 2 * BLOCK_BYTES))
def test_splitter_of_any_size_and_pieces_gives_blocks_that_join_to_the_blob(size: int, piece: int) -> None:
    blob = os.urandom(1024) * (size // 1024) + bytes(size % 1024)
    splitter = Splitter(blob[at : at + piece] for at in range(0, size, piece))
    *blocks, root = list(splitter)
    address = splitter.address
    assert b"".join(block.data for block in blocks) == blob
    assert all(len(block.data) == BLOCK_BYTES for block in blocks[:-1])
    assert all(matches(block.cid, block.data) for block in [*blocks, root])
    assert (address.size_bytes, address.sha256) == (size, hashlib.sha256(blob).digest())
    assert (root.cid, decode_root(root.data)) == (address.root, Root(address.blocks, size))


def test_splitter_address_before_the_end_is_an_error() -> None:
    with pytest.raises(RuntimeError):
        _ = Splitter([b"x"]).address


def test_splitter_past_the_largest_blob_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.records.blocks.MAX_BLOCKS", 2)
    assert len(list(Splitter([bytes(2 * BLOCK_BYTES)]))) == 3
    with pytest.raises(BlobTooLarge):
        list(Splitter([bytes(2 * BLOCK_BYTES + 1)]))


@given(st.binary(max_size=200))
def test_cids_equal_those_of_the_multiformats_package(data: bytes) -> None:
    digest = hashlib.sha256(data).digest()
    assert raw_cid(data) == str(CID("base32", 1, "raw", ("sha2-256", digest)))
    assert root_cid(data) == str(CID("base32", 1, "dag-cbor", ("sha2-256", digest)))
    assert digest_of(raw_cid(data)) == digest
    assert (is_root(raw_cid(data)), is_root(root_cid(data))) == (False, True)


@given(st.integers(0, 40))
def test_root_equals_that_of_the_dag_cbor_package(count: int) -> None:
    blocks = [raw_cid(bytes([number])) for number in range(count)]
    size = count * BLOCK_BYTES
    theirs = dag_cbor.encode({"v": 1, "size": size, "blocks": [CID.decode(cid) for cid in blocks]})
    assert encode_root(blocks, size) == theirs


@pytest.mark.parametrize(
    "text",
    [
        "",
        "b",
        "../../etc/passwd",
        A.upper(),
        A + "=",
        A[:-1],
        A + "a",
        "Q" + A[1:],
        "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n",  # version 0
        str(CID("base32", 1, "raw", ("sha2-512", bytes(64)))),
        str(CID("base32", 1, "dag-pb", ("sha2-256", bytes(32)))),
        A[:-1] + "\u0131",
    ],
)
def test_parse_cid_of_anything_else_is_refused(text: str) -> None:
    with pytest.raises(NotCanonical):
        parse_cid(text)


def test_parse_cid_of_a_cid_whose_last_bits_differ_is_refused() -> None:
    # The last character has two spare bits that must be zero: two texts must not name one block.
    alphabet = "abcdefghijklmnopqrstuvwxyz234567"
    for spare in (1, 2, 3):
        with pytest.raises(NotCanonical):
            parse_cid(A[:-1] + alphabet[alphabet.index(A[-1]) + spare])


@pytest.mark.parametrize(
    "root",
    [
        {"v": 1, "size": 2, "blocks": []},  # a block too few
        {"v": 1, "size": 1, "blocks": [A, B]},  # a block too many
        {"v": 1, "size": BLOCK_BYTES + 1, "blocks": [A]},
        {"v": 2, "size": 1, "blocks": [A]},
        {"v": 1, "size": 1, "blocks": [root_cid(b"a")]},  # a root below a root
        {"v": 1, "size": 1, "blocks": [A], "more": 1},
        {"v": 1, "blocks": [A]},
    ],
)
def test_decode_root_of_another_shape_is_refused(root: dict[str, Any]) -> None:
    data = dag_cbor.encode({**root, "blocks": [CID.decode(cid) for cid in root["blocks"]]})
    with pytest.raises(NotCanonical):
        decode_root(data)


def test_decode_root_of_damaged_or_untagged_links_is_refused() -> None:
    good = encode_root([A], 1)
    for at in range(len(good)):
        damaged = bytearray(good)
        damaged[at] ^= 0x20
        try:
            root = decode_root(bytes(damaged))
        except NotCanonical:
            continue
        # What still reads as a root is another one, which its CID tells apart.
        assert root != Root((A,), 1)
    with pytest.raises(NotCanonical):
        decode_root(canonical.encode({"v": 1, "size": 1, "blocks": [A]}))
