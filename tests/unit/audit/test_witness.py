from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from backend.adapters.witness_directory import WitnessDirectory
from backend.audit import cosigner_keys, merkle, note, verify
from backend.audit.checkpoint import Checkpoint, cosigners, parse, sign
from backend.audit.cosignature import verifier
from backend.audit.errors import (
    InvalidNote,
    InvalidProof,
    LogBehind,
    LogUnreachable,
    SplitViewFound,
    WitnessStateDamaged,
)
from backend.audit.note import Ed25519Signer
from backend.audit.remote_tree import RemoteTree
from backend.audit.split_view import SplitView, find_split
from backend.audit.tile_paths import Tile
from backend.audit.tiles import TileTree
from backend.audit.types import StoredCheckpoint
from backend.audit.witness import Seen, Witness
from tests.support.memory_audit import ORIGIN
from tests.support.watched_log import WITNESS, WatchedLog


@pytest.fixture
def logs() -> Iterator[Callable[[], WatchedLog]]:
    made: list[WatchedLog] = []

    def make() -> WatchedLog:
        made.append(WatchedLog())
        return made[-1]

    yield make
    for log in made:
        log.close()


@pytest.fixture
def log(logs: Callable[[], WatchedLog]) -> WatchedLog:
    return logs()


@pytest.fixture
def state(tmp_path: Path) -> Iterator[WitnessDirectory]:
    directory = WitnessDirectory(tmp_path / "witness", origin=ORIGIN)
    yield directory
    directory.close()


def keys(log: WatchedLog) -> list[note.NoteVerifier]:
    return [verifier(log.world.signer.verifier_key)]


def witness(log: WatchedLog, state: WitnessDirectory) -> Witness:
    return Witness(source=log, state=state, cosigners=WITNESS, log_keys=[log.world.signer.verifier_key])


def head_size(state: WitnessDirectory) -> int:
    head = state.head()
    return 0 if head is None else int(head.split("\n")[1])


@pytest.mark.parametrize("sizes", [(1, 2, 3, 7), (1, 8, 9), (2, 4, 260), (3, 300), (256, 257, 512)])
def test_log_that_only_grows_is_cosigned_at_each_look(
    log: WatchedLog, state: WitnessDirectory, sizes: tuple[int, ...]
) -> None:
    watching, size = witness(log, state), 0
    for wanted in sizes:
        log.append(wanted - size, first=size)
        size = wanted
        assert watching.look() == (Seen.COSIGNED, Checkpoint(ORIGIN, size, log.log.state.tree.root()))
        assert head_size(state) == size
        assert cosigners(log.checkpoint(), ORIGIN) == {WITNESS[0].name}
        signed = note.verify(note.parse(log.checkpoint()), [verifier(w.verifier_key) for w in WITNESS])
        assert len(signed) == 2


def test_empty_log_is_not_cosigned(log: WatchedLog, state: WitnessDirectory) -> None:
    assert witness(log, state).look()[0] == Seen.EMPTY
    assert state.head() is None


def test_nothing_new_is_not_cosigned_again(log: WatchedLog, state: WitnessDirectory) -> None:
    log.append(3)
    watching = witness(log, state)
    watching.look()
    assert watching.look()[0] == Seen.COSIGNED_BEFORE
    assert len(log.sent) == 1


def test_cosignature_that_the_log_lost_is_made_again(log: WatchedLog, state: WitnessDirectory) -> None:
    log.append(3)
    plain = log.checkpoint()
    watching = witness(log, state)
    watching.look()
    stored = log.world.store.kept[3]
    log.world.store.kept[3] = StoredCheckpoint(3, stored.root, plain, stored.signed_at)
    assert watching.look()[0] == Seen.COSIGNED
    assert cosigners(log.checkpoint(), ORIGIN) == {WITNESS[0].name}


def test_head_is_durable_before_the_cosignature_leaves(log: WatchedLog, state: WitnessDirectory) -> None:
    log.append(3)
    seen: list[int] = []
    log.send = lambda cosigned: seen.append(head_size(state))  # type: ignore[method-assign]
    witness(log, state).look()
    assert seen == [3]


def test_log_that_does_not_answer_is_asked_again(log: WatchedLog, state: WitnessDirectory) -> None:
    log.append(3)
    log.down = True
    with pytest.raises(LogUnreachable):
        witness(log, state).look()
    log.down = False
    assert witness(log, state).look()[0] == Seen.COSIGNED


