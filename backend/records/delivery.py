"""Deliveries: a segment as it leaves, sealed to its reader's key, so that no proxy between sees inside.

``"assent-delivery/1\\n" ‖ u32 header length, big-endian ‖ header ‖ ciphertext``. The header is deterministic
CBOR and tells which segment this is and to whom. There are two kinds:

- *Sealed by the service*: the released document, encrypted under a key drawn for this delivery, which
  ``sealed`` holds for the reader (HPKE X-Wing). The whole header is bound into that key and the ciphertext.
- *Kept end to end*: the ciphertext as it was stored. ``sealed`` holds the erasure share, which the service
  keeps, and ``origin`` what the service cannot open: the wrapped DEK and the reader's own slot.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from backend.keystore import Secret
from backend.records import canonical
from backend.records.context import DEFAULT_SUITES, ContentContext, SegmentKeyId, SuiteNumber, require_suite
from backend.records.envelope import Opened, decrypt, encrypt, open_, unframe
from backend.records.envelope_errors import NotCanonical, WrapRefused
from backend.records.frame import Source, frame
from backend.records.headed import beginning, take_header
from backend.records.sealing import (
    SEALED_BYTES,
    RecipientKey,
    RecipientPrivateKey,
    SlotTarget,
    open_segment_key,
)
from backend.records.wrapping import WRAPPED_BYTES, unwrap_dek
from backend.types import ConsentId, MemberId, RecordId, SubjectId, UnixSeconds

MEDIA_TYPE: Final = "application/vnd.assent.delivery"
_MAGIC: Final = b"assent-delivery/1\n"
_MAX_HEADER_BYTES: Final = 8192
_FIELDS: Final[dict[str, type]] = {
    "v": int, "suite": int, "tenant": bytes, "record_id": bytes, "version": int, "segment": str,
    "recipient": bytes, "sealed": bytes, "origin": list,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Origin:
    """What opens a segment that is kept end to end, for one reader, together with its erasure share."""

    target: SlotTarget
    slot: bytes  # 1168 bytes: the segment key sealed under the target
    wrapped_dek: bytes  # 40 bytes


@dataclass(frozen=True, slots=True)
class Header:
    """What a delivery says about itself; authentic once the delivery opened."""

    context: ContentContext
    recipient: bytes  # 32 bytes: RecipientKey.id
    sealed: bytes  # 1168 bytes
    origin: Origin | None = None

    def encode(self) -> bytes:
        place = self.context
        return canonical.encode(
            {
                "v": 1,
                "suite": place.suite,
                "tenant": bytes(place.tenant),
                "record_id": bytes(place.record_id),
                "version": place.version,
                "segment": place.segment,
                "recipient": self.recipient,
                "sealed": self.sealed,
                "origin": [] if self.origin is None else _encode_origin(self.origin),
            }
        )

    def info(self) -> bytes:
        """Return what ``sealed`` is bound to: everything else of the header, with a label of its own."""
        return canonical.encode(["assent/delivery/1", replace(self, sealed=b"").encode()])

    def prefix(self) -> bytes:
        return beginning(_MAGIC, self.encode())


def deliver(
    data: Iterable[bytes], *, source: Source, context: ContentContext, recipient: RecipientKey
) -> Iterator[bytes]:
    """Yield a document sealed to one reader, streaming. Raises SourceChanged on the way."""
    require_suite(context.suite, DEFAULT_SUITES)
    key = Secret.generate()
    header = Header(context, recipient.id, b"")
    header = replace(header, sealed=recipient.seal(key.reveal(), header.info()))
    yield header.prefix()
    yield from encrypt(frame(source, data), key=key, context=_bound(header))


def deliver_end_to_end(
    ciphertext: Iterable[bytes],
    *,
    context: ContentContext,
    erasure_share: Secret,
    recipient: RecipientKey,
    origin: Origin,
) -> Iterator[bytes]:
    """Yield a stored ciphertext with what its reader, and nobody before it, needs to open it."""
    require_suite(context.suite, DEFAULT_SUITES)
    header = Header(context, recipient.id, b"", origin)
    header = replace(header, sealed=recipient.seal(erasure_share.reveal(), header.info()))
    yield header.prefix()
    yield from ciphertext


@dataclass(frozen=True, slots=True)
class Delivery:
    """An opened delivery. ``document.data`` is complete only when its iteration ended without an error."""

    header: Header
    document: Opened


def open_delivery(
    delivery: Iterable[bytes],
    private: RecipientPrivateKey,
    *,
    allowed_suites: frozenset[SuiteNumber] = DEFAULT_SUITES,
) -> Delivery:
    """Open a delivery with its reader's key. Reads what the document's header needs.

    Raises NotCanonical (no delivery of this form), WrapRefused (sealed to another key, or altered),
    SuiteRefused, EnvelopeRefused, FrameInvalid.
    """
    header, ciphertext = read_header(delivery)
    require_suite(header.context.suite, allowed_suites)
    if header.recipient != private.public.id:
        raise WrapRefused
    try:
        secret = Secret(private.open(header.sealed, header.info()))
    except ValueError as failure:
        raise WrapRefused from failure
    if header.origin is None:
        return Delivery(header, unframe(decrypt(ciphertext, key=secret, context=_bound(header))))
    key = open_segment_key(header.origin.slot, private, header.origin.target, allowed_suites=allowed_suites)
    dek = unwrap_dek(
        header.origin.wrapped_dek, under=key, context=header.context, allowed_suites=allowed_suites
    )
    document = open_(
        ciphertext,
        context=header.context,
        dek=dek,
        erasure_share=secret,
        allowed_suites=allowed_suites,
    )
    return Delivery(header, document)


def read_header(delivery: Iterable[bytes]) -> tuple[Header, Iterator[bytes]]:
    """Take the header off a delivery; nothing of it is verified. Raises NotCanonical."""
    encoded, rest = take_header(delivery, _MAGIC, max_bytes=_MAX_HEADER_BYTES, what="a delivery")
    return _decode(encoded), rest


def _bound(header: Header) -> bytes:
    return b"assent/delivery/1" + hashlib.sha256(header.encode()).digest()


def _decode(encoded: bytes) -> Header:
    fields = canonical.decode_map(encoded, _FIELDS)
    if fields["v"] != 1 or len(fields["sealed"]) != SEALED_BYTES or len(fields["recipient"]) != 32:
        raise NotCanonical("a delivery of another form")
    try:
        context = ContentContext(
            tenant=MemberId(fields["tenant"]),
            record_id=RecordId(fields["record_id"]),
            version=fields["version"],
            segment=fields["segment"],
            suite=SuiteNumber(fields["suite"]),
        )
        origin = _decode_origin(fields["origin"], context) if fields["origin"] else None
    except ValueError as failure:
        raise NotCanonical("a delivery of another form") from failure
    return Header(context, fields["recipient"], fields["sealed"], origin)


def _encode_origin(origin: Origin) -> list[Any]:
    target = origin.target
    return [
        target.key.subject.to_bytes(12, "big"), target.key.kind, target.key.epoch, target.recipient,
        target.consent, target.expiry, target.chain_id, target.contract, origin.slot, origin.wrapped_dek,
    ]  # fmt: skip


def _decode_origin(value: list[Any], context: ContentContext) -> Origin:
    match value:
        case [
            bytes(subject),
            str(kind),
            int(epoch),
            bytes(recipient),
            bytes(consent),
            int(expiry),
            int(chain_id),
            bytes(contract),
            bytes(slot),
            bytes(wrapped_dek),
        ] if (len(subject), len(slot), len(wrapped_dek)) == (12, SEALED_BYTES, WRAPPED_BYTES):
            key = SegmentKeyId(
                tenant=context.tenant,
                subject=SubjectId(int.from_bytes(subject, "big")),
                kind=kind,
                epoch=epoch,
                suite=context.suite,
            )
            target = SlotTarget(key, recipient, ConsentId(consent), UnixSeconds(expiry), chain_id, contract)
            return Origin(target, slot, wrapped_dek)
    raise NotCanonical("a delivery of another form")
