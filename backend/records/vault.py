"""Segments in and out of the block store, each under its own keys.

Per segment and version: a DEK, wrapped under the key of (patient, kind, epoch), which its slots seal to its
readers, and an erasure share that only the key store holds. Nothing here decides whether somebody may read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from backend.keystore import KeyName, KeyStore, Secret
from backend.records.blobs import load_blob, store_blobs
from backend.records.blocks import BlobAddress
from backend.records.content import Content
from backend.records.context import DEFAULT_SUITES, SUITE_1, ContentContext, SegmentKeyId, SuiteNumber
from backend.records.delivery import Origin, deliver_end_to_end
from backend.records.envelope import Opened, is_ciphertext_size, open_, seal
from backend.records.envelope_errors import CiphertextInvalid
from backend.records.frame import Source
from backend.records.manifest import Manifest, SegmentManifest
from backend.records.sealing import RecipientKey
from backend.records.slot_book import KeyWithheld, SlotBook
from backend.records.storage_ports import BlockMissing, BlockStore, StorageUnavailable
from backend.records.wrapping import WRAPPED_BYTES, SegmentKey, unwrap_dek, wrap_dek
from backend.types import MemberId, RecordId, SubjectId, UnixSeconds

_PUTS: Final = 3
_Put = TypeVar("_Put")


@dataclass(frozen=True, slots=True)
class PlainSegment:
    """One part of a document, labelled and not yet encrypted."""

    name: str
    kind: str
    categories: int
    sensitivities: int
    data_from: UnixSeconds
    data_to: UnixSeconds
    media_type: str
    resources: int
    content: Content

    @property
    def source(self) -> Source:
        return Source(self.media_type, self.content.size_bytes, self.content.sha256)


@dataclass(frozen=True, slots=True)
class SealedSegment:
    """One part of a document, labelled and encrypted by the patient, who keeps its key end to end."""

    kind: str
    key_epoch: int
    categories: int
    sensitivities: int
    data_from: UnixSeconds
    data_to: UnixSeconds
    media_type: str
    ciphertext: bytes
    wrapped_dek: bytes  # 40 bytes


def _until_pinned(put: Callable[[], _Put]) -> _Put:
    """Put and pin, again where somebody's collection of garbage came between the two."""
    for _ in range(_PUTS):
        try:
            return put()
        except BlockMissing as missing:
            collected = missing
    raise StorageUnavailable("blocks are collected before they are pinned") from collected


