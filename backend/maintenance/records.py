"""Checks every version of every record: manifest, commitment, keys, blocks, pins; finds what is left over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from backend.adapters.index.act_store import MongoActStore
from backend.adapters.index.record_index import MongoRecordIndex
from backend.errors import AssentError, IntegrityError
from backend.keystore import SecretNotFound
from backend.maintenance.block_nodes import check_nodes
from backend.maintenance.chain_facts import ChainFacts
from backend.maintenance.erasures import Gone
from backend.maintenance.report import Report
from backend.outbox.types import FAILED, Act
from backend.records.blobs import load_blob
from backend.records.blocks import Cid, parse_cid
from backend.records.envelope_errors import NotCanonical
from backend.records.manifest import (
    Manifest,
    SegmentManifest,
    commitment,
    decode,
    manifest_share_of,
    place_of,
    salt_of,
    version_name,
)
from backend.records.ports import VersionRow
from backend.records.slot_book import KeyWithheld
from backend.records.storage_ports import Pin
from backend.records.storing import ACT
from backend.records_wiring import open_slots, open_vault
from backend.sealed import DocumentSealer
from backend.stores import Stores
from backend.types import RecordId, SubjectId


class RecordCheck:
    """Call ``run`` once. Raises Unavailable errors only: damage goes into the report."""

    def __init__(
        self, stores: Stores, facts: ChainFacts, gone: Gone, report: Report, *, repair: bool = False
    ) -> None:
        self._stores = stores
        self._facts = facts
        self._gone = gone
        self._report = report
        self._sealer = DocumentSealer(stores.keys)
        self._acts = MongoActStore(stores.database, stores.keys)
        slots = open_slots(stores, self._sealer)
        self._vault = open_vault(stores, slots)
        self._pins = set(stores.blocks.pins())
        self._nodes = check_nodes(stores, report, repair=repair)
        self._named: set[Cid] = set()  # roots and blocks that some manifest names

    def run(self) -> None:
        everything, malformed = MongoRecordIndex(self._stores.database).sorted_out()
        for name in malformed:
            self._report.damaged("record_row_malformed", f"record {name}")
        rows = [row for row in everything if not self._gone.has(row.subject, row.record_id)]
        for row in rows:
            self._row(row)
        present = {row.commitment for row in everything} | self._gone.commitments
        for missing in sorted(self._facts.commitments - present):
            self._report.damaged("record_missing", f"commitment {missing.hex()}")
        self._currents(rows)
        for act in self._acts.sound_unfinished([ACT]):
            self._name_of_unfinished(act)
        self._leftovers()

    def _row(self, row: VersionRow) -> None:
        where = f"record {version_name(row.record_id, row.version)}"
        self._report.counts["record versions"] += 1
        manifest = self._manifest(row, where)
        if manifest is not None:
            for segment in manifest.segments:
                self._segment(manifest, segment, f"{where} segment {segment.name}")
        if row.commitment in self._facts.commitments:
            return
        act = self._act(row)
        if act is None:
            self._report.damaged("commitment_missing", where)
        elif act.state == FAILED:
            self._report.left("record_refused", where)
        elif act.is_over:
            self._report.damaged("commitment_missing", where)

    def _manifest(self, row: VersionRow, where: str) -> Manifest | None:
        try:
            return self._open(row.manifest, row.record_id, row.version, row.subject, row.commitment)
        except SecretNotFound:
            self._report.damaged("record_key_missing", where)
        except NotCanonical:
            self._report.damaged("manifest_unreadable", where)
        except IntegrityError:
            self._report.damaged("manifest_damaged", where)
        return None

    def _open(
        self, sealed: bytes, record_id: RecordId, version: int, subject: SubjectId, stands: bytes
    ) -> Manifest:
        act_id = version_name(record_id, version)
        share = self._stores.keys.get(*manifest_share_of(act_id))
        encoded = self._sealer.open(sealed, subject=subject, place=place_of(act_id), share=share)
        manifest = decode(encoded)
        salt = self._stores.keys.get(*salt_of(act_id))
        if commitment(encoded, salt) != stands:
            raise IntegrityError
        if (manifest.record_id, manifest.version, manifest.subject) != (record_id, version, subject):
            raise IntegrityError
        return manifest

    def _segment(self, manifest: Manifest, segment: SegmentManifest, where: str) -> None:
        self._report.counts["segments"] += 1
        address = segment.address
        self._named |= {address.root, *address.blocks}
        share = f"{manifest.record_id.hex()}/{manifest.version}/{segment.name}"
        if not self._stores.keys.exists("erasure_share", share):
            self._report.damaged("erasure_share_missing", where)
        if address.root not in self._pins:
            self._report.damaged("pin_missing", f"{where} root {address.root}")
        elif not self._stores.blocks.keeps(Pin(address.root, address.blocks)):
            self._report.damaged("pin_incomplete", f"{where} root {address.root}")
        self._key(manifest, segment, where)
        for node in self._nodes:  # first: a read mends what it finds
            node.check(address, where)
        self._blocks(segment, where)

    def _key(self, manifest: Manifest, segment: SegmentManifest, where: str) -> None:
        try:
            self._vault.data_key(manifest, segment)
        except KeyWithheld:
            self._report.counts["segments kept end to end"] += 1
        except (IntegrityError, SecretNotFound) as damage:
            self._report.damaged(damage.code, f"{where} key {segment.kind}/{segment.key_epoch}")

    def _blocks(self, segment: SegmentManifest, where: str) -> None:
        whole = True
        for cid in (segment.address.root, *segment.address.blocks):
            self._report.counts["blocks"] += 1
            try:
                self._stores.blocks.get_block(cid)
            except IntegrityError as damage:
                whole = False
                self._report.damaged(damage.code, f"{where} block {cid}")
        if not whole:
            return
        try:
            for _ in load_blob(self._stores.blocks, segment.address):
                pass
        except (IntegrityError, NotCanonical) as damage:
            self._report.damaged("blob_damaged", f"{where}: {getattr(damage, 'code', 'not canonical')}")

    def _currents(self, rows: Sequence[VersionRow]) -> None:
        newest: dict[RecordId, VersionRow] = {}
        for row in rows:
            if row.commitment in self._facts.commitments:
                known = newest.get(row.record_id)
                newest[row.record_id] = row if known is None or known.version < row.version else known
        for row in newest.values():
            act = self._act(row)
            if not row.current and (act is None or act.is_over):
                self._report.damaged(
                    "version_not_current", f"record {version_name(row.record_id, row.version)}"
                )

    def _act(self, row: VersionRow) -> Act | None:
        return self._acts.sound(ACT, version_name(row.record_id, row.version))

    def _name_of_unfinished(self, act: Act) -> None:
        self._report.counts["records being stored"] += 1
        record_id, version = act.act_id.split("/")
        try:
            manifest = self._open(
                act.data["manifest"],
                RecordId(bytes.fromhex(record_id)),
                int(version),
                SubjectId(int(act.data["subject"], 16)),
                act.data["commitment"],
            )
        except AssentError as damage:
            self._report.damaged("act_damaged", f"act {act.kind} {act.act_id}: {damage.code}")
            return
        for segment in manifest.segments:
            self._named |= {segment.address.root, *segment.address.blocks}

    def _leftovers(self) -> None:
        for root in sorted(self._pins - self._named):
            self._report.left("pin_unnamed", f"root {root}")
        if self._stores.settings.storage == "directory":
            for cid in sorted(_blocks_below(self._stores.directory.blocks / "data") - self._named):
                self._report.left("block_unnamed", f"block {cid}")


def collect(stores: Stores, report: Report) -> Counter[str]:
    """Remove the leftovers of a check: unpin what nothing names, then let go of every block without a pin.

    Call it only with the service stopped and the report sound: a damaged manifest names nothing.
    """
    done: Counter[str] = Counter()
    for finding in report.leftovers:
        if finding.code == "pin_unnamed":
            stores.blocks.unpin(Cid(finding.where.removeprefix("root ")))
            done["pins removed"] += 1
    done["blocks removed"] = stores.blocks.collect_garbage().blocks
    return done


def _blocks_below(directory: Path) -> set[Cid]:
    found = set()
    for path in directory.glob("*/*"):
        try:
            found.add(parse_cid(path.name))
        except NotCanonical:
            continue  # not ours
    return found
