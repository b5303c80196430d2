"""fsck names each damaged object, and reindex gives back what the index lost of the chain."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dag_cbor
import pytest
from pymongo.database import Database

from backend.adapters.index.act_store import MongoActStore
from backend.bootstrap import open_world
from backend.errors import IntegrityError
from backend.identity.roles import Role
from backend.maintenance import documents
from backend.maintenance.fsck import check_everything
from backend.maintenance.records import collect
from backend.maintenance.reindex import reindex
from backend.maintenance.report import Finding, Report
from backend.outbox.types import Act
from backend.records.blocks import Cid, raw_cid
from backend.records.storage_ports import Pin
from backend.samples import first_run
from backend.settings import Settings
from backend.stores import Stores, open_stores
from backend.types import UnixSeconds
from tests.integration.api.world import enrol, in_days, open_service, provider, raw, staff


@dataclass(frozen=True, slots=True)
class Site:
    """The stores of a stopped service with a patient, a record and some consents."""

    stores: Stores
    record_id: str
    consents: tuple[str, ...]

    @property
    def database(self) -> Database[dict[str, Any]]:
        return self.stores.database

    def check(self) -> Report:
        return check_everything(self.stores)

    def codes(self) -> set[str]:
        return {finding.code for finding in self.check().damage}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    directory = tmp_path_factory.mktemp("fsck") / "data"
    with open_service(directory) as service:
        operator = staff(service, "fsck-operator", Role.OPERATOR, Role.IDENTITY_DESK)
        hospital = provider(service, operator, "hospital", "0x" + service.world.stores.tenant.hex())
        clinic = provider(service, operator, "clinic")
        patient = enrol(service, operator, hospital, 5)
        request = clinic.ask(
            clinic.find(patient.record_number),
            purposes=["TREAT"],
            categories=["laboratory"],
            actions=["access"],
            not_after=in_days(30),
            message="please",
        )
        answered = patient.wallet.answer(request["request_id"], "grant")["consent_id"]
        revoked = patient.permit(clinic.member_id)
        patient.wallet.revoke(revoked)
        denied = patient.wallet.consent(kind="deny", categories=["notes"])["consent_id"]
        manager = staff(service, "fsck-manager", Role.TEAM_ADMINISTRATOR)
        team = manager.post("/v1/care-teams", {"name": "Ward"})["care_team_id"]
        manager.post(f"/v1/care-teams/{team}/close", {})
        record = patient.record_id
    stores = open_stores(Settings(data_directory=directory))
    yield Site(stores, record, (answered, revoked, denied))
    stores.closing.close()


@contextmanager
def changed(site: Site, collection: str, key: str, changes: Mapping[str, Any] | None) -> Iterator[None]:
    """Change members of a document, or take it away (None), for the length of the block."""
    table = site.database[collection]
    row = table.find_one({"_id": key})
    assert row is not None
    if changes is None:
        table.delete_one({"_id": key})
    else:
        table.update_one({"_id": key}, {"$set": dict(changes)})
    try:
        yield
    finally:
        table.delete_one({"_id": key})
        table.insert_one(row)


def flipped(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


def test_fsck_of_an_undamaged_deployment_finds_nothing(site: Site) -> None:
    report = site.check()
    assert report.sound
    assert not report.leftovers
    assert report.counts["record versions"] == 1
    assert report.counts["consents"] == len(site.consents)
    assert report.counts["log entries"] == report.counts["log entries opened"] > 5


def test_fsck_manifest_flipped_is_named(site: Site) -> None:
    key = f"{site.record_id}/1"
    row = site.database["records"].find_one({"_id": key})
    assert row is not None
    with changed(site, "records", key, {"manifest": flipped(row["manifest"])}):
        assert Finding("manifest_damaged", f"record {key}") in site.check().damage


def test_fsck_record_row_deleted_is_found_by_its_commitment(site: Site) -> None:
    with changed(site, "records", f"{site.record_id}/1", None):
        assert "record_missing" in site.codes()


def test_fsck_record_with_another_commitment_is_found(site: Site) -> None:
    with changed(site, "records", f"{site.record_id}/1", {"commitment": b"\x01" * 32}):
        assert {"manifest_damaged", "commitment_missing", "record_missing"} <= site.codes()


def test_fsck_record_not_current_is_found(site: Site) -> None:
    with changed(site, "records", f"{site.record_id}/1", {"current": False}):
        assert site.codes() == {"version_not_current"}


def test_fsck_each_block_damaged_or_missing_is_named_with_its_record(site: Site) -> None:
    path = min((site.stores.directory.blocks / "data").glob("*/*"))
    whole = path.read_bytes()
    path.chmod(0o600)
    try:
        path.write_bytes(flipped(whole))
        (found,) = site.check().damage
        assert found.code == "block_corrupt"
        assert site.record_id in found.where
        assert path.name in found.where
        path.unlink()
        (found,) = site.check().damage
        assert found.code == "block_missing"
    finally:
        path.write_bytes(whole)


def test_fsck_pin_removed_is_named(site: Site) -> None:
    root = next(site.stores.blocks.pins())
    site.stores.blocks.unpin(root)
    try:
        (found,) = site.check().damage
        assert found.code == "pin_missing"
        assert root in found.where
    finally:
        links = dag_cbor.decode(site.stores.blocks.get_block(root))["blocks"]
        site.stores.blocks.pin(root, tuple(Cid(link.encode("base32")) for link in links))


def test_fsck_key_of_a_segment_erased_is_found(site: Site) -> None:
    name = f"{site.record_id}/1/s0000"
    secret = site.stores.keys.get("erasure_share", name)
    site.stores.keys.erase("erasure_share", name)
    try:
        assert site.codes() == {"erasure_share_missing"}
    finally:
        site.stores.keys.put("erasure_share", name, secret)


def test_fsck_what_nobody_names_is_left_over_and_collected(site: Site) -> None:
    data = b"of a write that was never acknowledged"
    cid = raw_cid(data)
    site.stores.blocks.put_block(cid, data)
    site.stores.blocks.pin_all([Pin(cid, ())])
    report = site.check()
    assert report.sound
    assert {found.code for found in report.leftovers} == {"pin_unnamed", "block_unnamed"}
    collect(site.stores, report)
    after = site.check()
    assert after.sound
    assert not after.leftovers


@pytest.mark.parametrize("number", [0, 1, 2], ids=["granted", "revoked", "denied"])
def test_fsck_consent_deleted_is_named_and_the_count_does_not_cover(site: Site, number: int) -> None:
    with changed(site, "consents", site.consents[number][2:], None):
        found = site.check().damage
    assert Finding("consent_missing", f"consent {site.consents[number][2:]}") in found
    assert "consents_incomplete" in {finding.code for finding in found}


def test_fsck_consent_flipped_is_named(site: Site) -> None:
    key = site.consents[0][2:]
    row = site.database["consents"].find_one({"_id": key})
    assert row is not None
    with changed(site, "consents", key, {"sealed": flipped(row["sealed"])}):
        assert Finding("consent_damaged", f"consent {key}") in site.check().damage


def test_fsck_consents_that_changed_places_are_found(site: Site) -> None:
    first, second = site.consents[0][2:], site.consents[1][2:]
    other = site.database["consents"].find_one({"_id": second})
    assert other is not None
    with changed(site, "consents", first, {"sealed": other["sealed"]}):
        assert "consent_damaged" in site.codes()


def test_fsck_care_team_version_of_now_or_of_the_past_is_named(site: Site) -> None:
    assert site.check().counts["care team versions"] == 2
    for row in list(site.database["care_teams"].find()):
        team, digest = row["_id"].split("/")
        where = f"care team {team} version {digest}"
        with changed(site, "care_teams", row["_id"], {"sealed": flipped(row["sealed"])}):
            assert site.check().damage == [Finding("care_team_damaged", where)]


def test_fsck_care_team_list_or_current_version_missing_is_found(site: Site) -> None:
    (row,) = site.database["care_team_lists"].find()
    with changed(site, "care_team_lists", row["_id"], None):
        assert site.codes() == {"care_teams_damaged"}
    found = set()
    for version in list(site.database["care_teams"].find()):
        with changed(site, "care_teams", version["_id"], None):
            found |= site.codes()
    assert found == {"care_team_missing"}


def test_fsck_log_entry_flipped_is_named(site: Site) -> None:
    row = site.database["audit_bundles"].find_one()
    assert row is not None
    members = {name: flipped(value) for name, value in row.items() if isinstance(value, bytes) and value}
    with changed(site, "audit_bundles", row["_id"], members):
        found = site.check().damage
    assert found
    assert all(finding.where.startswith("audit log") for finding in found)


@pytest.mark.parametrize("meanwhile", ["removed", "mended", "damaged"])
def test_fsck_of_a_document_that_a_running_service_changes_meanwhile(
    site: Site, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    contacts = site.database["contacts"]
    name = "f" * 24
    contacts.insert_one({"_id": name})
    real, looks = documents._Documents.check, []

    def check(self: documents._Documents, collection: str, which: Any) -> None:
        if which != name:
            return real(self, collection, which)
        looks.append(which)
        if meanwhile == "removed":
            contacts.delete_one({"_id": name})
        if len(looks) == 1 or meanwhile == "damaged":
            contacts.update_one({"_id": name}, {"$set": {"changed": min(len(looks), 3)}})
            raise IntegrityError
        return None

    monkeypatch.setattr(documents._Documents, "check", check)
    try:
        found = {finding.where for finding in site.check().damage}
    finally:
        contacts.delete_one({"_id": name})
    assert found == ({f"contacts {name}"} if meanwhile == "damaged" else set())
    assert len(looks) == {"removed": 1, "mended": 2, "damaged": 4}[meanwhile]


def test_reindex_rebuilds_exactly_what_was_wiped(site: Site) -> None:
    before = projections(site)
    assert reindex(site.stores) == {
        "consents": 3, "requests": 1, "record versions": 1,
    }  # fmt: skip
    site.database["consents"].update_many({}, {"$set": {"block": None, "transaction": None}})
    site.database["consent_requests"].update_many({}, {"$set": {"state": "requested", "consent_id": None}})
    site.database["records"].update_many({}, {"$set": {"current": False}})
    assert projections(site) != before
    assert {"receipt_differs", "version_not_current"} <= site.codes()
    done = reindex(site.stores)
    assert (done["receipts changed"], done["answers changed"], done["versions changed"]) == (3, 1, 1)
    assert projections(site) == before
    assert site.check().sound


def test_reindex_takes_back_what_the_chain_does_not_say(site: Site) -> None:
    before = projections(site)
    site.database["consents"].update_many({}, {"$set": {"block": 1, "transaction": b"\x07" * 32}})
    reindex(site.stores)
    assert projections(site) == before


def test_reindex_leaves_what_an_act_under_way_will_set(site: Site) -> None:
    before, collection = projections(site), site.database["acts"]
    (row,) = site.database["records"].find({"current": True})
    name = {"_id": f"record:{row['_id']}"}
    kept = collection.find_one(name)
    collection.delete_one(name)
    act = Act("record", row["_id"], "committed", {}, fence=0, attempts=0, created_at=UnixSeconds(0))
    acts = MongoActStore(site.database, site.stores.keys)
    assert acts.insert(act, holder="nobody", leased_until=UnixSeconds(0))
    try:
        site.database["records"].update_one({"_id": row["_id"]}, {"$set": {"current": False}})
        assert reindex(site.stores)["versions changed"] == 0
    finally:
        collection.delete_one(name)
        collection.insert_one(kept)
    assert reindex(site.stores)["versions changed"] == 1
    assert projections(site) == before


def test_first_run_killed_after_each_step_is_completed_by_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(data_directory=tmp_path / "data")
    world = open_world(settings)
    storing = world.services.storing

    class Killed(BaseException):
        pass

    def die(*_: object, **__: object) -> None:
        raise Killed

    try:
        for part, method in (
            (type(world.services.identity), "add_user"),
            (type(world.services.identity.enrolments), "mark_opened"),
            (type(storing), "store_bundle"),
        ):
            monkeypatch.setattr(part, method, die)
            with pytest.raises(Killed):
                first_run(world, load_samples=True)
            monkeypatch.undo()
            world.services.open_subject.complete_all()  # as a start does
        first_run(world, load_samples=True)
        first_run(world, load_samples=True)
        assert len(world.services.identity.staff.all()) == 1
        assert world.stores.database["records"].count_documents({"current": True}) == 3
    finally:
        world.close()


def projections(site: Site) -> list[Any]:
    tables: list[tuple[str, Callable[[Mapping[str, Any]], Any]]] = [
        ("consents", lambda row: (row["block"], row["transaction"])),
        ("consent_requests", lambda row: (row["state"], row["consent_id"], row["slot"])),
        ("records", lambda row: row["current"]),
    ]
    return [sorted((row["_id"], read(row)) for row in site.database[name].find()) for name, read in tables]


def test_fsck_names_what_came_back_of_an_erased_record_and_person(tmp_path: Path) -> None:
    """An old copy of rows is put back; the service hides them and fsck says which erasure they are of."""
    with open_service(tmp_path / "data") as service:
        operator = staff(service, "fsck-operator", Role.OPERATOR, Role.IDENTITY_DESK)
        hospital = provider(service, operator, "hospital", "0x" + service.world.stores.tenant.hex())
        clinic = provider(service, operator, "clinic")
        stays, goes = (enrol(service, operator, hospital, number) for number in (6, 7))
        goes.permit(clinic.member_id)
        database = service.world.stores.database
        record = database["records"].find_one({"_id": f"{stays.record_id}/1"})
        consent = database["consents"].find_one({"subject": goes.subject[2:]})
        assert record is not None
        assert consent is not None
        asked = [
            stays.api.post(
                "/v1/erasures", {"subject": stays.subject, "record_id": stays.record_id, "grace_hours": 0}
            ),
            goes.api.post("/v1/erasures", {"subject": goes.subject, "grace_hours": 0}),
        ]
        erasures = service.world.services.erasure.erasures
        deadline = time.monotonic() + 60
        while any(erasures.get(one["erasure_id"]).state != "erased" for one in asked):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        database["records"].insert_one(record)
        database["consents"].insert_one(consent)
        answer = raw(stays.api, "GET", f"/v1/records/{stays.record_id}", params={"purpose": "PATRQT"})
        assert answer.status_code == 403
    stores = open_stores(Settings(data_directory=tmp_path / "data"))
    try:
        found = check_everything(stores).damage
    finally:
        stores.closing.close()
    assert set(found) == {
        Finding("erased_row_returned", f"1 record_versions of erasure {asked[0]['erasure_id']}"),
        Finding("erased_row_returned", f"1 consents of erasure {asked[1]['erasure_id']}"),
    }
