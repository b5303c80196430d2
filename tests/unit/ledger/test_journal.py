"""The write-ahead journal: whole frames come back, torn tails go, damage is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.adapters.ledger.errors import JournalDamaged, JournalUnwritable
from backend.adapters.ledger.journal import BlockRecord, Frame, Journal
from backend.types import Bytes32, UnixSeconds

_RUNS = st.lists(st.lists(st.binary(max_size=40), min_size=1, max_size=4), max_size=4)


def _record(fill: int = 1) -> bytes:
    return BlockRecord(Bytes32(bytes([fill]) * 32), UnixSeconds(1_700_000_000), (b"abc", b""), (2,)).encode()


def _filled(path: Path, count: int = 3) -> list[int]:
    journal = Journal(path)
    starts = [journal.append(Frame.BLOCK, _record(number)) for number in range(1, count + 1)]
    journal.close()
    return starts


def _payloads(path: Path) -> list[bytes]:
    journal = Journal(path)
    found = [entry.payload for entry in journal.entries()]
    journal.close()
    return found


@given(parent=st.binary(min_size=32, max_size=32), when=st.integers(0, 2**63), runs=_RUNS)
@settings(max_examples=50)
def test_block_record_encoded_decodes_to_itself(parent: bytes, when: int, runs: list[list[bytes]]) -> None:
    flat = tuple(raw for run in runs for raw in run)
    record = BlockRecord(Bytes32(parent), UnixSeconds(when), flat, tuple(len(run) for run in runs))
    assert BlockRecord.decode(record.encode()) == record
    assert [list(run) for run in record.stretches()] == runs


def test_journal_reopened_gives_every_frame_in_order(tmp_path: Path) -> None:
    _filled(tmp_path / "journal")
    assert _payloads(tmp_path / "journal") == [_record(1), _record(2), _record(3)]


@given(cut=st.integers(1, 90))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_journal_with_a_torn_tail_drops_only_the_torn_frame(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "journal"
    path.unlink(missing_ok=True)
    starts = _filled(path)
    last = path.stat().st_size - starts[-1]
    os.truncate(path, path.stat().st_size - min(cut, last))
    assert _payloads(path) == [_record(1), _record(2)]
    assert path.stat().st_size == starts[-1]


def test_journal_whose_tail_is_zeros_after_power_loss_drops_it(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    starts = _filled(path)
    with path.open("r+b") as file:
        file.seek(starts[-1])
        file.write(bytes(path.stat().st_size - starts[-1]))
    assert _payloads(path) == [_record(1), _record(2)]


@given(data=st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_journal_with_any_bit_flipped_before_the_last_frame_is_refused(
    tmp_path: Path, data: st.DataObject
) -> None:
    path = tmp_path / "journal"
    path.unlink(missing_ok=True)
    starts = _filled(path)
    bit = data.draw(st.integers(0, starts[-1] * 8 - 1))
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)
    with pytest.raises(JournalDamaged):
        Journal(path)


def test_journal_on_a_full_disk_refuses_and_stays_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal"
    journal = Journal(path)
    journal.append(Frame.BLOCK, _record(1))
    write = os.pwrite
    with monkeypatch.context() as patch:

        def half(fd: int, content: bytes, offset: int) -> int:
            if len(content) < 20:
                raise OSError(28, "No space left on device")
            return write(fd, content[:20], offset)

        patch.setattr(os, "pwrite", half)
        with pytest.raises(JournalUnwritable):
            journal.append(Frame.BLOCK, _record(2))
    journal.append(Frame.BLOCK, _record(3))
    journal.close()
    assert _payloads(path) == [_record(1), _record(3)]


def test_journal_after_a_failed_sync_takes_nothing_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path / "journal")
    with monkeypatch.context() as patch:

        def fail(fd: int) -> None:
            raise OSError(5, "Input/output error")

        patch.setattr(os, "fsync", fail)
        with pytest.raises(JournalUnwritable):
            journal.append(Frame.BLOCK, _record(1))
    with pytest.raises(JournalUnwritable):
        journal.append(Frame.BLOCK, _record(2))
    journal.close()


def test_journal_cut_forgets_from_there_on(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal = Journal(path)
    journal.append(Frame.BLOCK, _record(1))
    journal.cut(journal.append(Frame.BLOCK, _record(2)))
    journal.append(Frame.SEALED, b"\x07" * 32)
    journal.close()
    assert _payloads(path) == [_record(1), b"\x07" * 32]
