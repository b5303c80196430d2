"""Manifests out of the index, each held against its commitment on the chain before anybody uses it.

The index is not trusted, so what it gives is opened, decoded and compared with the chain's commitment. Both
answers are remembered: which version is current for two seconds (forgotten at once when this process stores
another one), what a sealed manifest says while there is room, since other bytes are another manifest.
That the commitment stands is asked on every read: docs/decisions/0006-what-a-read-remembers.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from backend.consent.errors import EvidenceGone
from backend.errors import IntegrityError
from backend.keystore import KeyStore, SecretNotFound
from backend.recent import RecentCache
from backend.records.manifest import (
    Manifest,
    commitment,
    decode,
    manifest_share_of,
    place_of,
    salt_of,
    version_name,
)
from backend.records.ports import CommitmentLedger, RecordIndex, VersionRow
from backend.sealed import DocumentSealer
from backend.types import Bytes32, RecordId, SubjectId

_REMEMBERED: Final = 512
_REMEMBERED_BYTES: Final = 8 << 20  # of sealed manifests: ten thousand small ones, or some eighty large ones
Erases = Callable[[SubjectId, RecordId | None], bool]
"""Whether a record, or the whole person (None), is being erased or was: it looks absent then."""


class ManifestRefused(IntegrityError):
    """A manifest is not the one whose commitment stands on the chain."""

    code = "manifest_refused"
    remedy = "Tell the operator: 'assent fsck' names the record. Nothing of it was released."


class _Opened(NamedTuple):
    manifest: Manifest
    commitment: Bytes32


class ManifestBook:
    """Safe for many threads."""

    def __init__(
        self,
        *,
        index: RecordIndex,
        keys: KeyStore,
        sealer: DocumentSealer,
        ledger: CommitmentLedger,
        erases: Erases,
    ) -> None:
        self._index = index
        self._keys = keys
        self._sealer = sealer
        self._ledger = ledger
        self.erases = erases
        self._rows: RecentCache[tuple[RecordId, int | None], VersionRow | None] = RecentCache(
            capacity=_REMEMBERED
        )
        self._opened: RecentCache[tuple[str, bytes], _Opened] = RecentCache(
            max_age_seconds=math.inf,
            capacity=_REMEMBERED_BYTES,
            weigh=lambda key, _opened: len(key[1]),
        )

    def row(self, record_id: RecordId, version: int | None) -> VersionRow | None:
        """Return a version of a record, by default the current one; None also for what is being erased.

        Raises IndexUnavailable.
        """

        def load() -> VersionRow | None:
            if version is None:
                return self._index.current(record_id)
            return self._index.version(record_id, version)

        row = self._rows.get((record_id, version), load)
        return None if row is None or self.erases(row.subject, record_id) else row

    def of_subject(self, subject: SubjectId) -> Sequence[Manifest]:
        """Return what the current versions of all records of a subject say. Raises as ``manifest``."""
        return self.manifests(self.standing(self._index.list_current(subject)))

    def standing(self, rows: Sequence[VersionRow]) -> Sequence[VersionRow]:
        """Return the rows without those of what is being erased."""
        return [row for row in rows if not self.erases(row.subject, row.record_id)]

    def forget(self) -> None:
        """Forget everything: something was erased."""
        self._rows.forget()
        self._opened.forget()

    def changed(self, record_id: RecordId, version: int) -> None:
        """Forget which versions there are: this one was stored, or is not what it should be."""
        self._rows.forget((record_id, None))
        self._rows.forget((record_id, version))

    def manifest(self, row: VersionRow) -> Manifest:
        """Return what a row's manifest says. Raises as ``manifests``."""
        return self.manifests([row])[0]

    def manifests(self, rows: Sequence[VersionRow]) -> list[Manifest]:
        """Return what the manifests of these rows say.

        Raises SealedDocumentRefused, NotCanonical or ManifestRefused when it is not what was stored,
        SecretNotFound when the patient was erased, LedgerUnavailable.
        """
        opened = [self._opened_now(row) for row in rows]
        for row, stands in zip(
            rows, self._ledger.committed([each.commitment for each in opened]), strict=True
        ):
            if not stands:
                self.changed(row.record_id, row.version)
                raise ManifestRefused
        return [each.manifest for each in opened]

    def unchecked(self, row: VersionRow) -> Manifest:
        """Return what a row's manifest says, whether or not the chain knows it: never for releasing anything.

        Raises as ``manifest``.
        """
        return self._open(row, version_name(row.record_id, row.version)).manifest

    def kept(self, record_id: RecordId, version: int | None) -> Manifest:
        """Return a version of a record of the past, None: the current one. Raises EvidenceGone where it was
        erased, else as ``manifest``."""
        name = f"Record {record_id.hex()}" if version is None else f"Version {version} of {record_id.hex()}"
        row = self.row(record_id, version)
        if row is None:
            raise EvidenceGone(f"{name} is gone.")
        try:
            return self.manifest(row)
        except SecretNotFound as gone:
            raise EvidenceGone(f"{name} was erased.") from gone

    def _opened_now(self, row: VersionRow) -> _Opened:
        name = version_name(row.record_id, row.version)
        try:
            opened = self._opened.get((name, row.manifest), lambda: self._open(row, name))
            named = opened.manifest
            if (named.record_id, named.version, named.subject) != (row.record_id, row.version, row.subject):
                raise ManifestRefused
        except IntegrityError:
            self.changed(row.record_id, row.version)  # the operator may have mended the index meanwhile
            raise
        return opened

    def _open(self, row: VersionRow, name: str) -> _Opened:
        try:
            share = self._keys.get(*manifest_share_of(name))
        except SecretNotFound as missing:
            raise ManifestRefused from missing  # of a version that was erased, or never stored
        encoded = self._sealer.open(row.manifest, subject=row.subject, place=place_of(name), share=share)
        return _Opened(decode(encoded), commitment(encoded, self._keys.get(*salt_of(name))))
