"""Destroys a record or a person in every store, step by step; each step is safe to repeat.

The plan is made first and kept by whoever carries it out: once keys and rows are gone, nobody could tell any
more what else there was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from backend.erasure.errors import ErasureWaits
from backend.erasure.ports import Commitments, Erasable, RecordRows
from backend.erasure.types import Plan, Scope
from backend.errors import AssentError, Unavailable
from backend.keystore import KeyName, KeyStore
from backend.records.manifest import Manifest, manifest_share_of, salt_of, version_name
from backend.records.ports import VersionRow
from backend.records.storage_ports import BlockStore
from backend.records.vault import share_name
from backend.types import RecordId, SubjectId


class Destruction:
    """``open_manifest`` opens a row's manifest without asking the chain; ``forget`` drops what is remembered
    of a person in memory; ``under_way`` tells whether an act that writes about the scope has not come to its
    end.

    ``erasables`` are erased in their order: what finds others comes after them.
    """

    def __init__(
        self,
        *,
        keys: KeyStore,
        blocks: BlockStore,
        records: RecordRows,
        commitments: Commitments,
        erasables: Sequence[Erasable],
        open_manifest: Callable[[VersionRow], Manifest],
        forget: Callable[[SubjectId], None],
        under_way: Callable[[Scope], bool],
    ) -> None:
        self._keys = keys
        self._blocks = blocks
        self._records = records
        self._commitments = commitments
        self._erasables = erasables
        self._open_manifest = open_manifest
        self._forget = forget
        self._under_way = under_way

    def plan(self, scope: Scope) -> Plan:
        """Find everything that has to go. Raises ErasureWaits while something about it is being written.

        What was locked before this can only have been begun before: a later act refuses itself.
        """
        if self._under_way(scope):
            raise ErasureWaits
        return self.plan_restored(scope)

    def plan_restored(self, scope: Scope) -> Plan:
        """``plan`` of stores that nobody writes to."""
        rows = self._records.versions(scope)
        manifests = [manifest for manifest in map(self._opened, rows) if manifest is not None]
        names = dict.fromkeys(self._names(scope, rows, manifests))
        keys = tuple(name for name in names if self._keys.exists(*name))
        counts = {erasable.name: erasable.count(scope) for erasable in self._erasables}
        roots = {segment.address.root: segment for manifest in manifests for segment in manifest.segments}
        counts |= {
            "keys": len(keys),
            "blobs": len(roots),
            "blocks": sum(1 + len(segment.address.blocks) for segment in roots.values()),
        }
        return Plan(
            keys=keys,
            commitments=tuple(row.commitment for row in rows),
            roots=tuple(roots),
            counts={name: count for name, count in counts.items() if count},
        )

    def again(self, scope: Scope) -> Mapping[str, int]:
        """Destroy it in stores that nobody else writes to; return how much of each class there was."""
        plan = self.plan_restored(scope)
        self.erase_rows(scope)
        self.erase_keys(plan)
        self.erase_blocks(plan)
        self.withdraw(plan)
        return plan.counts

    def erase_rows(self, scope: Scope) -> None:
        """Take every row about it out of the index, and out of memory."""
        for erasable in self._erasables:
            erasable.erase(scope)
        self._forget(scope.subject)

    def erase_keys(self, plan: Plan) -> None:
        """Destroy every secret at once: one new epoch of the key store, whatever their number."""
        self._keys.erase_many(plan.keys)

    def erase_blocks(self, plan: Plan) -> None:
        """Let go of the ciphertext, and of every other block that nothing names. StorageBusy: come again."""
        for root in plan.roots:
            self._blocks.unpin(root)
        if plan.roots:
            self._blocks.collect_garbage()

    def withdraw(self, plan: Plan) -> None:
        """Have the chain say that the versions are withdrawn."""
        self._commitments.withdraw_records(plan.commitments)

    def _names(
        self, scope: Scope, rows: Sequence[VersionRow], manifests: Sequence[Manifest]
    ) -> Iterator[KeyName]:
        for manifest in manifests:
            for segment in manifest.segments:
                yield share_name(manifest.record_id, manifest.version, segment.name)
        for row in rows:
            yield from self._version_keys(row.record_id, row.version)
        for record_id in {*scope.records, *(row.record_id for row in rows)}:
            yield from self._found_by_asking(record_id)
        for erasable in self._erasables:
            yield from erasable.keys_of(scope)

    def _found_by_asking(self, record_id: RecordId) -> Iterator[KeyName]:
        """Versions and segments are numbered without a gap, so keys are found also where a row is missing or
        a manifest does not open."""
        version = 1
        while self._keys.exists(*salt_of(version_name(record_id, version))):
            yield from self._version_keys(record_id, version)
            version += 1

    def _version_keys(self, record_id: RecordId, version: int) -> Iterator[KeyName]:
        name = version_name(record_id, version)
        yield salt_of(name)
        yield manifest_share_of(name)
        number = 0
        while self._keys.exists(*(share := share_name(record_id, version, f"s{number:04d}"))):
            yield share
            number += 1

    def _opened(self, row: VersionRow) -> Manifest | None:
        """Return a row's manifest; None for a damaged one, whose blobs stay behind unnamed and unreadable."""
        try:
            return self._open_manifest(row)
        except Unavailable:
            raise
        except AssentError:
            return None
