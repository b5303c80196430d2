"""Segment keys out of their slots: made for writing, opened for reading, wrapped anew, sealed to readers.

Tables lie in the index, sealed under the patient's document key and found by a blind name, so that the index
tells neither which kinds of data a patient has nor who reads them. The master that opens the custodian's
slots lies in the key store and is asked for at every use: once it is erased nothing opens, whatever is
remembered.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final, NamedTuple

from backend.errors import Conflict, IntegrityError
from backend.keystore import KeyName, KeyStore, Secret, SecretNotFound
from backend.recent import RecentCache
from backend.records import canonical
from backend.records.context import SegmentKeyId
from backend.records.envelope_errors import WrapRefused
from backend.records.ports import SlotIndex, SlotRow
from backend.records.slots import MAX_SLOTS, CustodianSlot, KeyEpoch, SealedSlot, SlotTable, decode
from backend.records.wrapping import SegmentKey, unwrap_segment_key, wrap_segment_key
from backend.sealed import DocumentSealer
from backend.types import MemberId, SubjectId

_REMEMBERED: Final = 4096  # opened keys, some 2 MiB
_LOCKS: Final = 64
_ATTEMPTS: Final = 16


class SlotMissing(IntegrityError):
    """The index has no table or no epoch for a segment key that a manifest names."""

    code = "key_slot_missing"
    remedy = "Tell the operator: 'assent fsck' names the record. Restore the key slots from a backup."


class KeyWithheld(Conflict):
    """The key is kept end to end: the service has no slot for itself and cannot read or write with it."""

    code = "end_to_end"
    remedy = "Only the patient and those it sealed the key to can read this. Ask for it sealed to your key."


class SlotsFull(Conflict):
    code = "key_slots_full"
    remedy = "64 readers have this key already. Revoke a consent that is not used any more."


class SlotsTaken(Conflict):
    code = "key_epoch_taken"
    remedy = "Another device began this epoch of the key. Ask for a new draft and use the key that it gives."


class SlotsBusy(Conflict):
    code = "key_slots_busy"
    remedy = "Others changed the same key slots at the same time. Try again."


class _Opened(NamedTuple):
    master: int
    key: SegmentKey


class SlotBook:
    """Safe for many threads of the one process that holds the key store."""

    def __init__(self, *, tenant: MemberId, index: SlotIndex, keys: KeyStore, sealer: DocumentSealer) -> None:
        self._tenant = tenant
        self._index = index
        self._keys = keys
        self._sealer = sealer
        self._opened: RecentCache[SegmentKeyId, _Opened] = RecentCache(
            max_age_seconds=math.inf, capacity=_REMEMBERED
        )
        self._newest: RecentCache[tuple[SubjectId, str], SegmentKeyId] = RecentCache(
            max_age_seconds=math.inf, capacity=_REMEMBERED
        )
        # Nothing may be wrapped under a master whose rotation has already looked for what it wraps. One lock
        # for all would have every first write wait for the others' durable ones.
        self._masters = tuple(threading.Lock() for _ in range(_LOCKS))

    # --- use ----------------------------------------------------------------------------------------------

    def writing(self, subject: SubjectId, kinds: Iterable[str]) -> dict[str, SegmentKey]:
        """Return the key that new segments of each kind are written under, made where there is none.

        Durable on return. Raises KeyWithheld where the patient keeps a kind end to end, and as ``reading``.
        """
        return {kind: self._writing(subject, kind) for kind in sorted(set(kinds))}

    def reading(self, key_id: SegmentKeyId) -> SegmentKey:
        """Open the custodian's slot of a key.

        Raises SecretNotFound when the patient was erased, SlotMissing, KeyWithheld, WrapRefused,
        NotCanonical, SealedDocumentRefused, IndexUnavailable.
        """
        opened = self._opened.get(key_id, lambda: self._open(key_id))
        try:
            self._keys.get(*_master(key_id.subject, opened.master))
        except SecretNotFound:
            self._opened.forget(key_id)  # rotated since, or erased
            opened = self._opened.get(key_id, lambda: self._open(key_id))
        return opened.key

    def key_id(self, subject: SubjectId, kind: str, epoch: int) -> SegmentKeyId:
        return SegmentKeyId(tenant=self._tenant, subject=subject, kind=kind, epoch=epoch)

    def epochs(self, subject: SubjectId, kind: str) -> tuple[KeyEpoch, ...]:
        """Return all epochs of a kind, none where there is no table. Raises as ``reading``."""
        table = self._table(subject, kind) if self._keys.exists(*_salt(subject)) else None
        return () if table is None else table.epochs

    def epoch(self, key_id: SegmentKeyId) -> KeyEpoch:
        """Return the slots of a key. Raises as ``reading``."""
        table = self._table(key_id.subject, key_id.kind)
        if table is None or key_id.epoch >= len(table.epochs):
            raise SlotMissing
        return table.epochs[key_id.epoch]

    # --- readers ------------------------------------------------------------------------------------------

    def seal_to(self, key_id: SegmentKeyId, slot: SealedSlot) -> None:
        """Add a reader's slot, or replace the one it has under this consent.

        Raises SlotsFull when the epoch has 64 slots, and as ``reading``.
        """

        def change(epoch: KeyEpoch) -> KeyEpoch:
            others = [s for s in epoch.sealed if (s.recipient, s.consent) != (slot.recipient, slot.consent)]
            if len(others) + 1 + (epoch.custodian is not None) > MAX_SLOTS:
                raise SlotsFull
            return replace(epoch, sealed=(*others, slot))

        self._change_epoch(key_id, change)

    def keep_end_to_end(self, key_id: SegmentKeyId, slot: SealedSlot) -> None:
        """Begin an epoch whose key the service never sees, sealed to its patient. Again does nothing.

        Raises SlotsTaken when the epoch is there with other slots, or is not the next one.
        """

        def change(table: SlotTable | None) -> SlotTable:
            epochs = table.epochs if table else ()
            if key_id.epoch == len(epochs):
                return SlotTable(key_id.kind, (*epochs, KeyEpoch(sealed=(slot,))))
            if table is None or key_id.epoch > len(epochs) or slot not in epochs[key_id.epoch].sealed:
                raise SlotsTaken
            return table

        self._change(key_id.subject, key_id.kind, change)

    def open_to_custodian(self, key: SegmentKey, handover: bytes) -> None:
        """Give the service a slot of a key that was kept end to end, beside the command the patient signed.

        Whether it is the epoch's key cannot be told here: another one opens no DEK. Once there is a slot
        nothing changes. Raises as ``reading``.
        """

        def change(epoch: KeyEpoch) -> KeyEpoch:
            if epoch.custodian is not None:
                return epoch
            return replace(epoch, custodian=self._custodian_slot(key), handover=handover)

        with self._master_of(key.id.subject):
            self._change_epoch(key.id, change)
            self._newest.forget()

    # --- rotation and erasure -----------------------------------------------------------------------------

    def raise_epoch(self, subject: SubjectId, kind: str) -> SegmentKeyId:
        """Draw a new key for what is written from now on; readers of the older ones have no slot for it."""
        with self._master_of(subject):

            def change(table: SlotTable | None) -> SlotTable:
                epochs = table.epochs if table else ()
                return SlotTable(kind, (*epochs, self._new_epoch(subject, kind, len(epochs))))

            table = self._change(subject, kind, change)
            self._newest.forget()
            return self.key_id(subject, kind, len(table.epochs) - 1)

    def rotate_master(self, subject: SubjectId) -> int:
        """Wrap every key of a patient under a new master, destroy the one before, return the new version.

        Afterwards that is the minimum version: an older wrap opens nothing, in whatever copy of the index it
        lies. Safe to repeat after a crash at any point: a rotation that was begun is finished.
        """
        with self._master_of(subject):
            version = self._version(subject)
            if version == 1 or not self._keys.exists(*_master(subject, version - 1)):
                version += 1
                self._keys.create_many([_marker(subject, version), _master(subject, version)])
            for row in self._index.of_subject(subject):
                kind = self._unsealed(row).kind
                self._change(subject, kind, lambda table: self._wrapped_anew(subject, table, version))
            self._opened.forget()
            self._keys.erase(*_master(subject, version - 1))
            return version

    def subjects(self) -> list[SubjectId]:
        """Return all patients who have slots."""
        return sorted({row.subject for row in self._index.everything()})

    def kinds(self, subject: SubjectId) -> list[str]:
        """Return the kinds of which a patient has keys. Raises as ``reading``."""
        return sorted(self._unsealed(row).kind for row in self._index.of_subject(subject))

    def keys_of(self, subject: SubjectId) -> list[KeyName]:
        """Return the names of all secrets that the slots of a patient hang on, for their erasure."""
        versions = range(1, self._version(subject) + 1)
        markers = [_marker(subject, version) for version in versions[1:]]
        return [_salt(subject), *markers, *(_master(subject, version) for version in versions)]

    def forget(self) -> None:
        """Forget every opened key: some were erased."""
        self._opened.forget()
        self._newest.forget()

    # --- masters ------------------------------------------------------------------------------------------

    def _master_of(self, subject: SubjectId) -> threading.Lock:
        return self._masters[subject % _LOCKS]

    def _version(self, subject: SubjectId) -> int:
        """Return the version of the patient's master that wraps now; older ones are dead or dying."""
        version = 1
        while self._keys.exists(*_marker(subject, version + 1)):
            version += 1
        return version

    def _custodian_slot(self, key: SegmentKey) -> CustodianSlot:
        version = self._version(key.id.subject)
        master = self._keys.get_or_create(*_master(key.id.subject, version))
        return CustodianSlot(version, wrap_segment_key(key, master=master, version=version))

    def _new_epoch(self, subject: SubjectId, kind: str, number: int) -> KeyEpoch:
        key = SegmentKey(self.key_id(subject, kind, number), Secret.generate())
        return KeyEpoch(custodian=self._custodian_slot(key))

    def _wrapped_anew(self, subject: SubjectId, table: SlotTable | None, version: int) -> SlotTable:
        if table is None:
            raise SlotMissing
        epochs = list(table.epochs)
        for number, epoch in enumerate(epochs):
            slot = epoch.custodian
            if slot is not None and slot.master != version:
                key = self._unwrapped(self.key_id(subject, table.kind, number), slot)
                epochs[number] = replace(epoch, custodian=self._custodian_slot(key))
        return SlotTable(table.kind, tuple(epochs))

    def _open(self, key_id: SegmentKeyId) -> _Opened:
        slot = self.epoch(key_id).custodian
        if slot is None:
            raise KeyWithheld
        return _Opened(slot.master, self._unwrapped(key_id, slot))

    def _unwrapped(self, key_id: SegmentKeyId, slot: CustodianSlot) -> SegmentKey:
        try:
            master = self._keys.get(*_master(key_id.subject, slot.master))
        except SecretNotFound as missing:
            if slot.master < self._version(key_id.subject):
                raise WrapRefused from missing  # below the minimum version: put back from an old copy
            raise
        return unwrap_segment_key(slot.wrapped, key_id, master=master, version=slot.master)

    # --- tables -------------------------------------------------------------------------------------------

    def _writing(self, subject: SubjectId, kind: str) -> SegmentKey:
        return self.reading(self._newest.get((subject, kind), lambda: self._newest_of(subject, kind)))

    def _newest_of(self, subject: SubjectId, kind: str) -> SegmentKeyId:
        with self._master_of(subject):
            table = self._change(
                subject, kind, lambda found: found or SlotTable(kind, (self._new_epoch(subject, kind, 0),))
            )
        for number in reversed(range(len(table.epochs))):
            if table.epochs[number].custodian is not None:
                return self.key_id(subject, kind, number)
        raise KeyWithheld

    def _table(self, subject: SubjectId, kind: str) -> SlotTable | None:
        row = self._index.find(self._name(subject, kind, self._keys.get(*_salt(subject))))
        return None if row is None else self._unsealed(row, kind)

    def _change_epoch(self, key_id: SegmentKeyId, change: Callable[[KeyEpoch], KeyEpoch]) -> None:
        def change_table(table: SlotTable | None) -> SlotTable:
            if table is None or key_id.epoch >= len(table.epochs):
                raise SlotMissing
            epochs = list(table.epochs)
            epochs[key_id.epoch] = change(epochs[key_id.epoch])
            return SlotTable(table.kind, tuple(epochs))

        self._change(key_id.subject, key_id.kind, change_table)

    def _change(
        self, subject: SubjectId, kind: str, change: Callable[[SlotTable | None], SlotTable]
    ) -> SlotTable:
        """Change a table by compare-and-swap; return what it is now. Raises SlotsBusy."""
        name = self._name(subject, kind, self._keys.get_or_create(*_salt(subject)))
        for _ in range(_ATTEMPTS):
            row = self._index.find(name)
            before = None if row is None else self._unsealed(row, kind)
            after = change(before)
            if after == before:
                return after
            revision = 0 if row is None else row.revision
            sealed = self._sealer.seal(after.encode(), subject=subject, place=place_of(name))
            if self._index.replace(SlotRow(name, subject, revision + 1, sealed)):
                return after
        raise SlotsBusy

    def _unsealed(self, row: SlotRow, kind: str | None = None) -> SlotTable:
        table = decode(self._sealer.open(row.sealed, subject=row.subject, place=place_of(row.name)))
        if kind is not None and table.kind != kind:
            raise SlotMissing
        return table

    def _name(self, subject: SubjectId, kind: str, salt: Secret) -> str:
        named = canonical.encode(["assent/slots/1", self.key_id(subject, kind, 0).encode("assent/slots/1")])
        return hmac.new(salt.reveal(), named, hashlib.sha256).hexdigest()


def place_of(name: str) -> str:
    """Return where a table of slots is sealed for."""
    return f"slots/{name}"


def _salt(subject: SubjectId) -> KeyName:
    return "salt", f"slots/{subject:024x}"


def _master(subject: SubjectId, version: int) -> KeyName:
    return "patient", f"master/{subject:024x}/{version}"


def _marker(subject: SubjectId, version: int) -> KeyName:
    """Stands in the key store from the moment a version exists, also when that one was replaced."""
    return "salt", f"master-version/{subject:024x}/{version}"
