"""The proof of a payment: with it anyone can submit the claim, and check it without asking this service."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from backend.research.money.errors import ProofDocumentInvalid
from backend.research.money.tree import is_proved, leaf_of
from backend.research.money.types import (
    ChainCall,
    EscrowTerms,
    Payment,
    RoundId,
    RoundState,
    round_id,
)
from backend.types import Address, Bytes32, MemberId, to_hex

TYPE: Final = "assent-payment-proof-1"


@dataclass(frozen=True, slots=True)
class Proved:
    """What a document shows. It counts if ``payoutOf(round)`` of the market has this root."""

    chain_id: int
    market: Address
    terms: EscrowTerms
    round: RoundId
    root: Bytes32
    payment: Payment


def proof_document(
    *,
    chain_id: int,
    market: Address,
    terms: EscrowTerms,
    result: Bytes32,
    state: RoundState,
    payment: Payment,
    proof: Sequence[Bytes32],
    call: ChainCall,
) -> dict[str, Any]:
    """Return the document. ``call`` is the transaction of the claim, which any account may send."""
    return {
        "type": TYPE,
        "chain_id": str(chain_id),
        "market": market,
        "escrow": {
            "study": to_hex(terms.study),
            "custodian": to_hex(terms.custodian),
            "funder": terms.funder,
            "token": terms.token,
        },
        "result": to_hex(result),
        "round": to_hex(round_id(terms.escrow_id, result)),
        "root": to_hex(state.root),
        "opens_at": state.opens_at,
        "closes_at": state.closes_at,
        "payment": {
            "index": str(payment.index),
            "account": payment.account,
            "amount": str(payment.amount),
            "salt": to_hex(payment.salt),
        },
        "proof": [to_hex(sibling) for sibling in proof],
        "transaction": {"to": call.to, "data": to_hex(call.data), "value": "0"},
    }


def check_proof(document: Any) -> Proved:
    """Return what the document shows; raises ProofDocumentInvalid unless its ids, leaf and path agree."""
    try:
        if document["type"] != TYPE:
            raise ProofDocumentInvalid(f"This is no document of type {TYPE}.", field="type")
        escrow, leaf = document["escrow"], document["payment"]
        terms = EscrowTerms(
            study=_bytes32(escrow["study"]),
            custodian=MemberId(_bytes32(escrow["custodian"])),
            funder=_account(escrow["funder"]),
            token=_account(escrow["token"]),
        )
        payment = Payment(
            index=int(leaf["index"]),
            account=_account(leaf["account"]),
            amount=int(leaf["amount"]),
            salt=_bytes32(leaf["salt"]),
        )
        round_ = round_id(terms.escrow_id, _bytes32(document["result"]))
        root = _bytes32(document["root"])
        proof = [_bytes32(sibling) for sibling in document["proof"]]
        proved = is_proved(leaf_of(round_, payment), proof, root)
        chain_id, market, named = int(document["chain_id"]), _account(document["market"]), document["round"]
    except (KeyError, TypeError, ValueError, AttributeError) as fault:
        raise ProofDocumentInvalid("A member is missing or malformed.") from fault
    if named != to_hex(round_):
        raise ProofDocumentInvalid("The payout is not that of this escrow and result.", field="round")
    if not proved:
        raise ProofDocumentInvalid("The path does not lead from the payment to the root.", field="proof")
    return Proved(chain_id, market, terms, round_, root, payment)


def _account(text: str) -> Address:
    if len(bytes.fromhex(text.removeprefix("0x"))) != 20:
        raise ValueError("not 20 bytes")
    return Address(text)


def _bytes32(text: str) -> Bytes32:
    value = bytes.fromhex(text.removeprefix("0x"))
    if len(value) != 32:
        raise ValueError("not 32 bytes")
    return Bytes32(value)
