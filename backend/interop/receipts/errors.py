"""Why there is no receipt, or why one does not verify."""

from __future__ import annotations

from backend.errors import InvalidInput


class ReceiptOfDelegation(InvalidInput):
    """A delegation gives powers to an account; it is no consent to the processing of data."""

    code = "receipt_of_delegation"
    remedy = "Ask for the receipt of a permit, a deny or a refusal."


class ReceiptMalformed(InvalidInput):
    """Not a signed record or receipt: no proof, another form of it, or JSON that has no canonical form."""

    code = "receipt_malformed"
    remedy = "Give the document as it was sent, with its proof."


class ReceiptKeyUnknown(InvalidInput):
    """The key set does not hold the key that the proof names."""

    code = "receipt_key_unknown"
    remedy = "Get the custodian's key set from /.well-known/document-jwks.json, over a channel you trust."


class ReceiptForged(InvalidInput):
    """The signature is not of this document, or its identifier is not the hash of the consent in it."""

    code = "receipt_forged"
    remedy = "Do not rely on it: it was changed after it was signed, or somebody else signed it."
