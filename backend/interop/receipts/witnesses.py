"""Who witnessed a consent on paper: said in its record, and checked offline.

The signer of such a consent is the account of two witnesses together. Its address follows from theirs and a
salt, so the record names all three, and nobody has to ask a chain whose signature it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from backend.consent.errors import InvalidTerms
from backend.consent.evidence_store import SignedDocument
from backend.consent.terms import DelegatedGrant, Delegation, Grant
from backend.consent.terms_json import from_json, value_from_json
from backend.consent.typed_data import Domain, consent_id, digest
from backend.consent.witnessed import Pair, is_witnessed
from backend.interop.receipts.errors import ReceiptForged
from backend.interop.receipts.vocabulary import Json
from backend.types import Address, to_hex

WITNESSES: Final = "assent:witnesses"
METHOD: Final = "witnessed paper"


@dataclass(frozen=True, slots=True)
class Witnessing:
    """The two accounts and the salt of one paper, and the contract that made their common account."""

    pair: Pair
    factory: Address


def method_part(signed: SignedDocument | None) -> Json:
    """Return how a consent on paper was given and the hash of its scan; nothing for any other consent."""
    if signed is None or not signed.via or not is_witnessed(signed.via[0]):
        return {}
    return {"assent:method": METHOD, "assent:scan": to_hex(signed.via[0].terms.evidence)}


def witnesses_part(found: Witnessing | None, domain: Domain) -> Json:
    """Return what ``check_witnesses`` needs."""
    if found is None:
        return {}
    return {
        WITNESSES: {
            "first": found.pair.first,
            "second": found.pair.second,
            "salt": to_hex(found.pair.salt),
            "factory": found.factory,
            "chainId": domain.chain_id,
            "registry": domain.verifying_contract,
        }
    }


def check_witnesses(record: Mapping[str, Any], creation: bytes) -> None:
    """Raise ReceiptForged unless both witnesses signed the consent in the record. Others pass.

    ``creation`` is WitnessPair's code, from the verifier's own copy of the contracts.
    """
    try:
        via = [from_json(Delegation, item, "assent:via.") for item in record.get("assent:via", ())]
        if not via or not is_witnessed(via[0]):
            return
        grant = from_json(Grant, record["assent:message"], "assent:message.")
        said = record[WITNESSES]
        pair = Pair(
            value_from_json("address", said["first"], "first"),
            value_from_json("address", said["second"], "second"),
            value_from_json("bytes32", said["salt"], "salt"),
        )
        factory = value_from_json("address", said["factory"], "factory")
        registry = value_from_json("address", said["registry"], "registry")
        domain = Domain(value_from_json("uint64", said["chainId"], "chainId"), registry)
        signature = bytes.fromhex(record["assent:signature"][2:])
    except (InvalidTerms, KeyError, TypeError, ValueError, AttributeError) as failure:
        raise ReceiptForged(field=WITNESSES) from failure
    command = DelegatedGrant(grant, consent_id(via[0]))
    account = pair.address(factory, creation)
    if not pair.signed(digest(command, domain), signature) or account != via[0].delegate:
        raise ReceiptForged(field="assent:signature")
