"""The drill: a service loses its data directory, and comes back from its backup with nothing undone."""

from __future__ import annotations

import json
import secrets
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from backend.adapters.data_directory import RestoreUnfinished
from backend.adapters.keys.embedded import EmbeddedKeyStore
from backend.adapters.keys.root import KeyFile
from backend.audit.errors import LogRolledBack
from backend.audit.verify import verify_bundle
from backend.backup.errors import (
    BackupDamaged,
    BackupMissing,
    RecoveryKeyDiffers,
    RecoveryKeyExpired,
    RestoreDiffers,
    RestoreNotEmpty,
)
from backend.backup.reading import Backup
from backend.backup.recovery_key import RecoveryKey, generate, read_private_half, service_path
from backend.backup.shelf import Shelf
from backend.demo.actors import Provider
from backend.erasure.receipt import verify_erasure
from backend.identity.roles import Role
from backend.maintenance.key_rotation import rotate_keys
from backend.maintenance.restoring import RestoreReport, restore
from backend.records.blocks import links
from backend.research.budget import PrivacyBudget
from backend.research.types import NanoRho, StudyId
from backend.rotations import AT_REST
from backend.settings import Settings
from backend.stores import open_stores
from backend.types import MemberId
from tests.integration.api.world import (
    Patient,
    Service,
    assert_problem,
    enrol,
    open_service,
    provider,
    raw,
    staff,
    store,
)

MAX_USES = 4


@dataclass(slots=True)
class Site:
    """What was left when the data directory was lost."""

    root: Path
    key: RecoveryKey
    patient: Patient
    hospital: Provider
    clinic: Provider
    revoked: str
    later_record: str
    erased_record: str
    erased_person: str
    erasure: str
    spent: int
    proof: dict[str, Any]
    log_keys: list[str]
    log_size: int
    secret_values: list[bytes]

    @property
    def backups(self) -> Shelf:
        return Shelf(self.root / "backups")

    @property
    def lost_chain(self) -> Path:
        return self.root / "chain-as-it-was"

    def open(self, *, parts: int | None = None) -> Backup:
        return Backup(self.backups, self.backups.newest(), self.key, now=int(time.time()), parts=parts)


def read(clinic: Provider, record: str, purpose: str = "TREAT") -> int:
    return raw(clinic.api, "GET", f"/v1/records/{record}", params={"purpose": purpose}).status_code


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    root = tmp_path_factory.mktemp("drill")
    generate(root / "recovery.key", now=int(time.time()))
    options = {
        "backup_directory": root / "backups",
        "backup_recovery_key": root / "recovery.key.service",
        "backup_interval_hours": 24,
    }
    with open_service(root / "data", **options) as service:
        stores, anchorer = service.world.stores, service.world.services.anchorer
        operator = staff(service, "drill", Role.OPERATOR, Role.IDENTITY_DESK)
        hospital = provider(service, operator, "hospital", "0x" + stores.tenant.hex())
        clinic, counted = (provider(service, operator, name) for name in ("Clinic", "Counted"))
        patient, other = (enrol(service, operator, hospital, number) for number in (5, 6))
        erased = store(hospital, patient.subject, patient.bundle).json()["record_id"]
        revoked = patient.permit(clinic.member_id)
        patient.permit(counted.member_id, max_uses=MAX_USES)
        assert read(clinic, patient.record_id) == read(counted, patient.record_id) == 200
        anchorer.run_once()  # makes the base, if that is not there yet
        before = raw(operator, "GET", "/v1/backups").json()["parts"]
        assert before >= 1

        assert read(counted, patient.record_id) == 200
        patient.end(revoked)
        later = store(hospital, patient.subject, patient.bundle).json()["record_id"]
        erasure = erase(patient, record_id=erased)
        erase(other)
        while len(erased_rows(service)) < 2:
            time.sleep(0.05)
        budget = budget_of(service)
        budget.debit(
            b"charge", StudyId(b"\x01" * 32), MemberId(bytes(32)), NanoRho(7), study_limit=NanoRho(1000)
        )
        anchorer.run_once()  # the tail has it
        status = raw(operator, "GET", "/v1/backups").json()
        assert (status["parts"] > before, status["error"]) == (True, None)
        index = patient.accesses()[-1]["index"]
        proof = raw(
            patient.api, "GET", f"/v1/accesses/{index}/proof", params={"subject": patient.subject}
        ).json()
        found = Site(
            root, read_private_half(root / "recovery.key"), patient, hospital, clinic, revoked, later,
            erased, other.subject, erasure, budget.balance().spent, proof,
            list(service.world.services.log_keys.verifier_keys), 0, [],
        )  # fmt: skip
        found.secret_values = [secret.reveal() for _, secret in stores.keys.rows()]  # type: ignore[attr-defined]
        found.log_size = service.world.services.audit.state.size
        counted_sign_in = (counted.client_id, counted.client_secret, counted.member_id)
    (root / "counted.json").write_text(json.dumps(counted_sign_in))
    shutil.copytree(root / "data" / "chain", found.lost_chain)
    shutil.rmtree(root / "data")
    return found


