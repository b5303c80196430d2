"""Segments in and out of the block store, each under its own keys.

Per segment and version: a DEK, wrapped under the key of (patient, kind, epoch), and an erasure share that
only the key store holds. Nothing here decides whether somebody may read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from backend.keystore import KeyName, KeyStore, Secret
from backend.records.blobs import load_blob, store_blobs
from backend.records.context import ContentContext, SegmentKeyId
from backend.records.envelope import open_bytes, seal_bytes
from backend.records.manifest import Manifest, SegmentManifest
from backend.records.storage_ports import BlockStore
from backend.records.wrapping import SegmentKey, derive_key, unwrap_dek, wrap_dek
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

    def __init__(self, *, tenant: MemberId, keys: KeyStore, blocks: BlockStore) -> None:
        self._tenant = tenant
        self._keys = keys
        self._blocks = blocks

    def store(
        self, segments: Sequence[PlainSegment], *, subject: SubjectId, record_id: RecordId, version: int
    ) -> tuple[SegmentManifest, ...]:
        """Encrypt, put and pin all segments of a version; durable on return, and safe to repeat.

        A repetition draws new DEKs, so blobs of an interrupted attempt stay behind unnamed; ``fsck`` finds
        and unpins them.
        """
        contexts = [self._context(record_id, version, segment.name) for segment in segments]
        shares = self._keys.create_many(
            [_share_name(record_id, version, segment.name) for segment in segments]
        )
        master = self._keys.get_or_create("patient", _master_name(subject))
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
                key_epoch=0,
                categories=segment.categories,
                sensitivities=segment.sensitivities,
                data_from=segment.data_from,
                data_to=segment.data_to,
                media_type=segment.media_type,
                resources=segment.resources,
                size_bytes=len(segment.payload),
                sha256=hashlib.sha256(segment.payload).digest(),
                wrapped_dek=wrap_dek(
                    dek, under=self._segment_key(master, subject, segment.kind, 0), context=context
                ),
                address=address,
            )
            for segment, context, dek, address in zip(segments, contexts, deks, addresses, strict=True)
        )

    def read(self, manifest: Manifest, segment: SegmentManifest) -> bytes:
        """Return a segment's plaintext, whole and checked.

        Raises SecretNotFound when it was erased, and the errors of ``load_blob``, ``unwrap_dek`` and
        ``open_bytes`` when anything is not what was stored.
        """
        share = self._keys.get(*_share_name(manifest.record_id, manifest.version, segment.name))
        master = self._keys.get("patient", _master_name(manifest.subject))
        context = self._context(manifest.record_id, manifest.version, segment.name)
        key = self._segment_key(master, manifest.subject, segment.kind, segment.key_epoch)
        dek = unwrap_dek(segment.wrapped_dek, under=key, context=context)
        ciphertext = load_blob(self._blocks, segment.address)
        _, payload = open_bytes(ciphertext, context=context, dek=dek, erasure_share=share)
        return payload

    def _context(self, record_id: RecordId, version: int, segment: str) -> ContentContext:
        return ContentContext(tenant=self._tenant, record_id=record_id, version=version, segment=segment)

    def _segment_key(self, master: Secret, subject: SubjectId, kind: str, epoch: int) -> SegmentKey:
        # Server-mediated reading derives the segment key from the patient's master; slots for other readers
        # seal this same key to them.
        key_id = SegmentKeyId(tenant=self._tenant, subject=subject, kind=kind, epoch=epoch)
        return SegmentKey(key_id, derive_key(master, key_id.encode("assent/segment-key/1")))


def _share_name(record_id: RecordId, version: int, segment: str) -> KeyName:
    return "erasure_share", f"{record_id.hex()}/{version}/{segment}"


def _master_name(subject: SubjectId) -> str:
    return f"master/{subject:024x}"
