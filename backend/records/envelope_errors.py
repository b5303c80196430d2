"""What can be wrong with an encrypted record. No message tells which byte, key or check failed."""

from __future__ import annotations

from backend.errors import IntegrityError, InvalidInput


class NotCanonical(IntegrityError):
    """Stored CBOR is malformed, not in its one deterministic form, or has unknown fields."""

    code = "not_canonical"


class EnvelopeRefused(IntegrityError):
    """Ciphertext does not authenticate: altered, cut short, another key, or another record's place."""

    code = "envelope_refused"


class FrameInvalid(IntegrityError):
    """Authentic plaintext that is not a well-formed frame, or whose digest is not that of its data."""

    code = "frame_invalid"


class WrapRefused(IntegrityError):
    """A wrapped or sealed key does not open under this key and target."""

    code = "wrap_refused"


class SuiteRefused(IntegrityError):
    """The suite number is unknown or not allowed in this deployment."""

    code = "suite_refused"
    remedy = "Re-encrypt the record under an allowed suite, or allow this one in the settings."


class BlobMismatch(IntegrityError):
    """The blocks under a root do not have the length or digest the manifest gives."""

    code = "blob_mismatch"


class SourceChanged(InvalidInput):
    """A document's length or digest differs from what was announced when sealing began."""

    code = "source_changed"
    remedy = "The document changed while it was read. Send it again."


class BlobTooLarge(InvalidInput):
    code = "blob_too_large"
    remedy = "Split the document: one blob holds at most 24,000 MiB."


class CiphertextInvalid(InvalidInput):
    """A ciphertext or wrapped key from outside has a size that nothing sealed here can have."""

    code = "ciphertext_invalid"
    remedy = (
        "Seal the document with the client library (backend/client): its frame is padded and its key wrapped."
    )
