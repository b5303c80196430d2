"""Somebody who kept a copy of every file there ever was, and tries every secret on every wrap and ciphertext.

Nothing is held against the program's own words: keys are found in raw bytes, and each is tried wherever it
could fit.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap

from backend.adapters.keys.database import KeyDatabase, StoreRow
from backend.adapters.keys.epoch import read_epoch
from backend.adapters.keys.epochs import SoftwareEpochKey
from backend.adapters.keys.keyring import Keyring
from backend.adapters.keys.root import Unlock
from backend.audit.errors import EntryDamaged
from backend.audit.leaf import Leaf
from backend.audit.seal import open_body
from backend.keystore import KeyStoreDamaged, KeyVersion, Secret
from backend.records.blobs import load_blob
from backend.records.blocks import Cid
from backend.records.context import ContentContext, SegmentKeyId
from backend.records.envelope import open_bytes
from backend.records.envelope_errors import EnvelopeRefused, WrapRefused
from backend.records.manifest import Manifest
from backend.records.slots import SlotTable
from backend.records.storage_ports import BlockMissing
from backend.records.wrapping import WRAPPED_BYTES, derive_key, unwrap_dek, unwrap_segment_key
from backend.sealed import DocumentSealer, SealedDocumentRefused
from backend.types import MemberId, SubjectId


class SealedPaper(NamedTuple):
    """A document as it was sealed once, wherever it lay."""

    sealed: bytes
    subject: SubjectId | None
    place: str
    with_share: bool
    plain: bytes


@dataclass(frozen=True, slots=True)
class KeyFiles:
    """A copy of the key store: its database's rows and raw bytes, and what its epoch key opens."""

    store: StoreRow
    pages: frozenset[tuple[int, int]]  # number and version of each page
    raw: tuple[bytes, ...]
    rows: tuple[tuple[str, bytes, bytes], ...]  # kind, blinded name, wrapped
    epoch_key: Secret
    secrets: frozenset[bytes]

    @classmethod
    def read(cls, directory: Path, unlock: Unlock, work: Path) -> KeyFiles:
        """Open a copy below ``work``: opening changes files."""
        raw = tuple(path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file())
        shutil.copytree(directory, work)
        database = KeyDatabase(work / "store" / "keys.db")
        try:
            row = database.store_row()
            assert row is not None
            epoch_key, _ = read_epoch(work / "store", store_id=row.id, epoch=row.epoch, opener=unlock)
            ring, rows, secrets = Keyring(row.id, SoftwareEpochKey(epoch_key)), [], set()
            pages = database.pages()
            for page in pages:
                page_key = ring.unwrap_page_key(page.page, page.version, page.wrapped)
                for found in database.in_page(page.page):
                    rows.append((found.kind, found.name, found.wrapped))
                    opened = ring.unwrap_secret(
                        found.wrapped, page_key=page_key, kind=found.kind, name=found.name
                    )
                    secrets.add(opened.reveal())
        finally:
            database.close()
        return cls(
            row,
            frozenset((page.page, page.version) for page in pages),
            raw,
            tuple(rows),
            epoch_key,
            frozenset(secrets),
        )


