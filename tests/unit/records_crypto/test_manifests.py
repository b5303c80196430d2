"""What the manifest book remembers must never outlive the chain's word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from backend.errors import IntegrityError
from backend.keystore import KeyStore
from backend.records.manifest import Manifest, commitment, manifest_share_of, place_of, salt_of, version_name
from backend.records.manifests import ManifestBook, ManifestRefused
from backend.records.ports import VersionRow
from backend.sealed import DocumentSealer, SealedDocumentRefused
from backend.types import Bytes32, MemberId, RecordId, SubjectId, UnixSeconds
from tests.support.memory_keys import MemoryKeyStore

RECORD = RecordId(bytes(15) + b"\x01")
SUBJECT = SubjectId(7)


@dataclass
class Shelf:
    """An index and a ledger of which a test may change anything."""

    keys: KeyStore = field(default_factory=MemoryKeyStore)
    rows: dict[int, VersionRow] = field(default_factory=dict)
    standing: set[Bytes32] = field(default_factory=set)
    looked: int = 0
    erased: set[RecordId | None] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.sealer = DocumentSealer(self.keys)
        self.book = ManifestBook(
            index=self,  # type: ignore[arg-type]  # only what the book asks for
            keys=self.keys,
            sealer=self.sealer,
            ledger=self,  # type: ignore[arg-type]
            erases=lambda _, record: record in self.erased,
        )

    def store(self, version: int) -> VersionRow:
        manifest = Manifest(
            record_id=RECORD,
            version=version,
            subject=SUBJECT,
            author=MemberId(bytes(32)),
            document_type="attachment",
            created_at=UnixSeconds(version),
            label_tables=bytes(32),
            segments=(),
        )
        name, encoded = version_name(RECORD, version), manifest.encode()
        committed = commitment(encoded, self.keys.get_or_create(*salt_of(name)))
        share = self.keys.get_or_create(*manifest_share_of(name))
        sealed = self.sealer.seal(encoded, subject=SUBJECT, place=place_of(name), share=share)
        self.standing.add(committed)
        self.rows[version] = VersionRow(
            RECORD, version, SUBJECT, sealed, committed, UnixSeconds(version), current=True
        )
        self.book.changed(RECORD, version)
        return self.rows[version]

    def read(self, version: int | None = None) -> Manifest:
        row = self.book.row(RECORD, version)
        assert row is not None
        return self.book.manifest(row)

    def current(self, _: RecordId) -> VersionRow | None:
        self.looked += 1
        return self.rows[max(self.rows)] if self.rows else None

    def version(self, _: RecordId, version: int) -> VersionRow | None:
        return self.rows.get(version)

    def committed(self, commitments: Sequence[Bytes32]) -> list[bool]:
        return [each in self.standing for each in commitments]


@pytest.fixture
def shelf() -> Shelf:
    found = Shelf()
    found.store(1)
    return found


def test_second_look_asks_the_chain_and_not_the_index(shelf: Shelf) -> None:
    assert shelf.read() == shelf.read()
    assert shelf.looked == 1
    shelf.standing.clear()
    with pytest.raises(ManifestRefused):
        shelf.read()


def test_version_stored_here_is_current_at_once(shelf: Shelf) -> None:
    assert shelf.read().version == 1
    shelf.store(2)
    assert (shelf.read().version, shelf.read(1).version) == (2, 1)


def test_record_stored_after_somebody_asked_is_found_at_once() -> None:
    shelf = Shelf()
    assert shelf.book.row(RECORD, None) is None
    shelf.store(1)
    assert shelf.read().version == 1


def test_damaged_manifest_is_refused_and_a_mended_one_read_at_once(shelf: Shelf) -> None:
    good = shelf.rows[1]
    shelf.rows[1] = replace(good, manifest=good.manifest[:-1] + bytes([good.manifest[-1] ^ 1]))
    with pytest.raises(SealedDocumentRefused):
        shelf.read()
    shelf.rows[1] = good
    assert shelf.read().version == 1


@pytest.mark.parametrize("changes", [{"subject": SubjectId(8)}, {"version": 2}])
def test_manifest_in_the_place_of_another_is_refused_also_when_remembered(
    shelf: Shelf, changes: dict[str, int]
) -> None:
    row = shelf.rows[1]
    shelf.read()
    with pytest.raises(IntegrityError):
        shelf.book.manifest(replace(row, **changes))  # type: ignore[arg-type]


def test_record_under_erasure_looks_absent_also_when_remembered(shelf: Shelf) -> None:
    shelf.read()
    shelf.erased.add(RECORD)
    assert shelf.book.row(RECORD, None) is None
    assert shelf.book.row(RECORD, 1) is None
    assert shelf.book.standing([shelf.rows[1]]) == []
    shelf.erased.clear()
    assert shelf.read().version == 1