def test_checkpoint_that_the_log_did_not_sign_is_refused(log: WatchedLog, state: WitnessDirectory) -> None:
    log.append(3)
    other = Ed25519Signer(name=ORIGIN, private_key=Ed25519PrivateKey.from_private_bytes(b"\x66" * 32))
    forged = sign(Checkpoint(ORIGIN, 3, bytes(32)), [other])
    log.checkpoint = lambda: forged  # type: ignore[method-assign]
    with pytest.raises(InvalidNote):
        witness(log, state).look()
    assert state.head() is None


@pytest.mark.parametrize(
    ("seen", "shown"), [(3, 3), (3, 7), (4, 7), (7, 3), (255, 300), (256, 300), (300, 256)]
)
def test_split_view_is_refused_kept_as_evidence_and_proven_offline(
    logs: Callable[[], WatchedLog], state: WitnessDirectory, seen: int, shown: int
) -> None:
    first, second = logs(), logs()  # entries have salts of their own, so the same events are another history
    first.append(seen)
    second.append(shown)
    witness(first, state).look()
    if shown < seen:  # its tiles are those of the history that it shows to the witness
        second.tile = first.tile  # type: ignore[method-assign]
    watching = witness(second, state)
    with pytest.raises(SplitViewFound) as refused:
        watching.look()
    assert second.sent == []
    assert head_size(state) == seen
    evidence = Path(refused.value.detail).read_bytes()
    key = first.world.signer.verifier_key
    report = verify.verify_split_view(verify.read(evidence), [key])
    assert [head["size"] for head in report["signed"]] == sorted((seen, shown))
    with pytest.raises(SplitViewFound):
        watching.look()
    with pytest.raises(SplitViewFound):  # not of the honest log either: nobody knows which one is
        witness(first, state).look()


def test_log_that_was_rolled_back_is_not_cosigned_and_said_to_be_behind(
    logs: Callable[[], WatchedLog], state: WitnessDirectory
) -> None:
    first, restored = logs(), logs()
    first.append(5)
    witness(first, state).look()
    restored.append(3)
    with pytest.raises(LogBehind):
        witness(restored, state).look()
    assert (restored.sent, head_size(state), state.evidence()) == ([], 5, None)


def test_older_checkpoint_of_the_same_history_is_no_alarm_and_not_cosigned(
    log: WatchedLog, state: WitnessDirectory
) -> None:
    log.append(3)
    older = log.checkpoint()
    log.append(4)
    watching = witness(log, state)
    watching.look()
    log.checkpoint = lambda: older  # type: ignore[method-assign]
    assert watching.look()[0] == Seen.OLDER
    assert (len(log.sent), head_size(state)) == (1, 7)


def test_tiles_that_do_not_give_the_signed_root_are_no_evidence_and_nothing_is_cosigned(
    log: WatchedLog, state: WitnessDirectory
) -> None:
    log.append(3)
    watching = witness(log, state)
    watching.look()
    log.append(4)
    honest = log.tile
    for broken in (lambda t: bytes(32 * t.width), lambda t: honest(t)[:-1]):
        log.tile = broken  # type: ignore[method-assign]
        with pytest.raises(InvalidProof):
            watching.look()
    assert (len(log.sent), head_size(state), state.evidence()) == (1, 3, None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda e: e["checkpoints"].reverse(), "smaller"),
        (lambda e: e["checkpoints"].__setitem__(0, e["checkpoints"][1]), "one history|malformed|larger"),
        (lambda e: e["proof"].pop(), "short|larger"),
        (lambda e: e["proof"].append(e["proof"][0]), "spare"),
        (lambda e: e["proof"].__setitem__(0, e["proof"][1]), "larger"),  # anybody could invent such a proof
        (lambda e: e.update(format="assent-split-view/2"), "format"),
        (lambda e: e.pop("proof"), "malformed"),
    ],
)
def test_changed_evidence_is_refused(
    logs: Callable[[], WatchedLog], change: Callable[[dict[str, object]], object], message: str
) -> None:
    first, second = logs(), logs()
    first.append(3)
    second.append(7)
    notes = (first.checkpoint(), second.checkpoint())
    split = find_split(notes, origin=ORIGIN, verifiers=keys(first), fetch=second.tile)
    assert split is not None
    evidence = json.loads(split.encode())
    key = [first.world.signer.verifier_key]
    assert verify.verify_split_view(evidence, key)["split_view"]
    change(evidence)
    with pytest.raises(verify.VerificationError, match=message):
        verify.verify_split_view(evidence, key)


