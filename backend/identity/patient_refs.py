"""Search by identifier that answers alike whether or not there is such a patient (invariant 10).

The answer is a reference: the identifier's keyed index and a phantom subject id, encrypted with AES-SIV (RFC
5297) for the one member that asked. Making it looks nothing up, so neither shape nor timing can tell. It is
the same for the same member and identifier, useless to another member, and is resolved only when something is
done with it. One that nobody stands behind resolves to the phantom: it was never enrolled, so all that is
asked of it waits for ever, as with a patient who does not answer. A phantom stays what it is whatever key is
replaced, as a patient does.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from backend.identity.errors import PatientReferenceInvalid
from backend.identity.people import People, normal_record_number
from backend.identity.ports import EnrolmentStore
from backend.identity.seal import Sealer
from backend.keystore import KeyStore
from backend.token_keys import token_key
from backend.types import MAX_SUBJECT_ID, MemberId, SubjectId

_CONTEXT: Final = b"assent/patient-ref/1"
_INDEX_BYTES: Final = 32
_PHANTOM_BYTES: Final = 12  # of a subject id
_BYTES: Final = 16 + _INDEX_BYTES + _PHANTOM_BYTES  # with those of SIV


class PatientReferences:
    def __init__(self, *, keys: KeyStore, people: People, store: EnrolmentStore, sealer: Sealer) -> None:
        secret = token_key(keys, "identity/patient-refs")
        self._cipher = AESSIV(HKDFExpand(algorithm=SHA512(), length=64, info=_CONTEXT).derive(secret))
        self._phantom_key = keys.get_or_create("master", "identity/phantoms").reveal()
        self._people = people
        self._store = store
        self._sealer = sealer

    def refer(self, member: MemberId, identifier: str) -> str:
        """Return the reference, 80 characters. Raises RecordNumberInvalid."""
        named = self._people.index(identifier) + self._phantom(identifier).to_bytes(_PHANTOM_BYTES)
        return base64.urlsafe_b64encode(self._cipher.encrypt(named, self._bound_to(member))).decode()

    def resolve(self, member: MemberId, reference: str) -> SubjectId:
        """Return the subject id of the patient, or a phantom: callers cannot and must not tell which.

        Raises PatientReferenceInvalid for one that was not made for this member, or before the key of the
        index was replaced: the member searches again.
        """
        try:
            raw = base64.b64decode(reference, altchars=b"-_", validate=True)
            if len(raw) != _BYTES:
                raise PatientReferenceInvalid(field="patient_ref")
            named = self._cipher.decrypt(raw, self._bound_to(member))
        except (InvalidTag, binascii.Error, ValueError) as refusal:
            raise PatientReferenceInvalid(field="patient_ref") from refusal
        found = self._store.by_record_index(named[:_INDEX_BYTES])
        # Before the claim nobody can answer a request, so an issued code changes nothing to be seen.
        if found is None or self._sealer.check(found).account is None:
            return SubjectId(int.from_bytes(named[_INDEX_BYTES:]))
        return found.subject_id

    def _bound_to(self, member: MemberId) -> list[bytes]:
        version = self._people.index_version
        return [_CONTEXT, member] if version == 1 else [_CONTEXT, member, version.to_bytes(8)]

    def _phantom(self, identifier: str) -> SubjectId:
        name = normal_record_number(identifier).encode()
        return SubjectId(int.from_bytes(hmac.digest(self._phantom_key, name, "sha256")) % MAX_SUBJECT_ID + 1)
