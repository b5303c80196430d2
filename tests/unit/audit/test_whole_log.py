"""The verifier given a whole log: what it accepts, and each way in which a log can be false."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from backend.audit import checkpoint
from backend.audit.leaf import Leaf
from backend.audit.log import AuditLog
from backend.audit.merkle import leaf_hash, node_hash, split
from backend.audit.publishing import LogFiles
from backend.audit.tile_paths import tiles_of
from backend.audit.verify import VerificationError, files_of, log_id_of, main, verify_log
from tests.support.audit_world import World
from tests.support.memory_audit import ANNA, BERTA, ORIGIN, read_event

ENTRIES = 300  # more than a bundle
FIRST, SECOND = "tile/entries/000", "tile/entries/001.p/44"


@pytest.fixture
def folder(world: World, log: AuditLog, tmp_path: Path) -> Path:
    log.append_all([(read_event(ANNA if each % 3 else BERTA, number=each), None) for each in range(ENTRIES)])
    root = tmp_path / "log"
    root.mkdir()
    (root / "checkpoint").write_text(world.checkpointer(log).now().note)
    files = LogFiles(world.reader(log))
    for tile in tiles_of(ENTRIES):
        path = root / tile.path()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(files.read(tile))
    return root


def leaves_of(folder: Path) -> list[bytes]:
    content, leaves = (folder / FIRST).read_bytes() + (folder / SECOND).read_bytes(), []
    while content:
        length = int.from_bytes(content[:2])
        leaves.append(content[2 : 2 + length])
        content = content[2 + length :]
    return leaves


def root_of(hashes: Sequence[bytes]) -> bytes:
    if len(hashes) == 1:
        return hashes[0]
    at = split(len(hashes))
    return node_hash(root_of(hashes[:at]), root_of(hashes[at:]))


def sign_anew(world: World, folder: Path, leaves: list[bytes]) -> None:
    """What a custodian who lies could publish: another log, with a good signature of the right key."""
    for at, name in ((0, FIRST), (256, f"tile/entries/001.p/{len(leaves) - 256}")):
        path = folder / name
        path.write_bytes(b"".join(len(each).to_bytes(2) + each for each in leaves[at : at + 256]))
    root = root_of([leaf_hash(each) for each in leaves])
    signed = checkpoint.sign(checkpoint.Checkpoint(ORIGIN, len(leaves), root), [world.signer])
    (folder / "checkpoint").write_text(signed)


def refusal(world: World, folder: Path, anchored: Callable[[str], tuple[int, str]] | None = None) -> str:
    with pytest.raises(VerificationError) as refused:
        verify_log(files_of(str(folder)), [world.signer.verifier_key], anchored=anchored)
    return str(refused.value)


def test_whole_log_is_accepted_with_what_the_chain_holds(world: World, folder: Path) -> None:
    hashes = [leaf_hash(each) for each in leaves_of(folder)]
    for size in (0, 1, 200, 256, 257, ENTRIES):
        held = {ORIGIN: (size, root_of(hashes[:size]).hex() if size else "00" * 32)}
        report = verify_log(files_of(str(folder)), [world.signer.verifier_key], anchored=held.__getitem__)
        assert (report["origin"], report["size"], report["pseudonyms"]) == (ORIGIN, ENTRIES, 2)
        assert report["anchored"] == size
        assert report["root"] == root_of(hashes).hex()


@pytest.mark.parametrize("name", [FIRST, SECOND])
def test_changed_byte_of_any_kind_is_refused(world: World, folder: Path, name: str) -> None:
    path = folder / name
    sound = path.read_bytes()
    for at in (0, 1, 10, 50, 90, 113, len(sound) - 1):
        changed = bytearray(sound)
        changed[at] ^= 1
        path.write_bytes(changed)
        assert refusal(world, folder)
    path.write_bytes(sound[:-1])
    assert "cut off" in refusal(world, folder)
    path.write_bytes(sound + sound[: 2 + int.from_bytes(sound[:2])])
    assert "another number of entries" in refusal(world, folder)


def test_entry_left_out_is_noticed_although_the_log_signed_that(world: World, folder: Path) -> None:
    leaves = leaves_of(folder)
    sign_anew(world, folder, leaves)
    assert verify_log(files_of(str(folder)), [world.signer.verifier_key])["size"] == ENTRIES
    sign_anew(world, folder, leaves[:7] + leaves[8:])
    assert "something before it was left out" in refusal(world, folder)


def test_entries_of_earlier_than_the_one_before_are_refused(world: World, folder: Path) -> None:
    leaves = leaves_of(folder)
    last = Leaf.decode(leaves[-1])
    early = Leaf(last.pseudonym, last.sequence, last.previous, last.recorded_at_ms - 1, last.commitment)
    sign_anew(world, folder, [*leaves[:-1], early.encode()])
    assert "older than the one before" in refusal(world, folder)


def test_rewritten_log_is_not_what_the_chain_holds(world: World, folder: Path) -> None:
    leaves = leaves_of(folder)
    held = (280, root_of([leaf_hash(each) for each in leaves[:280]]).hex())
    sign_anew(world, folder, [*leaves[:270]])
    assert "the chain holds 280 entries, the log has 270" in refusal(world, folder, lambda _: held)
    last = Leaf.decode(leaves[279])
    other = Leaf(last.pseudonym, last.sequence, last.previous, last.recorded_at_ms, bytes(32)).encode()
    sign_anew(world, folder, [*leaves[:279], other])
    assert verify_log(files_of(str(folder)), [world.signer.verifier_key])["size"] == 280
    assert "another history of the first 280" in refusal(world, folder, lambda _: held)


def test_id_of_a_log_is_the_one_given_under_its_name_or_the_only_one() -> None:
    assert log_id_of("a", ["0x01"]) == "0x01"
    assert log_id_of("b", ["a=0x01", "b=0x02"]) == "0x02"
    for given in ([], ["0x01", "0x02"], ["a=0x01"], ["a=0x01", "0x02"]):
        with pytest.raises(VerificationError, match="no id is given of the log b"):
            log_id_of("b", given)


def test_every_source_is_checked_and_the_one_at_fault_is_named(
    world: World, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "nothing.json"
    key = ["--key", world.signer.verifier_key]
    assert main([str(missing), str(folder), *key]) == 1
    told = capsys.readouterr()
    assert f"NOT VERIFIED: {missing}: " in told.err
    assert [each["size"] for each in json.loads(told.out)] == [ENTRIES]
    assert main([str(folder), *key]) == 0
    assert json.loads(capsys.readouterr().out)["size"] == ENTRIES
