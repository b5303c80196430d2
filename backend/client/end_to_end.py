"""Encrypting on the patient's side, so that the service stores what it cannot read.

``draft`` is the answer of ``POST /v1/end-to-end/drafts``: it says which segment this will be, seals the
erasure share to the patient, and gives back the patient's own slot where the key was made before.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backend.client.keys import PrivateKey
from backend.keystore import Secret
from backend.records import canonical
from backend.records.context import ContentContext, SegmentKeyId, SuiteNumber
from backend.records.envelope import seal_bytes
from backend.records.envelope_errors import NotCanonical
from backend.records.sealing import (
    RecipientKey,
    SlotTarget,
    open_segment_key,
    open_share,
    seal_segment_key,
)
from backend.records.slots import SealedSlot, decode_sealed, encode_sealed
from backend.records.wrapping import SegmentKey, wrap_dek
from backend.types import MAX_UINT40, ConsentId, MemberId, RecordId, SubjectId, UnixSeconds


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is sent: the ciphertext, the DEK under the segment key, and the slot of a key made just now."""

    ciphertext: bytes
    wrapped_dek: bytes
    epoch: int
    slot: bytes | None


@dataclass(frozen=True, slots=True)
class Chain:
    """Where consents are recorded: slots are bound to it."""

    chain_id: int
    contract: bytes  # 20 bytes: the ConsentRegistry


def prepare(
    document: bytes, media_type: str, draft: Mapping[str, Any], key: PrivateKey, *, chain: Chain
) -> Prepared:
    """Encrypt a document for its patient.

    ``chain`` comes from a source the patient trusts, not from the draft. Raises WrapRefused when the draft is
    not for this key, NotCanonical when it is malformed.
    """
    try:
        context = _context(draft)
        key_id = _key_id(draft, context)
        sealed_share = base64.b64decode(draft["sealed_share"], validate=True)
        slot = None if draft["slot"] is None else base64.b64decode(draft["slot"], validate=True)
    except (KeyError, TypeError, ValueError) as failure:
        raise NotCanonical("the draft is malformed") from failure
    share = open_share(sealed_share, key.opener, context)
    if slot is None:
        under = SegmentKey(key_id, Secret.generate())
        made = _sealed_to(under, key.public, chain)
    else:
        under, made = _open_slot(slot, key_id, key, chain), None
    dek = Secret.generate()
    pieces = seal_bytes(document, media_type, context=context, dek=dek, erasure_share=share)
    return Prepared(
        ciphertext=b"".join(pieces),
        wrapped_dek=wrap_dek(dek, under=under, context=context),
        epoch=key_id.epoch,
        slot=None if made is None else canonical.encode(encode_sealed(made)),
    )


def share_key(
    draft: Mapping[str, Any],
    key: PrivateKey,
    reader: RecipientKey,
    *,
    consent: ConsentId,
    expiry: UnixSeconds,
    chain: Chain,
) -> bytes:
    """Return a slot that opens a patient's segment key for an organisation, under one consent.

    The caller has checked that ``reader`` is the key that the registry names for the organisation, by its
    hash on the chain. ``expiry`` is the consent's. Raises WrapRefused, NotCanonical.
    """
    shared = segment_key(draft, key, chain=chain)
    return canonical.encode(encode_sealed(_sealed_to(shared, reader, chain, consent=consent, expiry=expiry)))


def hand_over(draft: Mapping[str, Any], key: PrivateKey, custodian: RecipientKey, *, chain: Chain) -> bytes:
    """Return a segment key sealed to the custodian, which can then read what it opens: 1168 bytes.

    Raises WrapRefused, NotCanonical.
    """
    handed = segment_key(draft, key, chain=chain)
    return _sealed_to(handed, custodian, chain).sealed


def segment_key(draft: Mapping[str, Any], key: PrivateKey, *, chain: Chain) -> SegmentKey:
    """Open the patient's own slot of a draft. Raises WrapRefused, NotCanonical."""
    try:
        key_id = _key_id(draft, _context(draft))
        slot = base64.b64decode(draft["slot"], validate=True)
    except (KeyError, TypeError, ValueError) as failure:
        raise NotCanonical("the draft is malformed, or names no key yet") from failure
    return _open_slot(slot, key_id, key, chain)


def _open_slot(encoded: bytes, key_id: SegmentKeyId, key: PrivateKey, chain: Chain) -> SegmentKey:
    slot = decode_sealed(canonical.decode(encoded))
    target = _target(key_id, key.public, chain, ConsentId(bytes(32)), UnixSeconds(MAX_UINT40))
    return open_segment_key(slot.sealed, key.opener, target)


def _sealed_to(
    segment_key: SegmentKey,
    reader: RecipientKey,
    chain: Chain,
    *,
    consent: ConsentId | None = None,
    expiry: UnixSeconds | None = None,
) -> SealedSlot:
    bound = consent or ConsentId(bytes(32))
    until = UnixSeconds(MAX_UINT40) if expiry is None else expiry
    target = _target(segment_key.id, reader, chain, bound, until)
    sealed = seal_segment_key(segment_key, reader, target)
    return SealedSlot(reader.id, bound, until, chain.chain_id, chain.contract, sealed)


def _target(
    key_id: SegmentKeyId, reader: RecipientKey, chain: Chain, consent: ConsentId, expiry: UnixSeconds
) -> SlotTarget:
    return SlotTarget(key_id, reader.id, consent, expiry, chain.chain_id, chain.contract)


def _context(draft: Mapping[str, Any]) -> ContentContext:
    return ContentContext(
        tenant=MemberId(bytes.fromhex(draft["tenant"][2:])),
        record_id=RecordId(bytes.fromhex(draft["record_id"])),
        version=draft["version"],
        segment=draft["segment"],
        suite=SuiteNumber(draft["suite"]),
    )


def _key_id(draft: Mapping[str, Any], context: ContentContext) -> SegmentKeyId:
    return SegmentKeyId(
        tenant=context.tenant,
        subject=SubjectId(int(draft["subject"], 16)),
        kind=draft["kind"],
        epoch=draft["epoch"],
        suite=context.suite,
    )
