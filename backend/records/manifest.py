"""Manifests: what a version of a record consists of and where its ciphertext lies.

A manifest is deterministic CBOR, kept sealed in the index (categories and dates tell about a person), and its
salted digest is the record's commitment on the chain, so that the index can neither change nor swap one.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from typing import Any, Final

from backend.keystore import KeyName, Secret
from backend.records import canonical
from backend.records.blocks import BlobAddress, Cid
from backend.records.context import SUITE_1, SuiteNumber
from backend.records.envelope_errors import NotCanonical
from backend.types import Bytes32, MemberId, RecordId, SubjectId, UnixSeconds

SCHEMA_VERSION: Final = 4


@dataclass(frozen=True, slots=True)
class SegmentManifest:
    """One separately encrypted part of a record version."""

    name: str  # unique within the version
    kind: str  # names the segment key, together with subject and epoch
    key_epoch: int
    categories: int  # 64-bit mask
    sensitivities: int  # 32-bit mask
    data_from: UnixSeconds  # half-open window of the data's own times
    data_to: UnixSeconds
    media_type: str
    resources: int
    size_bytes: int  # of the plaintext
    sha256: bytes  # of the plaintext
    wrapped_dek: bytes
    address: BlobAddress
    suite: SuiteNumber = SUITE_1  # of everything that protects the segment


@dataclass(frozen=True, slots=True)
class Manifest:
    """One version of a record. ``author`` is the member that stored it; ``related`` are the records it
    belongs to, of the same subject."""

    record_id: RecordId
    version: int
    subject: SubjectId
    author: MemberId
    document_type: str  # 'fhir-bundle' or 'attachment'
    created_at: UnixSeconds
    label_tables: bytes  # digest of the tables the labels came from
    segments: tuple[SegmentManifest, ...]
    related: tuple[RecordId, ...] = ()

    def encode(self) -> bytes:
        """Return the deterministic encoding that is sealed and committed to."""
        return canonical.encode(
            {
                "schema": SCHEMA_VERSION,
                "record_id": bytes(self.record_id),
                "version": self.version,
                "subject": self.subject.to_bytes(12, "big"),
                "author": bytes(self.author),
                "document_type": self.document_type,
                "created_at": self.created_at,
                "label_tables": self.label_tables,
                "segments": [_encode_segment(segment) for segment in self.segments],
                "related": [bytes(record) for record in self.related],
            }
        )


_FIELDS: Final[dict[str, type]] = {
    "schema": int, "record_id": bytes, "version": int, "subject": bytes, "author": bytes,
    "document_type": str, "created_at": int, "label_tables": bytes, "segments": list,
    "related": list,
}  # fmt: skip
_SEGMENT_FIELDS: Final = tuple(field.name for field in fields(SegmentManifest))


def decode(encoded: bytes) -> Manifest:
    """Read a manifest; raise NotCanonical for anything ``encode`` would not have written."""
    value = canonical.decode_map(encoded, _FIELDS)
    if value["schema"] != SCHEMA_VERSION:
        raise NotCanonical(f"manifest schema {value['schema']} is not known here")
    return Manifest(
        record_id=RecordId(value["record_id"]),
        version=value["version"],
        subject=SubjectId(int.from_bytes(value["subject"], "big")),
        author=MemberId(value["author"]),
        document_type=value["document_type"],
        created_at=UnixSeconds(value["created_at"]),
        label_tables=value["label_tables"],
        segments=tuple(_decode_segment(segment) for segment in value["segments"]),
        related=tuple(RecordId(record) for record in value["related"]),
    )


def version_name(record_id: RecordId, version: int) -> str:
    """Return what names a version of a record in stores and in the outbox."""
    return f"{record_id.hex()}/{version}"


def place_of(name: str) -> str:
    """The place of a version's sealed manifest, as ``DocumentSealer`` binds it."""
    return f"records/{name}"


def salt_of(name: str) -> KeyName:
    """The key store's name of the salt in a version's commitment."""
    return "salt", f"record/{name}"


def manifest_share_of(name: str) -> KeyName:
    """The key store's name of the secret that a version's sealed manifest needs beside the person's key."""
    return "erasure_share", f"manifest/{name}"


def commitment(encoded: bytes, salt: Secret) -> Bytes32:
    """Return what the chain holds of a record version; without the salt it tells nothing."""
    digest = hashlib.sha256(b"assent/record/1\0" + salt.reveal() + hashlib.sha256(encoded).digest())
    return Bytes32(digest.digest())


def _encode_segment(segment: SegmentManifest) -> list[Any]:
    address = segment.address
    return [
        segment.name, segment.kind, segment.key_epoch, segment.categories, segment.sensitivities,
        segment.data_from, segment.data_to, segment.media_type, segment.resources, segment.size_bytes,
        segment.sha256, segment.wrapped_dek,
        [address.root, list(address.blocks), address.size_bytes], segment.suite,
    ]  # fmt: skip


def _decode_segment(value: list[Any]) -> SegmentManifest:
    try:
        *plain, (root, blocks, size_bytes), suite = value
        address = BlobAddress(Cid(root), tuple(Cid(block) for block in blocks), size_bytes)
        address.require_root()
        return SegmentManifest(**dict(zip(_SEGMENT_FIELDS, [*plain, address, suite], strict=True)))
    except (TypeError, ValueError) as failure:
        raise NotCanonical("a segment of the manifest") from failure
