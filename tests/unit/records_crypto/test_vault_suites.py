"""A deployment reads only what is under a suite that it allows."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.adapters.storage.directory import DirectoryBlockStore
from backend.records.content import InMemory
from backend.records.context import SuiteNumber
from backend.records.envelope_errors import SuiteRefused
from backend.records.manifest import Manifest
from backend.records.slot_book import SlotBook
from backend.records.vault import PlainSegment, Vault
from backend.sealed import DocumentSealer
from backend.types import MemberId, RecordId, SubjectId, UnixSeconds
from tests.support.memory_keys import MemoryKeyStore
from tests.support.memory_slots import MemorySlotIndex

HOSPITAL, RECORD, ANNA = MemberId(b"\x01" * 32), RecordId(b"\x02" * 16), SubjectId(77)


def test_record_of_a_suite_that_is_not_allowed_is_refused(tmp_path: Path) -> None:
    keys, index, blocks = MemoryKeyStore(), MemorySlotIndex(), DirectoryBlockStore(tmp_path)

    def vault(*suites: int) -> Vault:
        slots = SlotBook(tenant=HOSPITAL, index=index, keys=keys, sealer=DocumentSealer(keys))
        allowed = frozenset(map(SuiteNumber, suites))
        return Vault(tenant=HOSPITAL, keys=keys, slots=slots, blocks=blocks, suites=allowed)

    plain = PlainSegment(
        name="s0000",
        kind="1:0",
        categories=1,
        sensitivities=0,
        data_from=UnixSeconds(0),
        data_to=UnixSeconds(1),
        media_type="text/plain",
        resources=1,
        content=InMemory(b"a report"),
    )
    segments = vault(1).store([plain], subject=ANNA, record_id=RECORD, version=1)
    manifest = Manifest(RECORD, 1, ANNA, HOSPITAL, "attachment", UnixSeconds(1), b"", segments)
    assert segments[0].suite == 1
    assert vault(1, 2).read(manifest, segments[0]) == b"a report"
    for read in (vault(2).read, vault(2).read_stream, vault(2).data_key):
        with pytest.raises(SuiteRefused):
            read(manifest, segments[0])
    blocks.close()
