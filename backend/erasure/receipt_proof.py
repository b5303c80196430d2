"""What erasure's receipts share: how they write a moment, and the check of the log's entry in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backend.audit.verify import VerificationError, verify_bundle
from backend.interop.receipts.errors import ReceiptForged
from backend.interop.receipts.parties import Custodian
from backend.interop.receipts.vocabulary import CONTEXT, Json
from backend.types import time_text, to_hex


@dataclass(frozen=True, slots=True)
class Logged:
    """``entry`` is of the audit log, in a checkpoint of ``size`` entries; ``anchored``: on the chain too, as
    the receipt says."""

    entry: int
    size: int
    anchored: bool
    event: Any

    def require(self, kind: str, detail: Mapping[str, Any]) -> None:
        """Raise ReceiptForged unless the entry is of this type and says this."""
        if (self.event.get("type"), self.event.get("detail")) != (kind, detail):
            raise ReceiptForged("The log's entry is about something else.", field="assent:log")


def logged_in(content: Mapping[str, Any], log_keys: Sequence[str]) -> Logged:
    """Check the proof in a receipt against the log's keys.

    Raises ReceiptForged, and KeyError, TypeError, ValueError or AttributeError for what is no receipt.
    """
    try:
        report = verify_bundle(content["assent:log"]["@value"], list(log_keys))
    except VerificationError as failure:
        raise ReceiptForged(f"The proof does not hold: {failure}", field="assent:log") from failure
    (entry,) = report["entries"]
    return Logged(entry["index"], report["size"], entry["anchored"], entry["event"])


def head(kind: str, identifier: str, at: int, custodian: Custodian) -> Json:
    """The members that every receipt begins with."""
    return {
        "@context": CONTEXT,
        "@type": kind,
        "dct:identifier": identifier,
        "dct:created": instant(at),
        "dct:publisher": {
            "dct:identifier": to_hex(custodian.member),
            "foaf:name": custodian.name,
            "foaf:page": custodian.url,
        },
    }


def instant(at: int) -> Json:
    return {"@type": "xsd:dateTime", "@value": time_text(at)}
