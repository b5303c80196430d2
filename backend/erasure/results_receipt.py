"""The receipt of a removal of a study's results, with the proof that the log says so.

Signed and verified like the receipt of an erasure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from backend.audit import codes
from backend.erasure.receipt_proof import head, instant, logged_in
from backend.erasure.results import Removal, logged_detail
from backend.interop.receipts.errors import ReceiptMalformed
from backend.interop.receipts.parties import Custodian
from backend.interop.receipts.signing import proven
from backend.interop.receipts.vocabulary import Json
from backend.types import to_hex

RESULTS_RECEIPT: Final = "assent:ResultsReceipt"
STAYS: Final = (
    "The hashes that were committed to on the chain, the entries of the audit log, what was charged to the "
    "privacy budget and what the researcher was given stay."
)


def results_receipt(removal: Removal, *, custodian: Custodian, proof: Json) -> Json:
    """Return the receipt, unsigned. ``proof``: the bundle of the log's entry."""
    name = f"urn:assent:removal:{removal.study.hex()}:{removal.what}"
    return {
        **head(RESULTS_RECEIPT, name, removal.at, custodian),
        "assent:study": to_hex(removal.study),
        "assent:what": removal.what.value,
        "assent:rule": removal.rule,
        "assent:due": instant(removal.due),
        "assent:destroyed": {"@type": "@json", "@value": dict(sorted(removal.counts.items()))},
        "rdfs:comment": STAYS,
        "assent:log": {"@type": "@json", "@value": proof},
    }


@dataclass(frozen=True, slots=True)
class VerifiedRemoval:
    """``entry`` is of the audit log, in a checkpoint of ``size`` entries; ``anchored``: on the chain too, as
    the receipt says."""

    kind: str
    study: str
    what: str
    rule: str
    removed: str
    destroyed: Mapping[str, int]
    entry: int
    size: int
    anchored: bool
    key_id: str


def verify_removal(document: object, keys: object, log_keys: Sequence[str]) -> VerifiedRemoval:
    """Check a receipt's signature, and the proof in it against the log's keys, offline.

    Raises ReceiptMalformed, ReceiptKeyUnknown, ReceiptForged.
    """
    content, key_id = proven(document, keys)
    try:
        logged = logged_in(content, log_keys)
        found = VerifiedRemoval(
            kind="ResultsReceipt",
            study=content["assent:study"],
            what=content["assent:what"],
            rule=content["assent:rule"],
            removed=content["dct:created"]["@value"],
            destroyed=content["assent:destroyed"]["@value"],
            entry=logged.entry,
            size=logged.size,
            anchored=logged.anchored,
            key_id=key_id,
        )
        study = bytes.fromhex(found.study.removeprefix("0x"))
        detail = logged_detail(study, found.what, found.rule, found.destroyed)
    except (KeyError, TypeError, ValueError, AttributeError) as failure:
        raise ReceiptMalformed from failure
    logged.require(codes.STUDY_RESULTS_REMOVED, detail)
    return found
