"""What every AuditStore must do; run on the one in memory and on the real server."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backend.audit.bundling import BundleBuilder, prepare
from backend.audit.errors import AuditFenced, LeaseHeld, LogDamaged
from backend.audit.merging import merged
from backend.audit.merkle import EMPTY_ROOT
from backend.audit.ports import AuditStore
from backend.audit.state import LogState
from backend.audit.types import AnchorRecord, Bundle, Head, StoredCheckpoint
from backend.types import BlockNumber
from tests.support.memory_audit import ANNA, CONTRACT, ORIGIN, MemoryAuditKeys, read_event

NOW = 1_700_000_000_000


def bundle_on(state: LogState, head: Head, *, entries: int = 3, act: bytes = b"") -> Bundle:
    builder = BundleBuilder(state, token=head.token, recorded_at_ms=NOW, closed=set())
    for number in range(entries):
        builder.add(
            prepare(
                read_event(number=number).encode(),
                subject=ANNA,
                act=act if number == 0 else b"",
                keys=MemoryAuditKeys(),
                state=state,
                origin=ORIGIN,
            )
        )
    return builder.bundle()


def take(store: AuditStore, holder: str = "one", *, now_ms: int = NOW, takeover: bool = False) -> Head:
    return store.acquire(holder=holder, now_ms=now_ms, ttl_ms=1_000, takeover=takeover)


class AuditStoreSuite:
    def test_acquire_on_an_empty_store_starts_an_empty_log(self, store: AuditStore) -> None:
        assert store.head() is None
        head = take(store)
        assert (head.size, head.root, head.holder) == (0, EMPTY_ROOT, "one")
        assert store.head() == head
        assert list(store.bundles()) == []

    def test_lease_is_exclusive_until_it_runs_out_or_is_given_back(self, store: AuditStore) -> None:
        first = take(store)
        with pytest.raises(LeaseHeld):
            take(store, "two")
        again = take(store)
        assert again.token == first.token + 1
        late = take(store, "two", now_ms=NOW + 1_000)
        assert late.token == again.token + 1
        store.renew(late, expires_ms=NOW + 9_000)
        with pytest.raises(LeaseHeld):
            take(store, "one", now_ms=NOW + 5_000)
        store.release(again)  # an old token gives nothing back
        with pytest.raises(LeaseHeld):
            take(store, "one", now_ms=NOW + 5_000)
        store.release(late)
        assert take(store, "one", now_ms=NOW + 5_000).token == late.token + 1

    def test_lease_of_a_holder_that_is_gone_is_free_and_stays_fenced(self, store: AuditStore) -> None:
        old = take(store)
        with pytest.raises(LeaseHeld):
            store.acquire(holder="two", now_ms=NOW, ttl_ms=1_000, takeover=False, gone=["nobody"])
        new = store.acquire(holder="two", now_ms=NOW, ttl_ms=1_000, takeover=False, gone=["zero", "one"])
        assert (new.token, new.holder) == (old.token + 1, "two")
        with pytest.raises(AuditFenced):
            store.commit(old, bundle_on(LogState(), old), expires_ms=NOW)

    def test_takeover_fences_the_old_holder(self, store: AuditStore) -> None:
        old = take(store)
        bundle = bundle_on(LogState(), old)
        new = take(store, "two", takeover=True)
        with pytest.raises(AuditFenced):
            store.commit(old, bundle, expires_ms=NOW)
        with pytest.raises(AuditFenced):
            store.renew(old, expires_ms=NOW)
        assert store.head() == new

    def test_commit_adds_bundle_and_head_and_reads_back_equal(self, store: AuditStore) -> None:
        state, head = LogState(), take(store)
        written = []
        for entries in (1, 256, 12, 3):
            bundle = bundle_on(state, head, entries=entries, act=b"\x05" * 16)
            head = store.commit(head, bundle, expires_ms=NOW + 1_000)
            state.apply(bundle)
            written.append(bundle)
        assert store.head() == head
        assert (head.size, head.root) == state.head()
        assert list(store.bundles()) == written
        read = [replace(bundle, bodies=(), hashes=()) for bundle in written]
        assert list(store.bundles(whole=False)) == read
        wanted = [b.first for b in written[1:]]
        without = {b.first: replace(b, bodies=()) for b in written}
        assert store.bundles_at([*wanted, 99_999]) == {first: without[first] for first in wanted}
        assert store.bundles_at([0]) == {0: without[0]}
        assert store.bundles_at([]) == {}
        assert store.bundle_with(1) == store.bundle_with(255) == written[1]
        assert store.bundle_with(268, whole=False) == read[3]
        assert store.bundle_with(269) is None

    def test_entries_are_found_wherever_they_are_said_to_be(self, store: AuditStore) -> None:
        written = self.fill(store, 1, 256, 12)
        every = {b.first + n: (b, n) for b in written for n in range(len(b.leaves))}
        right = store.entries({index: b.first for index, (b, _) in every.items()})
        assert {index: (e.index, e.leaf, e.body) for index, e in right.items()} == {
            index: (index, b.leaves[n], b.bodies[n]) for index, (b, n) in every.items()
        }
        wrong = store.entries({0: 1, 3: 0, 256: 700, 257: 1, 268: 0, 269: 269, 10_000: 257})
        assert wrong == {index: right[index] for index in (0, 3, 256, 257, 268)}
        assert store.entries({}) == {}

    def test_merged_bundle_holds_its_parts_and_they_go(self, store: AuditStore) -> None:
        written = self.fill(store, 1, 2, 5, 1)
        token = take(store).token
        whole = self.merge(store, token, [0, 1, 3])
        assert [bundle.first for bundle in store.bundles()] == [0, 1, 3, 8]
        store.discard(token, 0)
        assert [bundle.first for bundle in store.bundles()] == [0, 8]
        found = store.bundle_with(5)
        assert found is not None
        assert (found.first, found.end, found.root, found.token) == (0, 8, written[2].root, written[2].token)
        for name in ("leaves", "bodies", "hashes", "acts"):
            values = tuple(value for part in written[:3] for value in getattr(part, name))
            assert getattr(found, name) == values
        assert replace(found, bodies=()) == whole
        assert [part.entries for part in found.parts] == [1, 2, 5]
        assert store.entries({4: 3, 2: 1, 8: 8}).keys() == {4, 2, 8}
        store.discard(token, 0)
        again = self.merge(store, token, [0, 8])
        store.discard(token, 0)
        assert [bundle.first for bundle in store.bundles()] == [0]
        assert [part.entries for part in again.parts] == [1, 2, 5, 1]
        assert store.bundles_at([0])[0].parts == again.parts
        entries = store.entries({index: index for index in range(9)})
        assert [entries[index].body for index in range(9)] == [body for b in written for body in b.bodies]

    def test_nothing_is_merged_or_removed_under_a_lost_lease(self, store: AuditStore) -> None:
        self.fill(store, 1, 1, 1)
        old = take(store)
        parts = self.parts(store, [0, 1, 2])
        new = take(store, "two", takeover=True)
        with pytest.raises(AuditFenced):
            store.merge(old.token, parts[0], merged(parts))
        assert [bundle.end for bundle in store.bundles()] == [1, 2, 3]
        store.merge(new.token, parts[0], merged(parts))
        with pytest.raises(AuditFenced):
            store.discard(old.token, 0)
        assert [bundle.end for bundle in store.bundles()] == [3, 2, 3]
        store.discard(new.token, 0)
        assert [bundle.end for bundle in store.bundles()] == [3]

    def test_merge_is_refused_where_another_bundle_lies_by_now(self, store: AuditStore) -> None:
        self.fill(store, 1, 1, 1)
        token = take(store).token
        parts = self.parts(store, [0, 1, 2])
        store.merge(token, parts[0], merged(parts[:2]))
        store.discard(token, 0)
        for before, whole in ((parts[0], parts), (parts[1], parts[1:])):
            with pytest.raises(LogDamaged):  # one grew meanwhile, the other went
                store.merge(token, before, merged(whole))
        assert [bundle.end for bundle in store.bundles()] == [2, 3]

    def test_what_differs_from_the_merged_bundle_is_never_removed(self, store: AuditStore) -> None:
        written = self.fill(store, 1, 1, 1, 1)
        token = take(store).token
        parts = self.parts(store, [0, 1, 2])
        store.merge(token, parts[0], merged(parts))
        self.swap_leaf(store, 1, written[3].leaves[0])
        for first in (0, 1, 3, 77):
            store.discard(token, first)
        assert [bundle.first for bundle in store.bundles()] == [0, 1, 3]

    def fill(self, store: AuditStore, *sizes: int) -> list[Bundle]:
        """Commit bundles of these sizes; return them."""
        state, head, written = LogState(), take(store), []
        for entries in sizes:
            bundle = bundle_on(state, head, entries=entries, act=bytes([len(written) + 1]) * 16)
            head = store.commit(head, bundle, expires_ms=NOW + 1_000)
            state.apply(bundle)
            written.append(bundle)
        return written

    def parts(self, store: AuditStore, firsts: list[int]) -> list[Bundle]:
        found = store.bundles_at(firsts)
        return [found[first] for first in firsts]

    def merge(self, store: AuditStore, token: int, firsts: list[int]) -> Bundle:
        parts = self.parts(store, firsts)
        whole = merged(parts)
        store.merge(token, parts[0], whole)
        return whole

    def test_of_two_commits_on_one_head_the_second_is_fenced(self, store: AuditStore) -> None:
        head = take(store)
        mine, other = bundle_on(LogState(), head), bundle_on(LogState(), head)
        store.commit(head, mine, expires_ms=NOW)
        with pytest.raises(AuditFenced):
            store.commit(head, other, expires_ms=NOW)
        assert list(store.bundles()) == [mine]

    def test_head_without_its_entries_is_never_made_anew(self, store: AuditStore) -> None:
        head = take(store)
        store.commit(head, bundle_on(LogState(), head), expires_ms=NOW)
        self.drop_head(store)
        with pytest.raises(LogDamaged):
            take(store)

    def test_cosigned_note_is_served_wherever_its_checkpoint_is(self, store: AuditStore) -> None:
        assert store.most_cosigned() is None
        assert store.checkpoint(3) is None
        first = StoredCheckpoint(3, b"\x03" * 32, "note 3", 1)
        store.save_checkpoint(first)
        assert store.cosign(first, "note 3, cosigned", best=True)
        assert not store.cosign(first, "note 3, late", best=True)  # another line came in between
        cosigned = replace(first, note="note 3, cosigned")
        assert store.checkpoint(3) == store.most_cosigned() == cosigned
        assert store.newest_checkpoint(anchored=False) == cosigned
        record = AnchorRecord(3, first.root, 5, b"\x1d" * 32, CONTRACT, BlockNumber(9), b"\x77" * 32)
        store.save_checkpoint(replace(first, anchor=record))  # by one who has not seen the cosignature
        anchored = replace(cosigned, anchor=record)
        assert store.newest_checkpoint(anchored=True) == store.most_cosigned() == anchored
        second = StoredCheckpoint(5, b"\x05" * 32, "note 5", 2)
        store.save_checkpoint(second)
        assert store.cosign(second, "note 5, cosigned", best=False)
        assert store.most_cosigned() == anchored
        assert store.cosign(replace(second, note="note 5, cosigned"), "note 5, twice", best=True)
        assert store.most_cosigned() == replace(second, note="note 5, twice")
        assert store.newest_checkpoint(anchored=True) == anchored

    def test_checkpoints_are_kept_once_and_gain_their_anchor(self, store: AuditStore) -> None:
        assert store.newest_checkpoint(anchored=False) is None
        first = StoredCheckpoint(5, b"\x05" * 32, "note 5\n", 100)
        second = StoredCheckpoint(12, b"\x0c" * 32, "note 12\n", 160)
        store.save_checkpoint(first)
        assert store.newest_checkpoint(anchored=False) == first
        assert store.newest_checkpoint(anchored=True) is None
        store.save_checkpoint(second)
        record = AnchorRecord(5, b"\x05" * 32, 2**80, b"\x1d" * 32, CONTRACT, BlockNumber(9), None)
        store.save_checkpoint(replace(first, anchor=record))
        assert list(store.checkpoints()) == [replace(first, anchor=record), second]
        assert store.newest_checkpoint(anchored=False) == second
        assert store.newest_checkpoint(anchored=True) == replace(first, anchor=record)

    def swap_leaf(self, store: AuditStore, first: int, leaf: bytes) -> None:
        raise AssertionError("say how a stored leaf is changed")

    def drop_head(self, store: AuditStore) -> None:
        raise AssertionError("say how the head disappears")
