from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from typing import Any

import dag_cbor
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from multiformats import CID

from backend.records.blobs import load_blob
from backend.records.blocks import (
    BLOCK_BYTES,
    BlobAddress,
    Cid,
    Splitter,
    digest_of,
    encode_root,
    is_root,
    matches,
    parse_cid,
    raw_cid,
    root_cid,
)
from backend.records.envelope_errors import BlobMismatch, BlobTooLarge, NotCanonical

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
    assert address.size_bytes == size
    assert (root.cid, root.data) == (address.root, encode_root(address.blocks, size))


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


class Shelf(dict[Cid, bytes]):
    """As much of a block store as reading a blob needs."""

    get_block = dict.__getitem__


def stored(size: int) -> tuple[Shelf, BlobAddress]:
    splitter = Splitter([bytes(size)])
    shelf = Shelf(iter(splitter))
    return shelf, splitter.address


@pytest.mark.parametrize(
    "changes",
    [
        {"size_bytes": 2 * BLOCK_BYTES + 2},
        {"blocks": (raw_cid(bytes(BLOCK_BYTES)),) * 2},
        {"root": root_cid(b"another")},
    ],
)
def test_address_that_contradicts_itself_is_refused(changes: dict[str, Any]) -> None:
    _, address = stored(2 * BLOCK_BYTES + 1)
    address.require_root()
    with pytest.raises(NotCanonical):
        replace(address, **changes).require_root()


@pytest.mark.parametrize(
    "changes",
    [
        {"blocks": (raw_cid(bytes(BLOCK_BYTES)),) * 2},
        {"blocks": (raw_cid(bytes(BLOCK_BYTES)),) * 3},
        {"size_bytes": 2},
        {"size_bytes": 3 * BLOCK_BYTES},
    ],
)
def test_blob_that_is_not_what_its_address_says_is_refused(changes: dict[str, Any]) -> None:
    shelf, address = stored(2 * BLOCK_BYTES + 1)
    assert b"".join(load_blob(shelf, address)) == bytes(2 * BLOCK_BYTES + 1)  # type: ignore[arg-type]
    with pytest.raises(BlobMismatch):
        list(load_blob(shelf, replace(address, **changes)))  # type: ignore[arg-type]


def test_blob_is_read_without_its_root() -> None:
    shelf, address = stored(5)
    del shelf[address.root]
    assert list(load_blob(shelf, address)) == [bytes(5)]  # type: ignore[arg-type]


def test_blob_with_a_block_cut_off_is_refused() -> None:
    shelf, address = stored(5)
    shelf[address.blocks[0]] = bytes(4)
    with pytest.raises(BlobMismatch):
        list(load_blob(shelf, address))  # type: ignore[arg-type]
