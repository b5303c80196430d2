from __future__ import annotations

import pytest

from backend.audit import note
from backend.audit.checkpoint import Checkpoint, cosigners, sign
from backend.audit.cosignature import ED25519, Cosigner
from backend.audit.cosigning import Cosigning
from backend.audit.errors import CosignatureRefused, InvalidNote
from backend.audit.log import AuditLog
from backend.audit.types import StoredCheckpoint
from backend.audit.verify import VerificationError, read, verify_bundle
from backend.types import LogIndex
from tests.support.audit_world import World
from tests.support.cosigners import both, cosign, witness
from tests.support.memory_audit import ANNA, ORIGIN, read_event

W1, W2, W3 = witness("w1.example"), witness("w2.example", ED25519), witness("w3.example")
STRANGER = witness("stranger.example")


def taking(world: World, *known: Cosigner) -> Cosigning:
    return Cosigning(store=world.store, origin=ORIGIN, witnesses=[w.verifier_key for w in known])


def append(log: AuditLog, count: int = 1) -> None:
    for number in range(count):
        log.append(read_event(number=number))


def served(world: World, size: int) -> str:
    stored = world.store.checkpoint(size)
    assert stored is not None
    return stored.note


def test_cosignatures_of_listed_witnesses_are_on_the_checkpoint_that_is_served(
    world: World, log: AuditLog
) -> None:
    append(log, 3)
    stored = world.checkpointer(log).now()
    cosigning = taking(world, W1, W2)
    cosigning.add(cosign(stored.note, W1))
    cosigning.add(cosign(stored.note, W2, STRANGER))  # of a copy without the first
    assert cosigners(served(world, 3), ORIGIN) == {"w1.example", "w2.example"}
    cosigning.add(cosign(stored.note, W1))  # again: its newer line takes the place of the older one
    names = [signature.name for signature in note.parse(served(world, 3)).signatures]
    assert sorted(names) == [ORIGIN, "w1.example", "w2.example"]


def test_what_is_no_cosignature_of_a_listed_witness_is_refused(world: World, log: AuditLog) -> None:
    append(log, 3)
    stored = world.checkpointer(log).now()
    cosigning = taking(world, W1)
    other = sign(Checkpoint(ORIGIN, 3, bytes(32)), [world.signer])
    later = sign(Checkpoint(ORIGIN, 4, stored.root), [world.signer])
    broken = cosign(other, W1).replace(other.partition("\n\n")[0], stored.note.partition("\n\n")[0])
    for refused in (
        stored.note,
        cosign(stored.note, STRANGER),
        cosign(other, W1),
        cosign(later, W1),
        broken,
        "",
        "a letter\n\n\N{EM DASH} w1.example AAAAAAAA\n",
    ):
        with pytest.raises(CosignatureRefused):
            cosigning.add(refused)
    assert served(world, 3) == stored.note


def test_witness_named_as_the_log_is_refused(world: World) -> None:
    with pytest.raises(InvalidNote):
        taking(world, witness(ORIGIN))


def test_proof_is_of_the_checkpoint_with_the_most_witnesses_while_it_covers_the_entry(
    world: World, log: AuditLog
) -> None:
    cosigning, checkpointer = taking(world, W1, W2), world.checkpointer(log)
    anchorer = world.anchorer(log)

    def publish() -> StoredCheckpoint:
        append(log, 2)
        anchorer.run_once()
        return checkpointer.published(anchor_overdue=False)

    first = publish()
    cosigning.add(cosign(first.note, W1, W2))
    assert checkpointer.covering(1).size == 2
    second = publish()
    cosigning.add(cosign(second.note, W1))
    assert checkpointer.covering(1).size == 2  # two witnesses are better than one
    assert checkpointer.covering(3).size == 4
    cosigning.add(cosign(second.note, W2))
    assert checkpointer.covering(1).size == 4
    append(log)
    assert checkpointer.covering(5).size == 5
    bundle = world.proofs(log).entry(ANNA, LogIndex(0))
    assert bundle["anchor"]["size"] == 4  # it is the anchored one
    report = verify_bundle(bundle, [world.signer.verifier_key], witnesses=[W1.verifier_key, W2.verifier_key])
    assert report["witnesses"] == ["w1.example", "w2.example"]


