"""Releases over the same people never single out fewer together than each promised alone."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.errors import IntegrityError
from backend.research.anonymize.refusals import ReleaseOverlap
from backend.research.pseudonyms import pseudonym, release_mark
from backend.research.releases.errors import ReleaseLedgerBusy, ReleaseLedgerDamaged, ReleaseLedgerRolledBack
from backend.research.releases.ledger import ReleaseLedger
from backend.research.releases.overlap import ABSENT, effective_k, keeps_promises
from backend.research.releases.types import Members, ReleaseEntry
from backend.research.types import ChainHead, StudyId
from backend.types import SubjectId
from tests.support.memory_chains import MemoryChainLog
from tests.support.memory_releases import MemoryReleaseStore

FIRST, SECOND, THIRD = (StudyId(bytes([number]) * 32) for number in (1, 2, 3))
NOW = 1_790_000_000


class Keys:
    def study_key(self, study: StudyId) -> bytes:
        return hashlib.sha256(b"key of " + study).digest()


def ledger(store: MemoryReleaseStore, log: MemoryChainLog | None = None) -> ReleaseLedger:
    return ReleaseLedger(
        store=store, log=log or MemoryChainLog(), keys=Keys(), ledger="hospital", clock=lambda: NOW
    )


def classes(*groups: range) -> dict[SubjectId, int]:
    return {SubjectId(person): number for number, group in enumerate(groups) for person in group}


def test_smallest_intersection_of_two_releases_is_the_effective_k() -> None:
    #                 people 0..7
    first = [0, 0, 0, 0, 1, 1, 1, 1]
    second = [0, 0, 0, 1, 1, 1, ABSENT, ABSENT]
    assert effective_k(np.array([first])) == 4
    assert effective_k(np.array([first, second])) == 1  # person 3 alone is in 0 and 1
    assert effective_k(np.array([first, first])) == 4
    assert effective_k(np.array([[ABSENT, ABSENT]])) == 0
    assert keeps_promises(np.array([first, first]), [4, 4])
    assert not keeps_promises(np.array([first, first]), [4, 5])
    assert not keeps_promises(np.array([first, second]), [2, 2])


def test_people_in_one_release_only_count_for_those_in_it() -> None:
    first = [0, 0, 0, 0, ABSENT, ABSENT]
    second = [0, 0, ABSENT, ABSENT, 0, 0]
    # Who is in both is one of two; who is in one only could be any of its four.
    assert effective_k(np.array([first, second])) == 2
    assert keeps_promises(np.array([first, second]), [2, 2])
    assert not keeps_promises(np.array([first, second]), [3, 2])


people_in_releases = st.integers(1, 12).flatmap(
    lambda people: st.lists(
        st.lists(st.sampled_from([ABSENT, 0, 1, 2]), min_size=people, max_size=people), min_size=1, max_size=3
    )
)


@settings(max_examples=150)
@given(people_in_releases)
def test_effective_k_agrees_with_intersecting_all_sets_of_releases(drawn: list[list[int]]) -> None:
    table = np.array(drawn)
    releases, people = table.shape
    sizes = []
    for chosen in range(1, 2**releases):
        rows = [number for number in range(releases) if chosen >> number & 1]
        groups: dict[tuple[int, ...], int] = {}
        for person in range(people):
            key = tuple(int(table[row, person]) for row in rows)
            if ABSENT not in key:
                groups[key] = groups.get(key, 0) + 1
        sizes += groups.values()
    assert effective_k(table) == min(sizes, default=0)


def test_release_that_cuts_an_earlier_class_is_refused_and_leaves_nothing() -> None:
    store = MemoryReleaseStore()
    ledger(store).admit(FIRST, 5, classes(range(10), range(10, 20)))
    with pytest.raises(ReleaseOverlap) as refusal:
        ledger(store).admit(SECOND, 5, classes(range(8), range(8, 20)))  # 8 and 9 would be two
    assert refusal.value.code == "release_overlap"
    assert not any(character.isdigit() for character in refusal.value.detail)
    assert len(store.kept) == 1
    # Whole classes, other people, or nobody of before: nothing is narrowed.
    ledger(store).admit(SECOND, 5, classes(range(10), range(30, 36)))
    ledger(store).admit(THIRD, 5, classes(range(50, 60)))
    assert [entry.place for entry in ledger(store).verify()] == [0, 1, 2]


def test_promise_of_an_earlier_release_binds_a_later_one() -> None:
    store = MemoryReleaseStore()
    ledger(store).admit(FIRST, 11, classes(range(20)))
    with pytest.raises(ReleaseOverlap):
        ledger(store).admit(SECOND, 5, classes(range(10), range(10, 20)))


def test_three_releases_are_intersected_together() -> None:
    store = MemoryReleaseStore()
    ledger(store).admit(FIRST, 5, classes(range(20)))
    ledger(store).admit(SECOND, 5, classes(range(10), range(10, 20)))
    with pytest.raises(ReleaseOverlap):
        ledger(store).admit(THIRD, 5, classes([*range(7), *range(10, 13)], [*range(7, 10), *range(13, 20)]))  # type: ignore[arg-type]


def test_same_release_again_is_the_same_entry_however_classes_are_numbered() -> None:
    store = MemoryReleaseStore()
    once = ledger(store).admit(FIRST, 5, classes(range(10), range(10, 20)))
    assert ledger(store).admit(FIRST, 5, classes(range(10, 20), range(10))) == once
    assert len(store.kept) == 1


def test_marks_are_another_in_each_study_and_no_pseudonym() -> None:
    key, other, subject = Keys().study_key(FIRST), Keys().study_key(SECOND), SubjectId(7)
    made = [(key, FIRST), (other, SECOND), (key, SECOND)]
    marks = {release_mark(secret, study, subject) for secret, study in made}
    assert len(marks) == 3
    assert bytes.fromhex(pseudonym(key, FIRST, subject)) not in marks
    store = MemoryReleaseStore()
    subjects = [SubjectId(number << 64) for number in range(7, 12)]
    entry = ledger(store).admit(FIRST, 5, dict.fromkeys(subjects, 0))
    kept = b"".join(store.members(entry)) + entry.release_id
    assert not any(subject.to_bytes(12) in kept for subject in subjects)


def test_of_two_releases_at_once_that_exclude_each_other_one_passes() -> None:
    store = MemoryReleaseStore()
    both = threading.Barrier(2)

    class Waiting(MemoryReleaseStore):
        """Lets both look before either appends."""

        waited = 0

        def entries(self, name: str):  # type: ignore[no-untyped-def]
            found = store.entries(name)
            if not found and Waiting.waited < 2:
                Waiting.waited += 1
                both.wait(timeout=10)
            return found

        def append(self, entry: ReleaseEntry, members: Members) -> bool:
            return store.append(entry, members)

        def members(self, entry: ReleaseEntry) -> Members:
            return store.members(entry)

    outcomes: list[str] = []

    def run(study: StudyId, class_of: Mapping[SubjectId, int]) -> None:
        try:
            ledger(Waiting()).admit(study, 5, class_of)
            outcomes.append("passed")
        except ReleaseOverlap:
            outcomes.append("refused")

    threads = [
        threading.Thread(target=run, args=(FIRST, classes(range(10), range(10, 20)))),
        threading.Thread(target=run, args=(SECOND, classes(range(8), range(8, 20)))),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert sorted(outcomes) == ["passed", "refused"]
    assert len(store.kept) == 1


def test_ledger_that_is_no_chain_stops_every_release() -> None:
    store = MemoryReleaseStore()
    ledger(store).admit(FIRST, 5, classes(range(10)))
    ledger(store).admit(SECOND, 5, classes(range(20, 30)))
    whole = list(store.kept)
    elsewhere = replace(whole[1], previous=b"x" * 32)
    found: tuple[tuple[list[ReleaseEntry], type[IntegrityError]], ...] = (
        (whole[1:], ReleaseLedgerRolledBack),
        ([replace(whole[0], k=2), whole[1]], ReleaseLedgerDamaged),
        ([whole[0], replace(whole[1], place=2)], ReleaseLedgerRolledBack),
        ([whole[0], replace(elsewhere, digest=elsewhere.computed_digest())], ReleaseLedgerDamaged),
    )
    for damaged, error in found:
        store.kept = damaged
        with pytest.raises(error):
            ledger(store).admit(THIRD, 5, classes(range(40, 50)))


def test_release_is_in_the_log_before_it_is_admitted_and_one_taken_away_is_missed() -> None:
    store, log = MemoryReleaseStore(), MemoryChainLog()
    running = ledger(store, log)
    running.open(None)
    running.admit(FIRST, 5, classes(range(10)))
    newest = running.admit(SECOND, 5, classes(range(20, 30)))
    assert log.newest == ChainHead("hospital", 2, newest.digest)
    assert ledger(store, log).open(log.newest) == log.newest
    store.kept.pop()
    for taken in (lambda: ledger(store, log).open(log.newest), running.verify):
        with pytest.raises(ReleaseLedgerRolledBack):
            taken()
    # Another one in its place is not it, either.
    ledger(store, log).admit(THIRD, 5, classes(range(40, 50)))
    with pytest.raises(ReleaseLedgerRolledBack):
        running.verify()


def test_release_whose_head_a_crash_kept_from_the_log_gets_it_at_the_next_start_or_attempt() -> None:
    store, log = MemoryReleaseStore(), MemoryChainLog()
    for again in (
        lambda: ledger(store, log).open(None),
        lambda: ledger(store, log).admit(FIRST, 5, classes(range(10))),
    ):
        log.heads.clear()
        ledger(store).admit(FIRST, 5, classes(range(10)))  # its head went nowhere
        again()
        assert log.newest == ChainHead("hospital", 1, store.kept[0].digest)


def test_place_that_is_always_taken_ends_in_busy() -> None:
    class Taken(MemoryReleaseStore):
        def append(self, entry: ReleaseEntry, members: Members) -> bool:
            return False

    with pytest.raises(ReleaseLedgerBusy):
        ledger(Taken()).admit(FIRST, 5, classes(range(10)))
