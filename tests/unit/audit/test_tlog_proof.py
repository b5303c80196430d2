from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from backend.audit import verify
from backend.audit.errors import UnknownEntry
from backend.audit.log import AuditLog
from backend.audit.verify import VerificationError, read, verify_bundle
from backend.types import LogIndex
from tests.support.audit_world import World
from tests.support.memory_audit import ANNA, BERTA, read_event


@pytest.fixture
def proof(world: World, log: AuditLog) -> str:
    for number in range(9):
        log.append(read_event(ANNA if number % 2 else BERTA, number=number))
    return world.proofs(log).tlog_proof(ANNA, LogIndex(3))


def test_file_has_the_lines_of_the_specification(world: World, proof: str) -> None:
    head, _, checkpoint = proof.partition("\n\n")
    first, extra, index, *hashes = head.split("\n")
    assert (first, extra[:6], index, len(hashes)) == ("c2sp.org/tlog-proof@v1", "extra ", "index 3", 4)
    newest = world.store.newest_checkpoint(anchored=False)
    assert newest is not None
    assert checkpoint == newest.note


def test_file_verifies_and_opens_its_entry(world: World, proof: str) -> None:
    report = verify_bundle(read(proof.encode()), [world.signer.verifier_key])
    (entry,) = report["entries"]
    assert (entry["index"], entry["event"]["type"], report["anchor"]) == (3, "record.read", None)
    assert not report["complete"]


def test_entry_of_somebody_else_gives_no_file(world: World, log: AuditLog, proof: str) -> None:
    with pytest.raises(UnknownEntry):
        world.proofs(log).tlog_proof(BERTA, LogIndex(3))


@pytest.mark.parametrize(
    ("part", "changed"),
    [
        ("index 3", "index 4"),
        ("index 3", "index 03"),
        ("index 3", "index -3"),
        ("index 3", "number 3"),
        ("index 3\n", ""),
        ("extra ", "extras "),
        ("extra ", "extra AAAA"),
        ("@v1", "@v2"),
        ("\n9\n", "\n8\n"),
    ],
)
def test_changed_file_is_refused(world: World, proof: str, part: str, changed: str) -> None:
    assert part in proof
    with pytest.raises(ValueError):
        verify_bundle(read(proof.replace(part, changed, 1).encode()), [world.signer.verifier_key])


def test_spare_and_missing_hashes_are_refused(world: World, proof: str) -> None:
    lines = proof.split("\n")
    for changed in ([*lines[:4], *lines[5:]], [*lines[:4], lines[4], *lines[4:]]):
        with pytest.raises(VerificationError):
            verify_bundle(read("\n".join(changed).encode()), [world.signer.verifier_key])


def test_program_copied_out_checks_the_file_alone(world: World, proof: str, tmp_path: Path) -> None:
    copied = tmp_path / "verify.py"
    copied.write_bytes(Path(verify.__file__).read_bytes())
    file = tmp_path / "entry-3.tlog-proof"
    file.write_text(proof)
    run = [sys.executable, "-I", str(copied), str(file), "--key", world.signer.verifier_key]
    good = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (good.returncode, good.stderr) == (0, "")
    assert '"record.read"' in good.stdout
    file.write_text(proof.replace("index 3", "index 5"))
    bad = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (bad.returncode, bad.stdout) == (1, "")
    assert bad.stderr.startswith("NOT VERIFIED")
