"""Segments in and out of the block store, each under its own keys.

Per segment and version: a DEK, wrapped under the key of (patient, kind, epoch), which its slots seal to its
readers, and an erasure share that only the key store holds. Nothing here decides whether somebody may read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from backend.keystore import KeyName, KeyStore, Secret
from backend.records.blobs import load_blob, store_blobs
from backend.records.context import DEFAULT_SUITES, SUITE_1, ContentContext, SegmentKeyId, SuiteNumber
from backend.records.envelope import open_bytes, seal_bytes
from backend.records.manifest import Manifest, SegmentManifest
from backend.records.slot_book import SlotBook
from backend.records.storage_ports import BlockStore
from backend.records.wrapping import unwrap_dek, wrap_dek
from backend.types import MemberId, RecordId, SubjectId, UnixSeconds


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
    payload: bytes


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
        contexts = [self._context(record_id, version, segment.name) for segment in segments]
        shares = self._keys.create_many(
            [share_name(record_id, version, segment.name) for segment in segments]
        )
        segment_keys = self._slots.writing(subject, [segment.kind for segment in segments])
        deks = [Secret.generate() for _ in segments]

        def sealed() -> Iterator[Iterable[bytes]]:
            for segment, context, dek, share in zip(segments, contexts, deks, shares, strict=True):
                yield seal_bytes(
                    segment.payload, segment.media_type, context=context, dek=dek, erasure_share=share
                )

        addresses = store_blobs(self._blocks, sealed())
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
                size_bytes=len(segment.payload),
                sha256=hashlib.sha256(segment.payload).digest(),
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
        share = self._keys.get(*share_name(manifest.record_id, manifest.version, segment.name))
        dek = self.data_key(manifest, segment)
        context = self._context(manifest.record_id, manifest.version, segment.name, segment.suite)
        _, payload = open_bytes(
            load_blob(self._blocks, segment.address), context=context, dek=dek, erasure_share=share
        )
        return payload

    def data_key(self, manifest: Manifest, segment: SegmentManifest) -> Secret:
        """Return a segment's DEK, which opens nothing without the erasure share. Raises as ``read``."""
        context = self._context(manifest.record_id, manifest.version, segment.name, segment.suite)
        key = self._slots.reading(self.key_id(manifest.subject, segment))
        return unwrap_dek(segment.wrapped_dek, under=key, context=context, allowed_suites=self._suites)

    def key_id(self, subject: SubjectId, segment: SegmentManifest) -> SegmentKeyId:
        """Return which key a segment's DEK is wrapped under."""
        return SegmentKeyId(
            tenant=self._tenant,
            subject=subject,
            kind=segment.kind,
            epoch=segment.key_epoch,
            suite=segment.suite,
        )

    def _context(
        self, record_id: RecordId, version: int, segment: str, suite: SuiteNumber = SUITE_1
    ) -> ContentContext:
        return ContentContext(
            tenant=self._tenant, record_id=record_id, version=version, segment=segment, suite=suite
        )


def share_name(record_id: RecordId, version: int, segment: str) -> KeyName:
    """Return what names the erasure share of a segment of a version."""
    return "erasure_share", f"{record_id.hex()}/{version}/{segment}"
