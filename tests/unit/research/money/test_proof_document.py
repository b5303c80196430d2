"""The proof of a payment shows what it shows, and a changed one is refused."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from eth_hash.auto import keccak

from backend.research.money.errors import ProofDocumentInvalid
from backend.research.money.proof_document import check_proof, proof_document
from backend.research.money.results import late_result
from backend.research.money.tree import Tree, leaf_of
from backend.research.money.types import ChainCall, EscrowTerms, Payment, RoundState, round_id
from backend.types import Address, Bytes32, MemberId, UnixSeconds

TERMS = EscrowTerms(
    Bytes32(keccak(b"study")),
    MemberId(keccak(b"custodian")),
    Address("0x" + "11" * 20),
    Address("0x" + "22" * 20),
)
RESULT = Bytes32(keccak(b"result"))
MARKET = Address("0x" + "33" * 20)


def _payment(index: int) -> Payment:
    account = Address("0x" + keccak(b"account %d" % index)[:20].hex())
    return Payment(index, account, 250, Bytes32(keccak(b"salt %d" % index)))


@pytest.fixture
def document() -> dict[str, Any]:
    round_ = round_id(TERMS.escrow_id, RESULT)
    tree = Tree([leaf_of(round_, _payment(index)) for index in range(10)])
    made = proof_document(
        chain_id=2**40 + 5,
        market=MARKET,
        terms=TERMS,
        result=RESULT,
        state=RoundState(tree.root, 2500, UnixSeconds(5), UnixSeconds(9), 1, objected=False),
        payment=_payment(4),
        proof=tree.proof_of(leaf_of(round_, _payment(4))),
        call=ChainCall(MARKET, b"\1\2"),
    )
    read: dict[str, Any] = json.loads(json.dumps(made))
    return read


def test_document_shows_payment_and_payout(document: dict[str, Any]) -> None:
    found = check_proof(document)
    assert (found.terms, found.payment) == (TERMS, _payment(4))
    assert found.round == round_id(TERMS.escrow_id, RESULT)
    assert (found.chain_id, found.market) == (2**40 + 5, MARKET)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("type",), "assent-payment-proof-2"),
        (("escrow", "study"), "0x" + "00" * 32),
        (("escrow", "funder"), MARKET),
        (("escrow", "token"), MARKET),
        (("result",), "0x" + "00" * 32),
        (("round",), "0x" + "00" * 32),
        (("root",), "0x" + "00" * 32),
        (("payment", "index"), "5"),
        (("payment", "account"), MARKET),
        (("payment", "amount"), "251"),
        (("payment", "salt"), "0x" + "00" * 32),
        (("payment", "amount"), "-1"),
        (("payment", "account"), "0x1234"),
        (("market",), "\x1b[31mred"),
        (("chain_id",), "one"),
        (("proof",), []),
        (("proof",), ["0x00"]),
        (("payment",), None),
    ],
)
def test_changed_document_is_refused(document: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    place = document
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    with pytest.raises(ProofDocumentInvalid):
        check_proof(document)


def test_document_without_any_one_member_is_refused(document: dict[str, Any]) -> None:
    needed = ("type", "chain_id", "market", "escrow", "result", "round", "root", "payment", "proof")
    for name in needed:
        less = copy.deepcopy(document)
        del less[name]
        with pytest.raises(ProofDocumentInvalid):
            check_proof(less)


@pytest.mark.parametrize("document", [None, [], "text", 5])
def test_what_is_no_document_is_refused(document: object) -> None:
    with pytest.raises(ProofDocumentInvalid):
        check_proof(document)


def test_late_results_are_distinct_and_the_first_is_the_result_itself() -> None:
    found = [late_result(RESULT, number) for number in range(50)]
    assert found[0] == RESULT
    assert len(set(found)) == 50
    assert all(len(each) == 32 for each in found)