class Vault:
    """Encrypts segments for the block store and opens them again."""

    def __init__(
        self,
        *,
        tenant: MemberId,
        keys: KeyStore,
        slots: SlotBook,
        blocks: BlockStore,
        suites: frozenset[SuiteNumber] = DEFAULT_SUITES,
    ) -> None:
        self._tenant = tenant
        self._keys = keys
        self._slots = slots
        self._blocks = blocks
        self._suites = suites

    def store(
        self, segments: Sequence[PlainSegment], *, subject: SubjectId, record_id: RecordId, version: int
    ) -> tuple[SegmentManifest, ...]:
        """Encrypt, put and pin all segments of a version; durable on return, and safe to repeat.

        A repetition draws new DEKs, so blobs of an interrupted attempt stay behind unnamed; ``fsck`` finds
        and unpins them.
        """
        contexts = [self.context(record_id, version, segment.name) for segment in segments]
        shares = self._keys.create_many(
            [share_name(record_id, version, segment.name) for segment in segments]
        )
        segment_keys = self._slots.writing(subject, [segment.kind for segment in segments])

        def put() -> tuple[list[Secret], tuple[BlobAddress, ...]]:
            deks = [Secret.generate() for _ in segments]
            sealed = (
                seal(
                    segment.content.pieces(),
                    source=segment.source,
                    context=context,
                    dek=dek,
                    erasure_share=share,
                )
                for segment, context, dek, share in zip(segments, contexts, deks, shares, strict=True)
            )
            return deks, store_blobs(self._blocks, sealed)

        deks, addresses = _until_pinned(put)
        return tuple(
            SegmentManifest(
                name=segment.name,
                kind=segment.kind,
                key_epoch=segment_keys[segment.kind].id.epoch,
                categories=segment.categories,
                sensitivities=segment.sensitivities,
                data_from=segment.data_from,
                data_to=segment.data_to,
                media_type=segment.media_type,
                resources=segment.resources,
                size_bytes=segment.content.size_bytes,
                sha256=segment.content.sha256,
                wrapped_dek=wrap_dek(dek, under=segment_keys[segment.kind], context=context),
                address=address,
                suite=context.suite,
            )
            for segment, context, dek, address in zip(segments, contexts, deks, addresses, strict=True)
        )

    def read(self, manifest: Manifest, segment: SegmentManifest) -> bytes:
        """Return a segment's plaintext, whole and checked.

        Raises SecretNotFound when it was erased, KeyWithheld when the patient keeps its key end to end, and
        the errors of ``SlotBook.reading``, ``load_blob``, ``unwrap_dek`` and ``open_bytes`` when anything is
        not what was stored.
        """
        return b"".join(self.read_stream(manifest, segment).data)

    def read_stream(self, manifest: Manifest, segment: SegmentManifest) -> Opened:
        """Return a segment's plaintext as it is opened, piece by piece, in constant memory.

        Reads the first block only; raises as ``read``, now or at the piece that is not what was stored.
        """
        share = self._keys.get(*share_name(manifest.record_id, manifest.version, segment.name))
        dek = self.data_key(manifest, segment)
        context = self.context(manifest.record_id, manifest.version, segment.name, segment.suite)
        return open_(load_blob(self._blocks, segment.address), context=context, dek=dek, erasure_share=share)

    def data_key(self, manifest: Manifest, segment: SegmentManifest) -> Secret:
        """Return a segment's DEK, which opens nothing without the erasure share. Raises as ``read``."""
        context = self.context(manifest.record_id, manifest.version, segment.name, segment.suite)
        key = self._slots.reading(self.key_id(manifest.subject, segment))
        return unwrap_dek(segment.wrapped_dek, under=key, context=context, allowed_suites=self._suites)

    def require_opens(self, manifest: Manifest, segment: SegmentManifest, key: SegmentKey) -> None:
        """Raise WrapRefused unless a segment's DEK is wrapped under this key."""
        context = self.context(manifest.record_id, manifest.version, segment.name, segment.suite)
        unwrap_dek(segment.wrapped_dek, under=key, context=context, allowed_suites=self._suites)

    def adopt(self, sealed: SealedSegment, *, context: ContentContext) -> SegmentManifest:
        """Put a ciphertext that its patient made, and that nobody here can open; durable on return.

        Raises CiphertextInvalid for one that no frame gives, SecretNotFound where no share was drawn for it.
        """
        self._keys.get(*share_name(context.record_id, context.version, context.segment))
        if not is_ciphertext_size(len(sealed.ciphertext)) or len(sealed.wrapped_dek) != WRAPPED_BYTES:
            raise CiphertextInvalid
        (address,) = _until_pinned(lambda: store_blobs(self._blocks, [[sealed.ciphertext]]))
        return SegmentManifest(
            name=context.segment,
            kind=sealed.kind,
            key_epoch=sealed.key_epoch,
            categories=sealed.categories,
            sensitivities=sealed.sensitivities,
            data_from=sealed.data_from,
            data_to=sealed.data_to,
            media_type=sealed.media_type,
            resources=1,
            size_bytes=address.size_bytes,
            sha256=hashlib.sha256(sealed.ciphertext).digest(),
            wrapped_dek=sealed.wrapped_dek,
            address=address,
            suite=context.suite,
        )

    def draw_share(self, context: ContentContext) -> Secret:
        """Return the erasure share of a segment that is to be stored, made where there is none."""
        return self._keys.get_or_create(*share_name(context.record_id, context.version, context.segment))

    def deliver(self, manifest: Manifest, segment: SegmentManifest, recipient: RecipientKey) -> bytes:
        """Return a segment that is kept end to end as a delivery to a reader that has a slot for its key.

        Raises KeyWithheld where the reader has none, and as ``read``.
        """
        share = self._keys.get(*share_name(manifest.record_id, manifest.version, segment.name))
        key_id = self.key_id(manifest.subject, segment)
        slots = [slot for slot in self._slots.epoch(key_id).sealed if slot.recipient == recipient.id]
        if not slots:
            raise KeyWithheld
        newest = slots[-1]
        pieces = deliver_end_to_end(
            load_blob(self._blocks, segment.address),
            context=self.context(manifest.record_id, manifest.version, segment.name, segment.suite),
            erasure_share=share,
            recipient=recipient,
            origin=Origin(newest.target(key_id), newest.sealed, segment.wrapped_dek),
        )
        return b"".join(pieces)

    def key_id(self, subject: SubjectId, segment: SegmentManifest) -> SegmentKeyId:
        """Return which key a segment's DEK is wrapped under."""
        return SegmentKeyId(
            tenant=self._tenant,
            subject=subject,
            kind=segment.kind,
            epoch=segment.key_epoch,
            suite=segment.suite,
        )

    def context(
        self, record_id: RecordId, version: int, segment: str, suite: SuiteNumber = SUITE_1
    ) -> ContentContext:
        """Return what a segment's ciphertext and keys are bound to."""
        return ContentContext(
            tenant=self._tenant, record_id=record_id, version=version, segment=segment, suite=suite
        )


def share_name(record_id: RecordId, version: int, segment: str) -> KeyName:
    """Return what names the erasure share of a segment of a version."""
    return "erasure_share", f"{record_id.hex()}/{version}/{segment}"
