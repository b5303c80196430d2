"""The receipt of an erasure: what was destroyed, what is promised, and proof that the log says so.

Signed like the receipts of consents, and verified with nothing but the custodian's key set and, for the proof
in it, the audit log's key.
"""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from backend.audit import codes
from backend.erasure.receipt_proof import head, instant, logged_in
from backend.erasure.types import ErasureRow, HoldRow
from backend.errors import InvalidInput
from backend.interop.receipts.errors import ReceiptMalformed
from backend.interop.receipts.parties import Custodian
from backend.interop.receipts.signing import proven
from backend.interop.receipts.vocabulary import Json
from backend.types import subject_text

RECEIPT: Final = "assent:ErasureReceipt"
HOLD: Final = "assent:LegalHold"
CODE_BYTES: Final = 20
LIVE_HOURS: Final = 24
BACKUP_DAYS: Final = 30
PROMISE: Final[Json] = {
    "assent:liveHours": LIVE_HOURS,
    "assent:backupDays": BACKUP_DAYS,
    "rdfs:comment": (
        "Within 24 hours of the end of the grace time nothing of it can be opened with what the running "
        "system holds, and within 30 days with what is left of backups. Not promised: what a disk's free "
        "blocks still hold, and copies that others were given while they were permitted to have them. On the "
        "chain stay pseudonymous ids, dates and salted hashes whose salts are destroyed; in the audit log "
        "stay entries that nobody can read."
    ),
}


def receipt_code(drawn: bytes) -> str:
    """Return a code, 32 letters and digits, for 20 random bytes."""
    return base64.b32encode(drawn[:CODE_BYTES]).decode().lower()


def code_hash(key: bytes, erasure_id: str, code: str) -> str:
    """Return what is kept of a code. Keyed and bound to its erasure; ``code`` as it was typed."""
    normal = "".join(code.split()).lower()
    return hmac.digest(key, f"{erasure_id}/{normal}".encode(), "sha256").hex()


def is_code_of(row: ErasureRow, key: bytes, code: str) -> bool:
    return secrets.compare_digest(row.receipt_hash, code_hash(key, row.erasure_id, code))


def receipt_of(row: ErasureRow, *, custodian: Custodian, proof: Json) -> Json:
    """Return the receipt of an erasure that is done, unsigned. ``proof``: the bundle of its entry."""
    document: Json = {
        **_head(RECEIPT, row.erasure_id, row.ended_at or 0, custodian),
        "assent:scope": _scope(row.scope.subject, row.scope.records),
        "assent:cause": row.cause.value,
        "assent:requested": instant(row.requested_at),
        "assent:graceEnded": instant(row.due_at),
        "assent:erased": instant(row.ended_at or 0),
        "assent:destroyed": _json(dict(sorted(row.destroyed.items()))),
        "assent:promise": PROMISE,
        "assent:log": _json(proof),
    }
    if row.evidence:
        document["assent:request"] = row.evidence
    if row.rule:
        document["assent:rule"] = row.rule
    return document


def hold_document(row: HoldRow, *, custodian: Custodian) -> Json:
    """Return the reason why something must be kept, unsigned."""
    return {
        **_head(HOLD, row.hold_id, row.placed_at, custodian),
        "assent:scope": _scope(row.scope.subject, row.scope.records),
        "assent:reason": row.reason.value,
        "assent:until": instant(row.until),
    }


@dataclass(frozen=True, slots=True)
class VerifiedErasure:
    """``entry`` is of the audit log, in a checkpoint of ``size`` entries; ``anchored``: on the chain too, as
    the receipt says."""

    kind: str
    identifier: str
    erased: str
    cause: str
    destroyed: Mapping[str, int]
    entry: int
    size: int
    anchored: bool
    key_id: str


def verify_erasure(document: object, keys: object, log_keys: Sequence[str]) -> VerifiedErasure:
    """Check a receipt's signature, and the proof in it against the log's keys, offline.

    Raises ReceiptMalformed, ReceiptKeyUnknown, ReceiptForged.
    """
    content, key_id = proven(document, keys)
    try:
        logged = logged_in(content, log_keys)
        found = VerifiedErasure(
            kind="ErasureReceipt",
            identifier=content["dct:identifier"].removeprefix("urn:assent:erasure:"),
            erased=content["assent:erased"]["@value"],
            cause=content["assent:cause"],
            destroyed=content["assent:destroyed"]["@value"],
            entry=logged.entry,
            size=logged.size,
            anchored=logged.anchored,
            key_id=key_id,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as failure:
        raise ReceiptMalformed from failure
    detail = _detail(found.identifier, found.cause, content["assent:scope"], found.destroyed)
    logged.require(codes.ERASURE_DONE, detail)
    return found


def logged_detail(row: ErasureRow, destroyed: Mapping[str, int]) -> dict[str, str | int]:
    """Return what the log says of an erasure: ids, codes and counts."""
    return _detail(row.erasure_id, row.cause.value, _scope(row.scope.subject, row.scope.records), destroyed)


def _detail(name: str, cause: str, scope: Json, destroyed: Mapping[str, int]) -> dict[str, str | int]:
    return {
        "erasure": name,
        "cause": cause,
        "subject": scope["assent:subject"],
        "scope": scope["@type"].removeprefix("assent:"),
        **{f"count.{kind}": count for kind, count in destroyed.items()},
    }


def _head(kind: str, name: str, at: int, custodian: Custodian) -> Json:
    word = "erasure" if kind == RECEIPT else "hold"
    return head(kind, f"urn:assent:{word}:{name}", at, custodian)


def _scope(subject: int, records: Sequence[bytes]) -> Json:
    if not records:
        return {"@type": "assent:person", "assent:subject": subject_text(subject)}
    return {
        "@type": "assent:records",
        "assent:subject": subject_text(subject),
        "assent:record": [record.hex() for record in records],
    }


def _json(value: Json) -> Json:
    """A JSON literal (JSON-LD 1.1, 4.2.2)."""
    return {"@type": "@json", "@value": value}


def require_kind(document: object) -> str:
    """Return which kind of document it is. Raises ReceiptMalformed."""
    kind: Any = document.get("@type") if isinstance(document, Mapping) else None
    if not isinstance(kind, str):
        raise ReceiptMalformed(field="@type")
    return kind


class LogKeyMissing(InvalidInput):
    """The receipt of an erasure holds a proof, and nothing was given to check it with."""

    code = "log_key_missing"
    remedy = "Give the audit log's key with --log-key: GET /v1/log/key, over a channel you trust."
