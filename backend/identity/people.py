"""Who a subject id is: encrypted under the person's own key, found by a keyed index of the record number."""

from __future__ import annotations

import hashlib
import hmac
import json
import unicodedata
from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from typing import Any, Final

from backend.identity.errors import PersonInvalid, RecordNumberInvalid
from backend.identity.types import Guardian, Person
from backend.keystore import KeyName, KeyStore, secrets_in_use, version_of, versioned
from backend.sealed import DocumentSealer
from backend.types import SubjectId

PERSON_PLACE: Final = "person/1"
CLAIM_PLACE: Final = "claim/1"
_MAX_RECORD_NUMBER: Final = 64
_MAX_NAME: Final = 200


INDEX_KEYS: Final = "record-number"
"""The class of keys that blind record numbers."""


_INDEX_KEY: Final[KeyName] = ("master", "identity/record-number")


def index_key_name(version: int) -> str:
    return versioned(_INDEX_KEY, version)[1]


class People:
    def __init__(self, *, keys: KeyStore, documents: DocumentSealer) -> None:
        self.index_version = version_of(keys, INDEX_KEYS).version
        self._index_keys = [secret.reveal() for secret in secrets_in_use(keys, INDEX_KEYS, _INDEX_KEY)]
        self._documents = documents

    def index(self, record_number: str) -> bytes:
        """Return 32 bytes that are equal for equal record numbers and tell nothing without the key."""
        return self.indexes(record_number)[0]

    def indexes(self, record_number: str) -> tuple[bytes, ...]:
        """Return what may stand for a record number: more than ``index`` while its key is replaced."""
        normal = b"record-number\0" + normal_record_number(record_number).encode()
        return tuple(hmac.digest(key, normal, "sha256") for key in self._index_keys)

    def index_of_erased(self, subject_id: SubjectId) -> bytes:
        """Return what stands for the record number of somebody who was erased: no record number gives it."""
        return hmac.digest(self._index_keys[0], f"erased\0{subject_id:024x}".encode(), "sha256")

    def seal(self, person: Person, subject_id: SubjectId) -> bytes:
        plain: dict[str, Any] = asdict(person) | {"evidence_salt": person.evidence_salt.hex()}
        return self._documents.seal(json.dumps(plain).encode(), subject=subject_id, place=PERSON_PLACE)

    def seal_claim(self, message: Mapping[str, Any], subject_id: SubjectId) -> bytes:
        """Seal what was signed to claim: a guardian's says for whom, with the salt of what is on chain."""
        text = json.dumps(message, sort_keys=True)
        return self._documents.seal(text.encode(), subject=subject_id, place=CLAIM_PLACE)

    def open_claim(self, sealed: bytes, subject_id: SubjectId) -> dict[str, Any]:
        """Raises as ``open``."""
        found: dict[str, Any] = json.loads(
            self._documents.open(sealed, subject=subject_id, place=CLAIM_PLACE)
        )
        return found

    def open(self, sealed: bytes, subject_id: SubjectId) -> Person:
        """Raises SealedDocumentRefused when damaged and SecretNotFound when the person was erased."""
        plain = json.loads(self._documents.open(sealed, subject=subject_id, place=PERSON_PLACE))
        guardians = tuple(Guardian(**guardian) for guardian in plain.pop("guardians"))
        salt = bytes.fromhex(plain.pop("evidence_salt"))
        return Person(**plain, guardians=guardians, evidence_salt=salt)


def normal_record_number(text: str) -> str:
    """Return one form for what different desks type alike: NFKC, capitals, no white space.

    Raises RecordNumberInvalid for an empty or long one, or one with characters that do not print.
    """
    normal = "".join(unicodedata.normalize("NFKC", text[: _MAX_RECORD_NUMBER * 4]).upper().split())
    if not 1 <= len(normal) <= _MAX_RECORD_NUMBER or not normal.isprintable():
        raise RecordNumberInvalid(field="record_number")
    return normal


def require_acceptable(person: Person) -> None:
    """Raise PersonInvalid for an empty or long name or a birth date that is none."""
    if not 1 <= len(person.name.strip()) <= _MAX_NAME or not person.name.isprintable():
        raise PersonInvalid(field="name")
    if person.birth_date is not None:
        try:
            date.fromisoformat(person.birth_date)
        except ValueError as refusal:
            raise PersonInvalid(field="birth_date") from refusal


def evidence_digest(person: Person) -> bytes:
    """Return 32 bytes that commit to who checked what and when (the ``evidence`` of a guardianship).

    SHA-256 over JSON with sorted keys; the salt keeps it from being guessed from the chain.
    """
    seen = {
        "checked_by": person.checked_by,
        "checked_at": person.checked_at,
        "guardians": [asdict(guardian) for guardian in person.guardians],
        "salt": person.evidence_salt.hex(),
    }
    text = json.dumps(["assent/evidence/1", seen], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).digest()
