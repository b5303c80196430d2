"""Reads a signed stop that somebody holds: JSON, or the text of a stop sheet as it was printed or scanned.

Nobody has checked the signature. Only what restricts is read: anything else that a patient may have signed is
refused by its name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from backend.consent.revocations import Revocation
from backend.consent.terms import Delegation, Document, Grant
from backend.consent.terms_json import from_json, value_from_json
from backend.consent.typed_data import consent_id
from backend.errors import InvalidInput
from backend.explorer.errors import NotAStop, StopUnreadable
from backend.types import MAX_SUBJECT_ID, Address, ConsentId, SubjectId

_MEMBERS: Final = frozenset(
    {"consent_id", "subject", "epoch", "signature", "document", "document_type", "via", "chain_id"}
    | {"contract", "account"}
)
_OF_OTHERS: Final = frozenset({"terms", "message", "kind", "grantee", "decision"})  # of a grant, for one
_LABELS: Final = {
    "consent": ("consent_id", 64),
    "subject": ("subject", 24),
    "epoch": ("epoch", 0),
    "signature": ("signature", 0),
    "chain": ("chain_id", 0),
    "contract": ("contract", 40),
}  # of the sheet: the member, and its hex digits where that is fixed
_HEX: Final = re.compile(r"[0-9a-fA-F]+\Z")
_SIGNATURE: Final = re.compile(r"0x(?:[0-9a-fA-F]{2}){1,4096}\Z")
_SUBJECT: Final = re.compile(r"0x[0-9a-fA-F]{24}\Z")


@dataclass(frozen=True, slots=True)
class HeldStop:
    """``chain_id`` and ``contract``: what it was signed for, where it says so."""

    stop: Revocation
    chain_id: int | None
    contract: Address | None


def read_stop(text: str) -> HeldStop:
    """Raise StopUnreadable, NotAStop, InvalidTerms."""
    try:
        found = json.loads(text)
    except ValueError:
        found = _of_sheet(text)
    if not isinstance(found, dict):
        raise StopUnreadable
    if "typed_data" in found:
        found = _of_typed_data(found)
    if _OF_OTHERS & found.keys():
        raise NotAStop
    unknown = found.keys() - _MEMBERS
    if unknown:
        raise StopUnreadable(field=min(unknown)[:40])
    return HeldStop(_revocation(found), _integer(found, "chain_id"), _value("address", found, "contract"))


def _revocation(found: Mapping[str, Any]) -> Revocation:
    signature = found.get("signature")
    if not isinstance(signature, str) or not _SIGNATURE.match(signature):
        raise StopUnreadable(field="signature")
    signed = bytes.fromhex(signature[2:])
    via = found.get("via") or []
    if not isinstance(via, list):
        raise StopUnreadable(field="via")
    chain = tuple(from_json(Delegation, item, f"via[{number}].") for number, item in enumerate(via))
    document = _document(found)
    consent: bytes | None = _value("bytes32", found, "consent_id")
    if consent is not None:
        if document is not None and consent_id(document) != consent:
            raise StopUnreadable("The document is not the one that the id names.", field="document")
        return Revocation(signed, ConsentId(consent), document=document, via=chain)
    if document is not None:
        raise NotAStop
    subject, epoch = found.get("subject"), _integer(found, "epoch")
    if not isinstance(subject, str) or not _SUBJECT.match(subject) or epoch is None:
        raise StopUnreadable("It names neither a consent nor a subject with an epoch.")
    return Revocation(signed, subject=_subject(int(subject, 16)), epoch=epoch, via=chain)


def _document(found: Mapping[str, Any]) -> Document | None:
    document = found.get("document")
    if document is None:
        return None
    kind = found.get("document_type", "Grant")
    if kind == "Grant":
        return from_json(Grant, document, "document.")
    return from_json(Delegation, document, "document.")


def _of_typed_data(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members of what a wallet was given to sign (EIP-712), with its signature."""
    typed = found["typed_data"]
    try:
        kind, message, domain = typed["primaryType"], typed["message"], typed["domain"]
        rest = {name: value for name, value in found.items() if name != "typed_data"}
        rest |= {"chain_id": domain["chainId"], "contract": domain["verifyingContract"]}
        if kind in ("Revoke", "DelegatedRevoke"):
            return {**rest, "consent_id": message["consent"]}
        if kind == "RevokeAll":
            subject = _subject(int(str(message["subject"]), 0))
            return {**rest, "subject": f"0x{subject:024x}", "epoch": message["epoch"]}
    except (KeyError, TypeError, ValueError) as error:
        raise StopUnreadable(field="typed_data") from error
    raise NotAStop(f"This is a signed {str(kind)[:40]}, and no stop.")


def _of_sheet(text: str) -> dict[str, Any]:
    """Return what the sheet's labels name. A long number may stand on several lines."""
    words = text.replace("=", " ").split()
    found: dict[str, Any] = {}
    for place, word in enumerate(words[:-1]):
        member, digits = _LABELS.get(word.rstrip(":").lower(), ("", 0))
        value = words[place + 1]
        if not member or not (value.startswith("0x") or value.isdecimal()):
            continue
        for more in words[place + 2 :]:
            wanted = member == "signature" or len(value) < 2 + digits
            if not value.startswith("0x") or not wanted or not _HEX.match(more):
                break
            value += more
        if found.setdefault(member, value) != value:
            raise StopUnreadable(field=member)
    return found


def _value(kind: str, found: Mapping[str, Any], name: str) -> Any:
    return None if found.get(name) is None else value_from_json(kind, found[name], name)


def _integer(found: Mapping[str, Any], name: str) -> int | None:
    value: int | None = _value("uint256" if name == "chain_id" else "uint32", found, name)
    return value


def _subject(number: int) -> SubjectId:
    if not 1 <= number <= MAX_SUBJECT_ID:
        raise InvalidInput("A subject id is 1 to 96 bits.", field="subject")
    return SubjectId(number)
