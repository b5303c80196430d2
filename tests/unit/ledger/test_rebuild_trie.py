"""Storage roots against published answers (ethereum/tests, TrieTests), and places of storage."""

from __future__ import annotations

import rlp
from eth_utils.crypto import keccak

from backend.adapters.ledger.rebuild.trie import EMPTY_ROOT, secure_root, storage_root
from backend.adapters.ledger.rebuild.words import Element, Entry, pack, word

# trieanyorder_secureTrie.json and hex_encoded_securetrie_test.json
TEXTS = {
    "e9e2935138352776cad724d31c9fa5266a5c593bb97726dd2a908fe6d53284df": {"A": "a" * 50},
    "d4cd937e4a4368d7931a9cf51686b7e10abb3dce38a39000fd7902a092b64585": {
        "doe": "reindeer", "dog": "puppy", "dogglesworth": "cat",
    },
    "29b235a58c3c25ab83010c327d5932bcf05324b7d6b1185e650798034783ca9d": {
        "do": "verb", "horse": "stallion", "doge": "coin", "dog": "puppy",
    },
}  # fmt: skip
NO_CODE = keccak(b"")
ACCOUNTS = {
    "a94f5374fce5edbc8e2a8697c15331677e6ebf0b": (1, 0x05F446A7, EMPTY_ROOT, NO_CODE),
    "095e7baea6a6c7c4c2dfeb977efac326af552d87": (
        1, 1, EMPTY_ROOT, bytes.fromhex("04bccc5d94f4d1f99aab44369a910179931772f2a5c001c3229f57831c102769"),
    ),
    "d2571607e241ecf590ed94b12d87c94babe36db6": (
        1, 0, bytes.fromhex("ba4b47865c55a341a4a78759bb913cd15c3ee8eaf30a62fa8d1c8863113d84e8"), NO_CODE,
    ),
    "62c01474f089b07dae603491675dc5b5748f7049": (0, 0, EMPTY_ROOT, NO_CODE),
    "2adc25665018aa1fe0e6bc666dac8fc2697ff9ba": (0, 0x019A59, EMPTY_ROOT, NO_CODE),
}  # fmt: skip
ACCOUNTS_ROOT = "730a444e08ab4b8dee147c9b232fc52d34a223d600031c1e9d25bfc985cbd797"


def test_root_of_published_tries() -> None:
    for root, texts in TEXTS.items():
        assert secure_root((key.encode(), value.encode()) for key, value in texts.items()).hex() == root
    items = [(bytes.fromhex(key), rlp.encode(value)) for key, value in ACCOUNTS.items()]
    assert secure_root(items).hex() == ACCOUNTS_ROOT
    assert secure_root(reversed(items)).hex() == ACCOUNTS_ROOT


def test_root_of_storage_leaves_empty_words_out_and_depends_on_every_other() -> None:
    assert storage_root([]) == EMPTY_ROOT == storage_root([(5, 0)])
    assert EMPTY_ROOT.hex() == "56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"
    words = [(slot, slot + 1) for slot in range(500)]
    root = storage_root(words)
    assert root == storage_root([*words, (1000, 0)])
    assert root != storage_root([*words, (1000, 1)])
    assert root != storage_root(words[:-1])
    assert root != storage_root([*words[:-1], (499, 501)])


def test_places_are_those_of_the_solidity_documentation() -> None:
    layout = {"_map": 2, "_plain": 1}
    key, inner = word(7), word("0x" + "11" * 20)
    at = int.from_bytes(keccak(key + (2).to_bytes(32)))
    assert Entry("_plain", (), 9).slot(layout) == 1
    assert Entry("_map", (key,), 9).slot(layout) == at
    assert Entry("_map", (key, 3), 9).slot(layout) == at + 3
    nested = int.from_bytes(keccak(inner + at.to_bytes(32)))
    assert Entry("_map", (key, inner), 9).slot(layout) == nested
    array = int.from_bytes(keccak(at.to_bytes(32)))
    assert Entry("_map", (key, Element(4)), 9).slot(layout) == array + 4
    assert Entry("_map", (key, inner, 1), 9).keys == (key, inner)
    assert str(Entry("_map", (key, 1, Element(4)), 9)) == f"_map[0x{key.hex()}]+1[4]"


def test_words_are_packed_from_the_low_end() -> None:
    assert pack((1, 8), (2, 16), (3, 40)) == 1 | 2 << 8 | 3 << 24
