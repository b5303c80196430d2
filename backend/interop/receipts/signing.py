"""Signs documents, and verifies them with nothing but a key set.

The proof is a JWS with detached content (RFC 7515, appendix F), ES256, over the canonical JSON (RFC 8785) of
the document without its proof. The key signs documents and nothing else, and the header's ``typ`` says so, so
that no signature can serve as an access token, nor one of those here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import rfc8785
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet
from joserfc.jws import JWSRegistry, deserialize_compact, detach_content, extract_compact, serialize_compact

from backend.consent.errors import InvalidTerms
from backend.consent.terms import Grant
from backend.consent.terms_json import from_json
from backend.consent.typed_data import consent_id
from backend.interop.receipts.errors import ReceiptForged, ReceiptKeyUnknown, ReceiptMalformed
from backend.interop.receipts.keys import DocumentKeys
from backend.interop.receipts.vocabulary import CONTEXT, Json
from backend.interop.receipts.witnesses import check_witnesses
from backend.keystore import KeyStore
from backend.types import to_hex

ALGORITHM: Final = "ES256"
TYPE: Final = "consent-document+jws"
PROOF: Final = "sec:proof"
JWS: Final = "sec:jws"
_REGISTRY: Final = JWSRegistry(algorithms=[ALGORITHM])


class DocumentSigner:
    """Holds the key that signs records and receipts, and publishes those that signed before."""

    def __init__(self, keys: KeyStore) -> None:
        ring = DocumentKeys(keys)
        self._key = ring.signer()
        self._key_id = self._key.thumbprint()
        self._published = ring.published()

    def sign(self, document: Json) -> Json:
        """Return the document with its proof."""
        header = {"alg": ALGORITHM, "kid": self._key_id, "typ": TYPE}
        signed = serialize_compact(header, rfc8785.dumps(document), self._key, registry=_REGISTRY)
        return {**document, PROOF: {"@type": "assent:DetachedJws", JWS: detach_content(signed)}}

    def public_set(self) -> Json:
        """Return the JWK Set (RFC 7517) that verifies what was signed."""
        return {
            "keys": [
                {**key.as_dict(private=False), "kid": key.thumbprint(), "use": "sig", "alg": ALGORITHM}
                for key in self._published
            ]
        }


@dataclass(frozen=True, slots=True)
class Verified:
    """``kind`` is ConsentRecord or ConsentReceipt; ``status`` is the ConsentStatus at ``created``."""

    kind: str
    identifier: str
    consent_id: str
    created: str
    status: str
    key_id: str


def verify(document: object, keys: object, *, pair_code: bytes = b"") -> Verified:
    """Return what a record or receipt is, once its proof and the hash of the consent in it are checked, and
    of a consent on paper the signatures of both witnesses; ``pair_code`` is WitnessPair's creation code.

    Raises ReceiptMalformed, ReceiptKeyUnknown, ReceiptForged.
    """
    content, key_id = proven(document, keys)
    check_witnesses(content, pair_code)
    return _read(content, key_id)


def proven(document: object, keys: object) -> tuple[Json, str]:
    """Return what a signed document with the context of a receipt says, and the id of the key that signed it.

    Raises ReceiptMalformed, ReceiptKeyUnknown, ReceiptForged.
    """
    if not isinstance(document, Mapping) or document.get("@context") != CONTEXT:
        raise ReceiptMalformed("A JSON object with the context of a receipt.", field="@context")
    proof = document.get(PROOF)
    if not isinstance(proof, Mapping) or not isinstance(proof.get(JWS), str):
        raise ReceiptMalformed(field=PROOF)
    content = {name: value for name, value in document.items() if name != PROOF}
    return content, check_proof(proof[JWS], content, keys)


def check_proof(jws: str, content: Json, keys: object) -> str:
    """Return the id of the key that signed. Raises ReceiptMalformed, ReceiptKeyUnknown, ReceiptForged."""
    try:
        payload = rfc8785.dumps(content)
        header = extract_compact(jws.encode()).headers()
    except (rfc8785.CanonicalizationError, JoseError, ValueError) as failure:
        raise ReceiptMalformed(field=PROOF) from failure
    if header.keys() != {"alg", "kid", "typ"} or header["alg"] != ALGORITHM or header["typ"] != TYPE:
        raise ReceiptMalformed("The proof has another form.", field=PROOF)
    try:
        deserialize_compact(jws, _key(keys, header["kid"]), registry=_REGISTRY, payload=payload)
    except (JoseError, ValueError) as failure:
        raise ReceiptForged(field=PROOF) from failure
    return str(header["kid"])


def _key(keys: object, key_id: object) -> ECKey:
    try:
        found = KeySet.import_key_set(keys).keys  # type: ignore[arg-type]
    except (JoseError, ValueError, TypeError, KeyError, AttributeError) as failure:
        raise ReceiptKeyUnknown("The file holds no JWK Set.", field="jwks") from failure
    # By thumbprint: a key set cannot put another key behind an id.
    key = next((key for key in found if isinstance(key, ECKey) and key.thumbprint() == key_id), None)
    if key is None:
        raise ReceiptKeyUnknown(field="jwks")
    return key


def _read(content: Json, key_id: str) -> Verified:
    record: Any = content if content.get("@type") == "dpv:ConsentRecord" else content.get("dct:subject")
    try:
        found = Verified(
            kind=str(content["@type"]).removeprefix("dpv:"),
            identifier=content["dct:identifier"],
            consent_id=record["dct:identifier"],
            created=content["dct:created"]["@value"],
            status=str(record["dpv:hasConsentStatus"]["@id"]).removeprefix("dpv:"),
            key_id=key_id,
        )
    except (KeyError, TypeError) as failure:
        raise ReceiptMalformed from failure
    message = content.get("assent:message")
    if message is not None:
        try:
            computed = to_hex(consent_id(from_json(Grant, message)))
        except InvalidTerms as failure:
            raise ReceiptForged(field="assent:message") from failure
        if computed != found.consent_id:
            raise ReceiptForged(field="assent:message")
    return found