def test_honest_history_gives_no_evidence_and_none_that_verifies(log: WatchedLog) -> None:
    log.append(3)
    older = log.checkpoint()
    log.append(4)
    newer = log.checkpoint()
    assert find_split((newer, older), origin=ORIGIN, verifiers=keys(log), fetch=log.tile) is None
    parts = (parse(older), parse(newer))
    claimed = SplitView(*parts, (older, newer), tuple(RemoteTree(log.tile, 7).prefix_proof(3)))
    with pytest.raises(verify.VerificationError, match="one history"):
        verify.verify_split_view(json.loads(claimed.encode()), [log.world.signer.verifier_key])


def test_two_sizes_without_tiles_show_nothing(log: WatchedLog) -> None:
    log.append(3)
    older = log.checkpoint()
    log.append(4)
    with pytest.raises(InvalidProof, match="tiles"):
        find_split((older, log.checkpoint()), origin=ORIGIN, verifiers=keys(log), fetch=None)


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 511, 513, 70_000])
def test_remote_tree_gives_the_proofs_of_the_tree(size: int) -> None:
    tree = TileTree()
    tree.extend(merkle.leaf_hash(n.to_bytes(4, "big")) for n in range(size))
    fetched: list[Tile] = []

    def fetch(tile: Tile) -> bytes:
        fetched.append(tile)
        assert tile.level is not None
        return tree.tile(tile.level, tile.number, width=tile.width)

    for old in {1, 2, size // 2, size - 1, size // 3, 256, 65_536} - {0, size}:
        if old > size:
            continue
        nodes = RemoteTree(fetch, size).prefix_proof(old)
        assert merkle.prefix_roots(old, size, nodes) == (tree.root(old), tree.root())
        plain = nodes[1:] if old & (old - 1) == 0 else nodes
        merkle.verify_consistency(old, size, plain, tree.root(old), tree.root())
    assert len(fetched) < 60


def test_head_never_goes_back_and_survives_a_restart(log: WatchedLog, tmp_path: Path) -> None:
    log.append(3)
    small = log.checkpoint()
    log.append(4)
    first = WitnessDirectory(tmp_path, origin=ORIGIN)
    first.save(log.checkpoint())
    with pytest.raises(WitnessStateDamaged, match="back"):
        first.save(small)
    with pytest.raises(WitnessStateDamaged, match="another witness"):
        WitnessDirectory(tmp_path, origin=ORIGIN)
    first.close()
    again = WitnessDirectory(tmp_path, origin=ORIGIN)
    assert head_size(again) == 7
    again.close()


def test_damaged_head_is_refused_not_forgotten(log: WatchedLog, tmp_path: Path) -> None:
    log.append(3)
    state = WitnessDirectory(tmp_path, origin=ORIGIN)
    witness(log, state).look()
    (file,) = tmp_path.glob("*.checkpoint")
    for damage in (b"", b"\xff", sign(Checkpoint("x.example", 3, bytes(32)), [log.world.signer]).encode()):
        file.write_bytes(damage)
        with pytest.raises(WitnessStateDamaged):
            witness(log, state).look()
    state.close()


def test_witness_key_file_is_read_back_and_a_changed_one_refused() -> None:
    text = cosigner_keys.make("clinic.example/witness")
    made = cosigner_keys.read(text, clock=lambda: 0)
    assert [key.verifier_key.split("+")[0] for key in made] == ["clinic.example/witness"] * 2
    assert made[0].key_id != made[1].key_id
    for wrong in ("", text.replace("PRIVATE+KEY+", "PUBLIC+KEY+"), text.replace("clinic", "other"), "x"):
        with pytest.raises(InvalidNote):
            cosigner_keys.read(wrong, clock=lambda: 0)
    with pytest.raises(InvalidNote):
        cosigner_keys.make("a b")


def test_witness_named_as_the_log_is_refused(log: WatchedLog, state: WitnessDirectory) -> None:
    own = cosigner_keys.read(cosigner_keys.make(ORIGIN), clock=lambda: 0)
    with pytest.raises(InvalidNote):
        Witness(source=log, state=state, cosigners=own, log_keys=[log.world.signer.verifier_key])
