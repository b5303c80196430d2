"""What every AuditStore must do; run on the one in memory and on the real server."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backend.audit.bundling import BundleBuilder, prepare
from backend.audit.errors import AuditFenced, LeaseHeld, LogDamaged
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
        assert store.bundles_at([*wanted, 99_999]) == {b.first: b for b in written[1:]}
        assert store.bundles_at([0]) == {0: written[0]}

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

    def drop_head(self, store: AuditStore) -> None:
        raise AssertionError("say how the head disappears")
