"""The tree of a payout is OpenZeppelin's standard tree, and every leaf of it is proved."""

from __future__ import annotations

import pytest
from eth_abi.abi import encode
from eth_hash.auto import keccak
from hypothesis import given
from hypothesis import strategies as st

from backend.research.money.tree import Tree, is_proved, leaf_of
from backend.research.money.types import EscrowTerms, Payment, RoundId, round_id
from backend.types import Address, Bytes32, MemberId

ROUND = RoundId(Bytes32(keccak(b"round")))


def _hashed(kinds: list[str], values: list[object]) -> Bytes32:
    return Bytes32(keccak(keccak(encode(kinds, values))))


def _payment(number: int) -> Payment:
    account = Address("0x" + keccak(b"account %d" % number)[:20].hex())
    return Payment(number, account, 100 + number, Bytes32(keccak(b"salt %d" % number)))


def _leaves(count: int) -> list[Bytes32]:
    return [leaf_of(ROUND, _payment(number)) for number in range(count)]


def test_root_is_the_one_that_openzeppelin_publishes() -> None:
    # The example in the README of @openzeppelin/merkle-tree.
    rows = [
        ("0x1111111111111111111111111111111111111111", 5_000_000_000_000_000_000),
        ("0x2222222222222222222222222222222222222222", 2_500_000_000_000_000_000),
    ]
    tree = Tree([_hashed(["address", "uint256"], list(row)) for row in rows])
    assert tree.root.hex() == "d4dee0beab2d53f2cc83e567171bd2820e49898130a22622b10ead383e90bd77"


def test_leaf_is_the_double_hash_of_the_encoded_values() -> None:
    payment = _payment(7)
    kinds = ["bytes32", "uint256", "address", "uint256", "bytes32"]
    values = [ROUND, payment.index, payment.account, payment.amount, payment.salt]
    assert leaf_of(ROUND, payment) == _hashed(kinds, values)


def test_ids_are_the_hashes_of_the_encoded_terms() -> None:
    terms = EscrowTerms(
        Bytes32(keccak(b"study")),
        MemberId(keccak(b"custodian")),
        Address("0x" + "ab" * 20),
        Address("0x" + "cd" * 20),
    )
    kinds = ["bytes32", "bytes32", "address", "address"]
    encoded = encode(kinds, [terms.study, terms.custodian, terms.funder, terms.token])
    assert terms.escrow_id == keccak(encoded)
    result = keccak(b"result")
    assert round_id(terms.escrow_id, result) == keccak(encode(["bytes32"] * 2, [terms.escrow_id, result]))
    with pytest.raises(ValueError, match="32 bytes"):
        round_id(terms.escrow_id, b"short")


@pytest.mark.parametrize("count", [*range(1, 20), 64, 100, 127])
def test_every_leaf_is_proved_and_no_other(count: int) -> None:
    leaves = _leaves(count)
    tree = Tree(leaves)
    stranger = leaf_of(ROUND, _payment(count))
    for leaf in leaves:
        proof = tree.proof_of(leaf)
        assert is_proved(leaf, proof, tree.root)
        assert not is_proved(stranger, proof, tree.root)
        assert len(proof) <= (count - 1).bit_length() + 1
    with pytest.raises(KeyError):
        tree.proof_of(stranger)


def test_single_leaf_is_its_own_root() -> None:
    (leaf,) = _leaves(1)
    assert Tree([leaf]).root == leaf
    assert Tree([leaf]).proof_of(leaf) == ()


@given(st.permutations(range(12)))
def test_order_of_leaves_does_not_matter(order: list[int]) -> None:
    leaves = _leaves(12)
    assert Tree([leaves[place] for place in order]).root == Tree(leaves).root


@given(st.integers(2, 40), st.data())
def test_changed_proof_proves_nothing(count: int, data: st.DataObject) -> None:
    leaves = _leaves(count)
    tree = Tree(leaves)
    leaf = leaves[data.draw(st.integers(0, count - 1))]
    proof = list(tree.proof_of(leaf))
    place = data.draw(st.integers(0, len(proof) - 1))
    byte = data.draw(st.integers(0, 31))
    broken = bytearray(proof[place])
    broken[byte] ^= data.draw(st.integers(1, 255))
    proof[place] = Bytes32(bytes(broken))
    assert not is_proved(leaf, proof, tree.root)


@pytest.mark.parametrize(
    "leaves", [[], [Bytes32(b"\1" * 32)] * 2, [Bytes32(b"\1" * 31)]], ids=["none", "twice", "short"]
)
def test_malformed_leaves_make_no_tree(leaves: list[Bytes32]) -> None:
    with pytest.raises(ValueError, match="at least one leaf"):
        Tree(leaves)


@pytest.mark.parametrize(
    "change",
    [
        {"index": -1},
        {"index": 2**256},
        {"amount": -1},
        {"amount": 2**256},
        {"salt": b"short"},
        {"account": "0x1234"},
    ],
)
def test_payment_that_does_not_fit_has_no_leaf(change: dict[str, object]) -> None:
    members = {"index": 1, "account": "0x" + "11" * 20, "amount": 5, "salt": b"\2" * 32}
    with pytest.raises(ValueError):
        leaf_of(ROUND, Payment(**{**members, **change}))  # type: ignore[arg-type]