def erase(patient: Patient, **what: str) -> str:
    """Erase a record or, named nothing, the person, without a grace time."""
    body = {"subject": patient.subject, "grace_hours": 0, **what}
    asked = str(patient.api.post("/v1/erasures", body)["erasure_id"])
    deadline = time.monotonic() + 60
    while what and patient.api.get(f"/v1/erasures/{asked}")["state"] != "erased":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return asked


def erased_rows(service: Service) -> set[str]:
    found = service.world.stores.database["erasures"].find({"state": "erased"})
    return {row["subject"] for row in found}


def budget_of(service: Service) -> PrivacyBudget:
    return service.world.services.privacy_budget


def settings_for(directory: Path, **options: Any) -> Settings:
    return Settings(data_directory=directory, **options)


def restored(
    site: Site, directory: Path, *, parts: int | None = None, keep_chain: bool = False
) -> RestoreReport:
    return restore(settings_for(directory), site.open(parts=parts), site.backups, keep_chain=keep_chain)


def with_chain(site: Site, directory: Path) -> Path:
    """A data directory of which only the chain survived."""
    directory.mkdir()
    shutil.copytree(site.lost_chain, directory / "chain")
    return directory


@pytest.mark.parametrize("keep_chain", [False, True], ids=["chain lost", "chain kept"])
def test_service_restored_from_base_and_tail_goes_on_where_it_was(
    site: Site, tmp_path: Path, keep_chain: bool
) -> None:
    directory = with_chain(site, tmp_path / "data") if keep_chain else tmp_path / "data"
    report = restored(site, directory, keep_chain=keep_chain)
    assert not report.lost
    assert not report.damage
    assert report.restored["log entries"] >= site.log_size
    assert report.restored["privacy charges"] == 1
    assert report.replayed["secrets erased since"] > 0
    with open_service(directory) as service:
        patient, clinic, hospital = site.patient, site.clinic, site.hospital
        for actor in (patient.wallet, clinic, hospital):
            actor.api = service.anyone()
            actor.sign_in()
        client_id, client_secret, member = json.loads((site.root / "counted.json").read_text())
        counted = Provider(service.anyone(), client_id, client_secret, member)
        counted.sign_in()
        revoked = raw(clinic.api, "GET", f"/v1/records/{patient.record_id}", params={"purpose": "TREAT"})
        assert_problem(revoked, 403, "consent_required")
        # Two of the uses were made before; the rest count on.
        for _ in range(MAX_USES - 2):
            assert read(counted, patient.record_id) == 200
        assert read(counted, patient.record_id) == 403
        patient.permit(clinic.member_id)
        assert read(clinic, site.later_record) == 200
        assert read(clinic, site.erased_record) != 200
        receipt = patient.api.get(f"/v1/erasures/{site.erasure}/receipt")
        jwks = service.anyone().get("/.well-known/document-jwks.json")
        assert verify_erasure(receipt, jwks, site.log_keys).identifier == site.erasure
        assert len(erased_rows(service)) == 2
        assert budget_of(service).balance().spent == site.spent == 7
        assert patient.accesses()  # without a gap
        assert list(service.world.services.log_keys.verifier_keys) == site.log_keys
        service.world.services.anchorer.run_once()
    verify_bundle(site.proof, site.log_keys)


def test_base_alone_against_the_surviving_chain_is_refused(site: Site, tmp_path: Path) -> None:
    directory = with_chain(site, tmp_path / "data")
    with pytest.raises(LogRolledBack):
        restored(site, directory, parts=0, keep_chain=True)
    with pytest.raises(RestoreUnfinished):
        open_stores(settings_for(directory))
    # The tail brings it up.
    assert not restored(site, directory, keep_chain=True).lost
    open_stores(settings_for(directory)).closing.close()


def test_restore_over_something_else_is_refused(site: Site, tmp_path: Path) -> None:
    directory = with_chain(site, tmp_path / "data")
    before = (directory / "chain" / "journal").read_bytes()
    with pytest.raises(RestoreNotEmpty):
        restored(site, directory)
    assert (directory / "chain" / "journal").read_bytes() == before
    with pytest.raises(RestoreDiffers):
        restore(
            settings_for(tmp_path / "other", tenant="clinic"), site.open(), site.backups, keep_chain=False
        )


