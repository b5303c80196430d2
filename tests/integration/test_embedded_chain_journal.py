"""Starting the embedded chain from journals and snapshots that a crash or a hand has touched."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backend.adapters.ledger.embedded import EmbeddedChain
from backend.adapters.ledger.errors import JournalDamaged, ReplayDiverged
from backend.adapters.ledger.journal import BlockRecord, Frame, Journal
from backend.consent.ledger_types import LedgerView
from backend.types import UnixSeconds
from tests.support.chain_blocks import ACCOUNT, transaction
from tests.support.ledger_world import ANVIL


def test_block_journalled_and_not_made_is_made_at_the_next_start(tmp_path: Path) -> None:
    chain = EmbeddedChain(directory=tmp_path, binary=ANVIL)
    chain.mine([transaction(chain, 0)])
    head, raw = chain.view(), transaction(chain, 1)
    chain.close()
    _append(tmp_path, BlockRecord(head.head_hash, UnixSeconds(head.head_timestamp + 3), (raw,), (1,)))
    chain = EmbeddedChain(directory=tmp_path, binary=ANVIL)
    assert chain.view().head_number == head.head_number + 1
    assert chain.next_nonce(ACCOUNT.address) == 2
    chain.close()


def test_block_journalled_that_the_chain_refuses_is_dropped_at_the_next_start(tmp_path: Path) -> None:
    chain = EmbeddedChain(directory=tmp_path, binary=ANVIL)
    chain.mine([transaction(chain, 0)])
    head = chain.view()
    refused = [transaction(chain, 0)], [transaction(chain, 9)]  # one refused at once, one never taken
    chain.close()
    for raws in refused:
        _append(tmp_path, BlockRecord(head.head_hash, head.head_timestamp, tuple(raws), (1,)))
        chain = EmbeddedChain(directory=tmp_path, binary=ANVIL)
        assert chain.view() == head
        chain.close()


def _append(directory: Path, record: BlockRecord) -> None:
    journal = Journal(directory / "journal")
    journal.append(Frame.BLOCK, record.encode())
    journal.close()


def _three_blocks(directory: Path) -> LedgerView:
    chain = EmbeddedChain(directory=directory, binary=ANVIL)
    for nonce in range(3):
        chain.mine([transaction(chain, nonce)])
    view = chain.view()
    chain.close()
    return view


def test_journal_with_a_torn_tail_opens_without_the_torn_block(tmp_path: Path) -> None:
    view = _three_blocks(tmp_path)
    _append(tmp_path, BlockRecord(view.head_hash, view.head_timestamp, (b"\x01" * 50,), (1,)))
    path = tmp_path / "journal"
    os.truncate(path, path.stat().st_size - 10)
    chain = EmbeddedChain(directory=tmp_path, binary=ANVIL)
    assert chain.view() == view
    chain.close()


def test_journal_damaged_in_the_middle_is_refused_by_name(tmp_path: Path) -> None:
    _three_blocks(tmp_path)
    path = tmp_path / "journal"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(JournalDamaged):
        EmbeddedChain(directory=tmp_path, binary=ANVIL)


@pytest.mark.parametrize(
    "change", ["timestamp", "transaction", "seal", "removed block", "removed block and seals"]
)
def test_journal_rewritten_with_good_checksums_is_refused_by_name(tmp_path: Path, change: str) -> None:
    _three_blocks(tmp_path)
    (tmp_path / "snapshot").unlink()
    old = Journal(tmp_path / "journal")
    entries = list(old.entries())
    old.close()
    (tmp_path / "journal").unlink()
    new = Journal(tmp_path / "journal")
    blocks = 0
    for entry in entries:
        payload = entry.payload
        if entry.kind is Frame.BLOCK:
            blocks += 1
            record = BlockRecord.decode(payload)
            if blocks == 2 and change == "timestamp":
                payload = BlockRecord(
                    record.parent_hash, UnixSeconds(record.timestamp + 1), record.transactions, record.runs
                ).encode()
            if blocks == 2 and change == "transaction":
                payload = BlockRecord(record.parent_hash, record.timestamp, (), ()).encode()
        if blocks == 2 and entry.kind is Frame.SEALED and change == "seal":
            payload = b"\x09" * 32
        removed = blocks == 2 and change.startswith("removed block")
        if not removed and not (entry.kind is Frame.SEALED and change.endswith("seals")):
            new.append(entry.kind, payload)
    new.close()
    with pytest.raises(ReplayDiverged):
        EmbeddedChain(directory=tmp_path, binary=ANVIL)


@pytest.mark.parametrize("damage", ["bit flip", "of another chain"])
def test_snapshot_that_does_not_fit_is_passed_over(tmp_path: Path, damage: str) -> None:
    view = _three_blocks(tmp_path / "a")
    snapshot = tmp_path / "a" / "snapshot"
    if damage == "bit flip":
        content = bytearray(snapshot.read_bytes())
        content[-20] ^= 1
        snapshot.write_bytes(content)
    else:
        _three_blocks(tmp_path / "b")
        (tmp_path / "b" / "snapshot").replace(snapshot)
    chain = EmbeddedChain(directory=tmp_path / "a", binary=ANVIL)
    assert chain.view() == view
    chain.close()