def test_published_checkpoint_stands_between_anchors_and_goes_on_when_the_chain_does_not(
    world: World, log: AuditLog
) -> None:
    checkpointer = world.checkpointer(log)
    append(log)
    assert checkpointer.published(anchor_overdue=False).size == 1  # nothing is anchored yet
    append(log)
    world.anchorer(log).run_once()
    append(log)
    assert checkpointer.published(anchor_overdue=False).size == 2
    assert checkpointer.published(anchor_overdue=True).size == 3


class TestPolicy:
    @pytest.fixture
    def proof(self, world: World, log: AuditLog) -> str:
        append(log, 3)
        stored = world.checkpointer(log).now()
        known = [*both("w1.example"), W2, W3]
        taking(world, *known).add(cosign(stored.note, *both("w1.example"), W2))
        return world.proofs(log).tlog_proof(ANNA, LogIndex(1))

    def verify(self, world: World, proof: str, *given: Cosigner, quorum: int | None) -> list[str]:
        keys = [w.verifier_key for w in given]
        report = verify_bundle(
            read(proof.encode()), [world.signer.verifier_key], witnesses=keys, quorum=quorum
        )
        names: list[str] = report["witnesses"]
        return names

    def test_as_many_witnesses_as_the_policy_asks_for_pass(self, world: World, proof: str) -> None:
        assert self.verify(world, proof, quorum=None) == []
        assert self.verify(world, proof, W2, quorum=None) == ["w2.example"]
        assert self.verify(world, proof, W2, W3, quorum=1) == ["w2.example"]
        two = [both("w1.example")[0], W2]
        assert self.verify(world, proof, *two, W3, quorum=2) == ["w1.example", "w2.example"]

    def test_fewer_are_refused(self, world: World, proof: str) -> None:
        with pytest.raises(VerificationError, match="1 of the witnesses cosigned, 2"):
            self.verify(world, proof, W2, W3, quorum=2)
        with pytest.raises(VerificationError, match="1 of the witnesses cosigned, 2"):
            self.verify(world, proof, W2, W3, quorum=None)  # all, where no number is given

    def test_witness_with_two_lines_counts_once(self, world: World, proof: str) -> None:
        with pytest.raises(VerificationError, match="1 of the witnesses cosigned, 2"):
            self.verify(world, proof, *both("w1.example"), W3, quorum=2)

    def test_quorum_that_no_number_of_witnesses_gives_is_refused(self, world: World, proof: str) -> None:
        with pytest.raises(VerificationError, match="quorum"):
            self.verify(world, proof, *both("w1.example"), quorum=2)
        with pytest.raises(VerificationError, match="quorum"):
            self.verify(world, proof, quorum=1)

    def test_one_key_under_two_names_and_the_logs_own_name_are_refused(
        self, world: World, proof: str
    ) -> None:
        twins = [witness("a.example", seed=5), witness("b.example", seed=5)]
        with pytest.raises(VerificationError, match="one key"):
            self.verify(world, proof, *twins, quorum=1)
        with pytest.raises(VerificationError, match="log's name"):
            self.verify(world, proof, witness(ORIGIN), quorum=0)

    def test_every_flipped_bit_of_a_cosigned_proof_is_refused_or_changes_nothing_that_is_reported(
        self, world: World, proof: str
    ) -> None:
        keys = [world.signer.verifier_key]
        witnesses = [w.verifier_key for w in (*both("w1.example"), W2)]
        good = verify_bundle(read(proof.encode()), keys, witnesses=witnesses)
        for place in range(0, len(proof), 7):
            changed = proof[:place] + chr(ord(proof[place]) ^ 1) + proof[place + 1 :]
            try:
                report = verify_bundle(read(changed.encode()), keys, witnesses=witnesses)
            except ValueError:
                continue
            assert report == good