def test_restore_that_kept_the_chain_is_never_repeated_without_it(site: Site, tmp_path: Path) -> None:
    directory = with_chain(site, tmp_path / "data")
    with pytest.raises(LogRolledBack):
        restored(site, directory, parts=0, keep_chain=True)
    with pytest.raises(RestoreNotEmpty):
        restored(site, directory)
    assert (directory / "chain" / "journal").exists()


def test_flipped_bit_anywhere_in_a_backup_is_found(site: Site, tmp_path: Path) -> None:
    site.open().verify()
    parts = [
        path
        for path in (site.backups.root / site.backups.newest()).iterdir()
        if path.is_file() and path.name != "verified"  # a word, on which nothing rests
    ]
    assert {"index", "keys", "chain", "pins", "manifest", "tail-00000001"} <= {path.name for path in parts}
    root = min(site.open().pins())
    for cid in (root, *links(site.backups.block(root))):
        parts += (site.backups.root / "blocks").glob(f"*/{cid}")
    for path in parts:
        whole = path.read_bytes()
        for place in (0, len(whole) // 3, len(whole) - 1):
            changed = bytearray(whole)
            changed[place] ^= 1
            path.write_bytes(changed)
            try:
                with pytest.raises((BackupDamaged, RecoveryKeyDiffers)):
                    site.open().verify()
            finally:
                path.write_bytes(whole)
        path.write_bytes(whole[:-1])
        try:
            with pytest.raises(BackupDamaged):
                site.open().verify()
        finally:
            path.write_bytes(whole)
    site.open().verify()


def test_tail_with_a_part_missing_or_exchanged_is_refused(site: Site) -> None:
    folder = site.backups.root / site.backups.newest()
    first, second = folder / "tail-00000001", folder / "tail-00000002"
    one, two = first.read_bytes(), second.read_bytes()
    try:
        first.unlink()
        with pytest.raises(BackupDamaged):
            site.open()
        first.write_bytes(two)
        second.write_bytes(one)
        with pytest.raises(BackupDamaged):
            site.open().verify()
    finally:
        first.write_bytes(one)
        second.write_bytes(two)


def test_key_of_another_or_past_its_life_is_refused(site: Site, tmp_path: Path) -> None:
    now = int(time.time())
    generate(tmp_path / "other.key", now=now)
    other = read_private_half(tmp_path / "other.key")
    newest = site.backups.newest()
    with pytest.raises(RecoveryKeyDiffers):
        Backup(site.backups, newest, other, now=now)
    with pytest.raises(RecoveryKeyExpired):
        Backup(site.backups, newest, site.key, now=site.key.service.expires_at)
    Backup(site.backups, newest, site.key, now=site.key.service.expires_at, expired=True)
    with pytest.raises(BackupMissing):
        Backup(site.backups, "20200101T000000Z-00000000", site.key, now=now)


def test_backup_forged_with_the_public_key_alone_does_not_open(site: Site, tmp_path: Path) -> None:
    """The token of the service half is part of every key."""
    fields = json.loads(service_path(site.root / "recovery.key").read_text())
    private = json.loads((site.root / "recovery.key").read_text())
    (tmp_path / "key").write_text(json.dumps({**private, "token": secrets.token_hex(32)}))
    assert fields["token"] == private["token"]
    with pytest.raises(BackupDamaged):
        Backup(site.backups, site.backups.newest(), read_private_half(tmp_path / "key"), now=int(time.time()))


def test_backup_holds_no_text_of_the_records_and_no_secret(site: Site) -> None:
    words = {
        word.encode()
        for word in _strings(json.loads(site.patient.bundle))
        if len(word) > 5 and not word.startswith(("http", "urn:"))
    }
    words |= {site.patient.record_number.encode(), b"Test Person"}
    forbidden = [*words, *site.secret_values, *(value.hex().encode() for value in site.secret_values)]
    assert len(forbidden) > 100
    for path in site.backups.root.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not [word for word in forbidden if word in content], path.name


def test_erased_secret_is_in_no_restored_store(site: Site, tmp_path: Path) -> None:
    restored(site, tmp_path / "data")
    keys = EmbeddedKeyStore(tmp_path / "data" / "keys", KeyFile(tmp_path / "data" / "development.key"))
    try:
        names = {name for (_, name), _ in keys.rows()}
        assert not [name for name in names if site.erased_record in name]
        assert not [name for name in names if site.erased_person.removeprefix("0x") in name]
        assert {secret.reveal() for _, secret in keys.rows()} >= set(site.secret_values)
    finally:
        keys.close()


def test_older_backup_holds_nothing_that_a_newer_one_no_longer_has(tmp_path: Path) -> None:
    generate(tmp_path / "key", now=int(time.time()))
    with open_service(
        tmp_path / "data",
        backup_directory=tmp_path / "b",
        backup_recovery_key=tmp_path / "key.service",
        backup_interval_hours=24,
    ) as service:
        operator = staff(service, "drill", Role.OPERATOR, Role.IDENTITY_DESK)
        hospital = provider(service, operator, "hospital", "0x" + service.world.stores.tenant.hex())
        patient = enrol(service, operator, hospital, 5)
        service.world.services.anchorer.run_once()
        erase(patient, record_id=patient.record_id)
        time.sleep(1.1)  # generations are named by the second
        assert raw(operator, "POST", "/v1/backups", json={}).status_code == 202
        while raw(operator, "GET", "/v1/backups").json()["running"]:
            time.sleep(0.05)
    shelf, key = Shelf(tmp_path / "b"), read_private_half(tmp_path / "key")
    older, newest = (Backup(shelf, name, key, now=int(time.time())) for name in shelf.generations())
    data = settings_for(tmp_path / "restored")
    report = restore(data, older, shelf, keep_chain=False, newer=newest)
    assert report.replayed["secrets erased since"] > 0
    assert "record_key_missing" in {found.code for found in report.damage}
    shutil.rmtree(data.data_directory)
    # Left to itself it would bring them back: what its chain and rows know of is not enough.
    assert not restore(data, older, shelf, keep_chain=False).damage


def test_deployment_whose_keys_were_rotated_is_restored_with_the_versions_that_count(tmp_path: Path) -> None:
    generate(tmp_path / "key", now=int(time.time()))
    backup: dict[str, Any] = {
        "backup_directory": tmp_path / "b",
        "backup_recovery_key": tmp_path / "key.service",
        "backup_interval_hours": 24,
    }
    with open_service(tmp_path / "data") as service:
        operator = staff(service, "drill", Role.OPERATOR, Role.IDENTITY_DESK)
        hospital = provider(service, operator, "hospital", "0x" + service.world.stores.tenant.hex())
        patient = enrol(service, operator, hospital, 5)
    for key_class in ("record-number", "document-signing", *AT_REST):
        rotate_keys(settings_for(tmp_path / "data"), key_class)
    with open_service(tmp_path / "data", **backup) as service:
        service.world.services.anchorer.run_once()
        versions = service.world.stores.keys.versions()
    shelf, key = Shelf(tmp_path / "b"), read_private_half(tmp_path / "key")
    found = Backup(shelf, shelf.newest(), key, now=int(time.time()))
    report = restore(settings_for(tmp_path / "restored"), found, shelf, keep_chain=False)
    assert not report.damage
    with open_service(tmp_path / "restored") as service:
        again = {version.key_class: version for version in service.world.stores.keys.versions()}
        noted = [version for version in versions if version.key_class in ("record-number", *AT_REST)]
        assert [again[version.key_class] for version in noted] == noted
        for actor in (patient.wallet, hospital):
            actor.api = service.anyone()
            actor.sign_in()
        assert hospital.find(patient.record_number)
        assert raw(
            patient.api, "GET", f"/v1/records/{patient.record_id}", params={"purpose": "PATRQT"}
        ).is_success


def test_erasure_that_only_the_chain_knows_is_carried_out_again(tmp_path: Path) -> None:
    generate(tmp_path / "key", now=int(time.time()))
    kept = tmp_path / "kept"
    with open_service(
        tmp_path / "data",
        backup_directory=tmp_path / "b",
        backup_recovery_key=tmp_path / "key.service",
        backup_interval_hours=24,
    ) as service:
        operator = staff(service, "drill", Role.OPERATOR, Role.IDENTITY_DESK)
        hospital = provider(service, operator, "hospital", "0x" + service.world.stores.tenant.hex())
        patient = enrol(service, operator, hospital, 5)
        service.world.services.anchorer.run_once()
        erase(patient, record_id=patient.record_id)
        # As if the machine burnt now: the tail does not have it, and no checkpoint of it is anchored.
        shutil.copytree(tmp_path / "b", kept / "b")
        shutil.copytree(tmp_path / "data" / "chain", tmp_path / "restored" / "chain")
    shelf = Shelf(kept / "b")
    backup = Backup(shelf, shelf.newest(), read_private_half(tmp_path / "key"), now=int(time.time()))
    report = restore(settings_for(tmp_path / "restored"), backup, shelf, keep_chain=True)
    assert report.replayed["records erased again"] == 1
    keys = EmbeddedKeyStore(
        tmp_path / "restored" / "keys", KeyFile(tmp_path / "restored" / "development.key")
    )
    try:
        assert not [name for (_, name), _ in keys.rows() if patient.record_id in name]
    finally:
        keys.close()


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _strings(inner)
