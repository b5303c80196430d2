"""The files beside the journal: a snapshot is only a shortcut, a deployment file is refused when damaged."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from backend.adapters.ledger.deployment_file import (
    DeployedContract,
    Deployment,
    read_deployment,
    write_deployment,
)
from backend.adapters.ledger.errors import ChainBinaryMissing, DeploymentDamaged, JournalDamaged
from backend.adapters.ledger.genesis import read_or_draw
from backend.adapters.ledger.journal import Frame, Journal
from backend.adapters.ledger.process import find_anvil
from backend.adapters.ledger.snapshot import Snapshot, read_snapshot, without_traces, write_snapshot
from backend.types import Address, BlockNumber, Bytes32

SNAPSHOT = Snapshot(BlockNumber(7), Bytes32(b"\x01" * 32), 1234, "0x1f8b0a0a")
DEPLOYMENT = Deployment(
    chain_id=5,
    genesis_hash="0x00",
    deployer=Address("0x" + "11" * 20),
    first_nonce=0,
    operator=Address("0x" + "22" * 20),
    admission_delay_seconds=0,
    recovery_delay_seconds=259_200,
    compiler={"version": "0.8.37"},
    contracts={"ConsentRegistry": DeployedContract(Address("0x" + "33" * 20), "0x44", 1, "0x55")},
    complete=True,
)


def test_snapshot_written_is_read_back(tmp_path: Path) -> None:
    write_snapshot(tmp_path / "snapshot", SNAPSHOT)
    assert read_snapshot(tmp_path / "snapshot") == SNAPSHOT


def test_snapshot_that_is_missing_or_damaged_is_none(tmp_path: Path) -> None:
    path = tmp_path / "snapshot"
    assert read_snapshot(path) is None
    write_snapshot(path, SNAPSHOT)
    path.write_bytes(path.read_bytes()[:-1] + b"\xff")
    assert read_snapshot(path) is None
    path.write_bytes(b"no json\nrest")
    assert read_snapshot(path) is None


def dump_of(text: bytes) -> str:
    # Without the time, as it names a test: two workers have to collect the same.
    return "0x" + gzip.compress(text, mtime=0).hex()


TRACED = (
    b'{"transactions":[{"info":{"traces":[{"children":[1],"trace":{"data":"0x00"},"logs":[]}],"exit":"Stop"}},'
    b'{"info":{"traces":[],"exit":"Stop"}}],"blocks":[]}'
)


@pytest.mark.parametrize("piece", [1, 3, 7, 1 << 16])
def test_traces_are_left_out_of_a_dump_and_nothing_else(monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    monkeypatch.setattr("backend.adapters.ledger.snapshot._PIECE_BYTES", piece)
    text = gzip.decompress(bytes.fromhex(without_traces(dump_of(TRACED))[2:]))
    assert text == (
        b'{"transactions":[{"info":{"traces":[],"exit":"Stop"}},{"info":{"traces":[],"exit":"Stop"}}],"blocks":[]}'
    )


@pytest.mark.parametrize("dump", ["0x1f8b0a0a", "0x7b7d", dump_of(b'{"traces":[{}]'), dump_of(TRACED)[:-20]])
def test_dump_of_another_form_is_left_as_it_is(dump: str) -> None:
    assert without_traces(dump) == dump


def test_deployment_written_is_read_back(tmp_path: Path) -> None:
    assert read_deployment(tmp_path / "deployment.json") is None
    write_deployment(tmp_path / "deployment.json", DEPLOYMENT)
    assert read_deployment(tmp_path / "deployment.json") == DEPLOYMENT


@pytest.mark.parametrize("change", [{"format": 9}, {"chain_id": None, "extra": 1}])
def test_deployment_file_of_another_shape_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    path = tmp_path / "deployment.json"
    write_deployment(path, DEPLOYMENT)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(DeploymentDamaged):
        read_deployment(path)


def test_deployment_file_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "deployment.json"
    write_deployment(path, DEPLOYMENT)
    path.write_text(path.read_text()[:40])
    with pytest.raises(DeploymentDamaged):
        read_deployment(path)


def test_genesis_is_drawn_once_and_differs_between_deployments(tmp_path: Path) -> None:
    ids = set()
    for name in ("a", "b"):
        journal = Journal(tmp_path / name)
        drawn = read_or_draw(journal, lambda: 1_700_000_000)
        assert read_or_draw(journal, lambda: 1_800_000_000) == drawn
        assert 2**40 <= drawn.chain_id < 2**53
        ids.add(drawn.chain_id)
        journal.close()
    assert len(ids) == 2


def test_journal_that_does_not_begin_with_a_genesis_is_refused(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    journal.append(Frame.SEALED, bytes(32))
    with pytest.raises(JournalDamaged):
        read_or_draw(journal, lambda: 0)
    journal.close()


def test_anvil_that_npm_did_not_install_is_named(tmp_path: Path) -> None:
    with pytest.raises(ChainBinaryMissing, match="anvil"):
        find_anvil(tmp_path)


def test_anvil_named_in_the_settings_goes_first(tmp_path: Path) -> None:
    program = tmp_path / "own-anvil"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert find_anvil(tmp_path, program) == program.resolve()
