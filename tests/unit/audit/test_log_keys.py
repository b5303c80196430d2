from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from backend.adapters.witness_directory import WitnessDirectory
from backend.audit import codes, note
from backend.audit.checkpoint import open_checkpoint
from backend.audit.checkpointer import Checkpointer
from backend.audit.errors import AuditUnavailable, InvalidNote, LogKeysDamaged
from backend.audit.fsck import Fsck
from backend.audit.log import AuditLog
from backend.audit.log_keys import LogKeyBook, LogKeyRing, follow
from backend.audit.publishing import LogFiles
from backend.audit.startup import check_signatures
from backend.audit.types import StoredCheckpoint
from backend.audit.witness import Seen, Witness
from tests.support.audit_world import World
from tests.support.memory_audit import ANNA, ORIGIN, read_event
from tests.support.memory_keys import MemoryKeyStore
from tests.support.watched_log import WITNESS, WatchedLog


class Statements:
    """A LogKeyStore in memory, which can be tampered with."""

    def __init__(self) -> None:
        self.kept: dict[int, str] = {}
        self.down = False

    def statements(self) -> Sequence[str]:
        return [self.kept[epoch] for epoch in sorted(self.kept)]

    def add(self, epoch: int, statement: str) -> None:
        if self.down:
            raise AuditUnavailable
        self.kept.setdefault(epoch, statement)


class Keys:
    def __init__(self, world: World, log: AuditLog) -> None:
        self.world, self.log = world, log
        self.secrets, self.statements = MemoryKeyStore(), Statements()
        self.book = LogKeyBook(origin=ORIGIN, keys=self.secrets, store=self.statements, clock=world.clock)

    def newest(self) -> StoredCheckpoint | None:
        return self.world.store.newest_checkpoint(anchored=False)

    def open(self) -> LogKeyRing:
        return self.book.open(in_use=self.newest() is not None)

    def checkpoint(self, number: int = 0) -> StoredCheckpoint:
        self.log.append(read_event(number=number))
        signers = self.open().signers
        return Checkpointer(
            log=self.log, store=self.world.store, signers=signers, clock=self.world.clock
        ).now()

    def rotate(self) -> None:
        self.book.rotate(log=self.log, newest=self.newest())

    def findings(self) -> list[tuple[str, str]]:
        report = Fsck(self.world.store, ORIGIN, self.open().verifiers_at, self.world.anchor).run()
        return [(finding.code, finding.where) for finding in report.findings]


@pytest.fixture
def keys(world: World, log: AuditLog) -> Keys:
    return Keys(world, log)


def opens(checkpoint: StoredCheckpoint, verifiers: Sequence[note.NoteVerifier]) -> bool:
    try:
        open_checkpoint(checkpoint.note, origin=ORIGIN, verifiers=verifiers)
    except InvalidNote:
        return False
    return True


def test_first_keys_are_made_once_and_sign_with_ed25519_and_ml_dsa(keys: Keys) -> None:
    first = keys.checkpoint()
    assert keys.open().verifier_keys == keys.open().verifier_keys
    assert [k.epoch for k in keys.open().known] == [1]
    signed = note.verify(note.parse(first.note), keys.open().verifiers())
    assert [len(s.signature) for s in signed] == [64, 8 + 2_420]


def test_rotation_old_checkpoints_stay_verifiable_and_new_ones_need_the_new_key(keys: Keys) -> None:
    old = keys.checkpoint()
    before = keys.open()
    keys.rotate()
    new = keys.checkpoint()
    after = keys.open()
    assert [k.epoch for k in after.known] == [1, 2]
    assert opens(old, after.verifiers())
    assert opens(new, after.verifiers())
    assert opens(old, before.verifiers())
    assert not opens(new, before.verifiers())
    assert after.verifier_keys[2:] == before.verifier_keys
    assert keys.findings() == []
    check_signatures(keys.world.store, origin=ORIGIN, verifiers=after.verifiers())
    with pytest.raises(InvalidNote):
        check_signatures(keys.world.store, origin=ORIGIN, verifiers=before.verifiers())


def test_rotation_is_an_entry_of_the_log(keys: Keys) -> None:
    keys.open()
    keys.rotate()
    page = keys.world.access(keys.log).page(None, before=None, limit=10)
    event = page.entries[0].event
    assert event is not None
    assert (event.type, event.detail["key"], event.detail["epoch"]) == (codes.KEY_ROTATED, "log", 2)


def test_rotation_destroys_the_private_key_before(keys: Keys) -> None:
    keys.open()
    keys.rotate()
    assert not keys.secrets.exists("signing", "log/1")
    assert not keys.secrets.exists("signing", "log/1/ml-dsa-44")
    assert keys.secrets.exists("signing", "log/2")