def secrets_of(copies: Sequence[KeyFiles], surviving: Sequence[Secret]) -> frozenset[bytes]:
    """Return every secret in any copy that hangs on one of the surviving epoch keys.

    Page keys are looked for at every byte of every file, secrets in every row under every page key.
    """
    found: set[bytes] = set()
    windows = {
        data[at : at + WRAPPED_BYTES]
        for copy in copies
        for data in copy.raw
        for at in range(len(data) - WRAPPED_BYTES + 1)
        if any(data[at : at + 8])
    }
    ring = Keyring(copies[0].store.id, SoftwareEpochKey(surviving[0]))
    pages = frozenset[tuple[int, int]]().union(*(copy.pages for copy in copies))
    page_keys = {
        opened
        for epoch_key in surviving
        for page in pages
        for opened in _unwrapped(derive_key(epoch_key, ring._info("page", *page)), windows)
    }
    rows = {row for copy in copies for row in copy.rows}
    for page_key in page_keys:
        for kind, name, wrapped in rows:
            with suppress(KeyStoreDamaged):
                opened_row = ring.unwrap_secret(wrapped, page_key=Secret(page_key), kind=kind, name=name)
                found.add(opened_row.reveal())
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class Harvest:
    """What somebody kept of one record or person. Manifests and slot tables are given to them in clear: those
    who saw them once may remember."""

    tenant: MemberId
    origin: str
    papers: Sequence[SealedPaper]
    manifests: Sequence[Manifest]
    tables: Sequence[SlotTable]
    blocks: Mapping[Cid, bytes]
    entries: Sequence[tuple[bytes, bytes]]  # leaf and body of log entries

    def get_block(self, cid: Cid) -> bytes:
        """Implements what ``load_blob`` needs of a block store."""
        try:
            return self.blocks[cid]
        except KeyError:
            raise BlockMissing from None

    def opened(self, secrets: Collection[bytes]) -> set[str]:
        """Try every secret on everything; return the names of what opened."""
        keys = [Secret(value) for value in sorted(secrets)]
        return {*self._papers(keys), *self._contents(keys), *self._entries(keys)}

    def _papers(self, keys: Sequence[Secret]) -> Iterator[str]:
        for paper in self.papers:
            shares: Sequence[Secret | None] = keys if paper.with_share else (None,)
            if any(_opens(paper, key, share) for key in keys for share in shares):
                yield f"paper {paper.place}"

    def _contents(self, keys: Sequence[Secret]) -> Iterator[str]:
        for manifest in self.manifests:
            for segment in manifest.segments:
                where = f"{manifest.record_id.hex()}/{manifest.version}/{segment.name}"
                context = ContentContext(self.tenant, manifest.record_id, manifest.version, segment.name)
                key_id = SegmentKeyId(self.tenant, manifest.subject, segment.kind, segment.key_epoch)
                for dek in self._deks(keys, segment.wrapped_dek, key_id, context):
                    yield f"data key {where}"
                    for share in keys:
                        with suppress(EnvelopeRefused):
                            blob = load_blob(self, segment.address)  # type: ignore[arg-type]
                            open_bytes(blob, context=context, dek=dek, erasure_share=share)
                            yield f"content {where}"

    def _deks(
        self, masters: Sequence[Secret], wrapped: bytes, key_id: SegmentKeyId, context: ContentContext
    ) -> Iterator[Secret]:
        for table in self.tables:
            for epoch in table.epochs:
                if epoch.custodian is None or table.kind != key_id.kind:
                    continue
                slot = epoch.custodian
                for master in masters:
                    with suppress(WrapRefused):
                        key = unwrap_segment_key(slot.wrapped, key_id, master=master, version=slot.master)
                        yield unwrap_dek(wrapped, under=key, context=context)

    def _entries(self, keys: Sequence[Secret]) -> Iterator[str]:
        for number, (encoded, body) in enumerate(self.entries):
            leaf = Leaf.decode(encoded)
            for key in keys:
                with suppress(EntryDamaged):
                    open_body(
                        body,
                        audit_key=key.reveal(),
                        pseudonym=leaf.pseudonym,
                        commitment=leaf.commitment,
                        origin=self.origin,
                    )
                    yield f"entry {number}"


class _OneKey:
    """A key store in which every name is the same secret."""

    def __init__(self, secret: Secret) -> None:
        self._secret = secret

    def get(self, *_: str) -> Secret:
        return self._secret

    def versions(self) -> tuple[KeyVersion, ...]:
        return ()


def _opens(paper: SealedPaper, key: Secret, share: Secret | None) -> bool:
    sealer = DocumentSealer(_OneKey(key))  # type: ignore[arg-type]
    try:
        return sealer.open(paper.sealed, subject=paper.subject, place=paper.place, share=share) == paper.plain
    except SealedDocumentRefused:
        return False


def _unwrapped(key: Secret, windows: Iterable[bytes]) -> Iterator[bytes]:
    for window in windows:
        with suppress(InvalidUnwrap):
            yield aes_key_unwrap(key.reveal(), window)
