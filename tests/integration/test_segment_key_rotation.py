"""``assent keys rotate patient`` and ``segment`` on a deployment with records."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from backend.adapters.index.act_store import MongoActStore
from backend.adapters.index.slot_store import MongoSlotIndex
from backend.demo.actors import Provider
from backend.erasure.destruction import Destruction
from backend.erasure.service import ACT as ERASURE
from backend.erasure.service import going_keys
from backend.errors import Unavailable
from backend.identity.roles import Role
from backend.maintenance.fsck import check_everything
from backend.maintenance.key_rotation import open_rotation
from backend.records.envelope_errors import WrapRefused
from backend.settings import Settings
from backend.types import RecordId, SubjectId
from tests.integration.api.world import Patient, Service, enrol, open_service, provider, raw, staff


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "data"


def people(service: Service) -> tuple[Provider, Patient]:
    operator = staff(service, "operator", Role.OPERATOR, Role.IDENTITY_DESK)
    hospital = provider(service, operator, "hospital", "0x" + service.world.stores.tenant.hex())
    return hospital, enrol(service, operator, hospital, 3)


def rotate(directory: Path, key_class: str) -> dict[str, Any]:
    with open_rotation(Settings(data_directory=directory)) as rotation:
        return rotation.rotate(key_class)


def epochs_of(service: Service, record: str) -> set[int]:
    manifests = service.world.services.end_to_end._manifests
    manifest = manifests.kept(RecordId(bytes.fromhex(record)), None)
    return {segment.key_epoch for segment in manifest.segments}


def test_records_are_read_after_each_rotation_and_old_wraps_open_nothing(directory: Path) -> None:
    with open_service(directory) as service:
        _, patient = people(service)
        read = raw(patient.api, "GET", f"/v1/records/{patient.record_id}", params={"purpose": "PATRQT"})
        before = read.json()["segments"]
        index = MongoSlotIndex(service.world.stores.database)
        old = list(index.everything())
        assert before
        assert old
    assert rotate(directory, "patient") == {"class": "patient", "patients": 1}
    assert rotate(directory, "segment") == {"class": "segment", "patients": 1}
    with open_service(directory) as service:
        stores, services = service.world.stores, service.world.services
        report = check_everything(stores)
        assert report.sound, report.damage
        manifest = services.end_to_end._manifests.kept(RecordId(bytes.fromhex(patient.record_id)), None)
        vault = services.end_to_end._vault
        contents = [vault.read(manifest, segment) for segment in manifest.segments]
        assert [len(content) for content in contents] == [part["size_bytes"] for part in before]
        assert epochs_of(service, patient.record_id) == {0}
        kinds = services.slots.writing(manifest.subject, [segment.kind for segment in manifest.segments])
        assert {key.id.epoch for key in kinds.values()} == {1}
        # Whoever keeps the index puts the slots of before back.
        for row in old:
            stores.database["key_slots"].update_one({"_id": row.name}, {"$set": {"sealed": row.sealed}})
    with open_service(directory) as service:
        services = service.world.services
        manifest = services.end_to_end._manifests.kept(RecordId(bytes.fromhex(patient.record_id)), None)
        with pytest.raises(WrapRefused):
            services.end_to_end._vault.read(manifest, manifest.segments[0])
        codes = {found.code for found in check_everything(service.world.stores).damage}
        assert "wrap_refused" in codes


def test_person_whose_erasure_is_under_way_gets_no_new_master(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The erasure has written down what it destroys: a master made after that would outlive it."""
    with monkeypatch.context() as patched:
        patched.setattr(Destruction, "erase_rows", lambda *_: (_ for _ in ()).throw(Unavailable()))
        with open_service(directory) as service:
            _, patient = people(service)
            patient.api.post("/v1/erasures", {"subject": patient.subject, "grace_hours": 0})
            acts = MongoActStore(service.world.stores.database, service.world.stores.keys)
            deadline = time.monotonic() + 60
            while not going_keys(acts.unfinished([ERASURE])):
                assert time.monotonic() < deadline
                time.sleep(0.05)
        assert rotate(directory, "patient")["patients"] == 0
        assert rotate(directory, "segment")["patients"] == 0
    subject = SubjectId(int(patient.subject, 16))
    with open_service(directory) as service:  # the start takes the erasure up and ends it
        slots = service.world.services.slots
        assert not any(service.world.stores.keys.exists(*name) for name in slots.keys_of(subject))