def test_rotation_interrupted_before_its_statement_goes_on_with_the_same_key_and_entry(keys: Keys) -> None:
    keys.checkpoint()
    keys.statements.down = True
    with pytest.raises(AuditUnavailable):
        keys.rotate()
    size = keys.log.state.size
    meanwhile = keys.checkpoint(1)  # still the old key's, past the entry
    keys.statements.down = False
    keys.rotate()
    assert keys.log.state.size == size + 1  # the rotation added nothing
    newest = keys.open().known[-1]
    assert newest.from_size == meanwhile.size + 1
    keys.checkpoint(2)
    assert keys.findings() == []


def test_rotation_interrupted_before_the_old_key_went_is_finished_at_the_next_start(keys: Keys) -> None:
    keys.open()
    old = [keys.secrets.get("signing", name) for name in ("log/1", "log/1/ml-dsa-44")]
    keys.rotate()
    for name, secret in zip(("log/1", "log/1/ml-dsa-44"), old, strict=True):
        keys.secrets.put("signing", name, secret)
    keys.open()
    assert not keys.secrets.exists("signing", "log/1")


def test_fsck_names_a_checkpoint_that_a_retired_key_signed_later(keys: Keys) -> None:
    keys.checkpoint()
    old_signers = keys.open().signers
    keys.rotate()
    keys.log.append(read_event(ANNA, number=9))
    late = Checkpointer(log=keys.log, store=keys.world.store, signers=old_signers, clock=keys.world.clock)
    size = late.now().size
    assert keys.findings() == [("checkpoint_signature", f"checkpoint {size}")]


def test_any_change_of_a_statement_is_refused(keys: Keys) -> None:
    keys.checkpoint()
    keys.rotate()
    for epoch, good in list(keys.statements.kept.items()):
        for place in range(0, len(good), 61):
            changed = good[:place] + chr(ord(good[place]) ^ 1) + good[place + 1 :]
            keys.statements.kept[epoch] = changed
            with pytest.raises(LogKeysDamaged):
                keys.open()
        keys.statements.kept[epoch] = good
    keys.open()


def test_removed_statements_are_refused(keys: Keys) -> None:
    keys.checkpoint()
    keys.rotate()
    kept = dict(keys.statements.kept)
    for missing in ((1,), (2,), (1, 2)):
        keys.statements.kept = {e: s for e, s in kept.items() if e not in missing}
        with pytest.raises(LogKeysDamaged):
            keys.open()


def test_statements_of_another_key_store_are_refused(keys: Keys, world: World, log: AuditLog) -> None:
    other = Keys(world, log)
    other.open()
    keys.open()
    keys.statements.kept = other.statements.kept
    with pytest.raises(LogKeysDamaged, match="not the one"):
        keys.open()


def test_successors_are_followed_from_a_known_ed25519_key_and_from_nothing_else(
    keys: Keys, world: World, log: AuditLog
) -> None:
    first = keys.open()
    keys.rotate()
    keys.rotate()
    statements = keys.statements.statements()
    everything = [key for epoch in keys.open().known for key in epoch.keys]
    assert follow(statements, list(first.verifier_keys), origin=ORIGIN) == everything
    assert follow(statements, everything[2:4], origin=ORIGIN) == everything[2:]
    assert follow(statements, everything[1:2], origin=ORIGIN) == everything[1:2]
    other = Keys(world, log)
    other.open()
    other.rotate()
    assert follow(other.statements.statements(), everything, origin=ORIGIN) == everything
    with pytest.raises(InvalidNote):
        follow(statements, everything, origin="other.example/audit")


def test_witness_goes_on_after_the_log_has_a_new_key(keys: Keys, tmp_path: Path) -> None:
    watched = WatchedLog()
    state = WitnessDirectory(tmp_path, origin=ORIGIN)
    old = keys.open()
    keys.checkpoint()
    watched.checkpoint = lambda: keys.checkpoint(5).note  # type: ignore[method-assign]
    watched.tile = lambda tile: LogFiles(keys.world.reader(keys.log)).read(tile)  # type: ignore[method-assign]
    watched.send = lambda cosigned: None  # type: ignore[method-assign]
    watching = Witness(source=watched, state=state, cosigners=WITNESS, log_keys=old.verifier_keys)
    watching.look()
    keys.rotate()
    with pytest.raises(InvalidNote):  # the log says nothing of a new key
        watching.look()
    watched.statements = list(keys.statements.statements())
    assert watching.look()[0] == Seen.COSIGNED
    keys.rotate()
    watched.statements = list(keys.statements.statements())
    assert watching.look()[0] == Seen.COSIGNED
    state.close()
    watched.close()
