"""Erasure against somebody who kept every file there ever was and has every key that survives.

The same procedure, with the keys of before, opens everything: that is the control.
"""

from __future__ import annotations

import base64
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from backend.adapters.index.audit_store import MongoAuditStore
from backend.adapters.index.erasables import RecordVersions
from backend.adapters.keys.audit_keys import StoredAuditKeys
from backend.adapters.keys.root import KeyFile
from backend.audit.leaf import Leaf
from backend.audit.seal import pseudonym_of
from backend.erasure.types import Scope, State
from backend.identity.roles import Role
from backend.maintenance.fsck import check_everything
from backend.records.blocks import Cid, parse_cid
from backend.records.manifest import Manifest
from backend.records.slots import decode
from backend.sealed import DocumentSealer
from backend.settings import Settings
from backend.stores import open_stores
from backend.types import RecordId, SubjectId
from tests.integration.api.world import (
    Patient,
    Service,
    enrol,
    in_days,
    open_service,
    provider,
    raw,
    staff,
)
from tests.support.attacker import Harvest, KeyFiles, SealedPaper, secrets_of

NAME = "Zephyrine Quillfeather"
SENTENCE = "a most uncommon rash of the left elbow"
MESSAGE = "we would like to look at the elbow"


@dataclass(frozen=True, slots=True)
class Scene:
    """The artefacts, before and after, of a record that was erased and of a person that was."""

    before: Path
    after: Path  # of the stopped service
    keys_before: KeyFiles
    keys_after: KeyFiles
    record: Harvest
    person: Harvest
    kept: Harvest  # a record of the patient whose other record was erased
    strings: tuple[str, ...]
    sealed: tuple[SealedPaper, ...]


class Recorder:
    """Keeps every document that is ever sealed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.papers: list[SealedPaper] = []
        seal = DocumentSealer.seal

        def recording(sealer: DocumentSealer, document: bytes, **more: Any) -> bytes:
            sealed = seal(sealer, document, **more)
            shared = more.get("share") is not None
            self.papers.append(SealedPaper(sealed, more["subject"], more["place"], shared, document))
            return sealed

        monkeypatch.setattr(DocumentSealer, "seal", recording)

    def about(self, scope: Scope, names: Sequence[str]) -> list[SealedPaper]:
        """Everything about a person, or the manifests of these versions."""
        if scope.is_person:
            return [paper for paper in self.papers if paper.subject == scope.subject]
        return [paper for paper in self.papers if paper.place in {f"records/{name}" for name in names}]


def subject_of(patient: Patient) -> SubjectId:
    return SubjectId(int(patient.subject, 16))


def attach(hospital: Any, patient: Patient, text: str) -> str:
    answer = raw(
        hospital.api,
        "POST",
        "/v1/records",
        params={"subject": patient.subject, "categories": ["laboratory"], "sensitivities": ["N"]},
        content=text.encode(),
        headers={"Content-Type": "text/plain"},
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["record_id"])


def blocks_below(*directories: Path) -> dict[Cid, bytes]:
    return {
        parse_cid(path.name): path.read_bytes()
        for directory in directories
        for path in (directory / "blocks" / "data").glob("*/*")
    }


def harvest(service: Service, recorder: Recorder, scope: Scope, blocks: Mapping[Cid, bytes]) -> Harvest:
    stores = service.world.stores
    manifests = _manifests(service, scope)
    tables = [
        decode(paper.plain)
        for paper in recorder.papers
        if paper.subject == scope.subject and paper.place.startswith("slots/")
    ]
    keys = StoredAuditKeys(stores.keys)
    pseudonyms = set()
    if scope.is_person:
        epoch, key = keys.current(scope.subject)
        pseudonyms = {pseudonym_of(key, origin=stores.origin, epoch=epoch)}
    entries = [
        (leaf, body)
        for bundle in MongoAuditStore(stores.database).bundles()
        for leaf, body in zip(bundle.leaves, bundle.bodies, strict=True)
        if Leaf.decode(leaf).pseudonym in pseudonyms
    ]
    names = [f"{manifest.record_id.hex()}/{manifest.version}" for manifest in manifests]
    papers = recorder.about(scope, names)
    return Harvest(stores.tenant, stores.origin, papers, manifests, tables, blocks, entries)


def _manifests(service: Service, scope: Scope) -> list[Manifest]:
    rows = RecordVersions(service.world.stores.database).versions(scope)
    destruction = service.world.services.erasure.erasures._destruction
    return [manifest for manifest in map(destruction._opened, rows) if manifest is not None]


def erase(service: Service, patient: Patient, **more: Any) -> None:
    asked = patient.api.post("/v1/erasures", {"subject": patient.subject, "grace_hours": 0, **more})
    deadline = time.monotonic() + 60
    rows = service.world.services.erasure.erasures
    while rows.get(asked["erasure_id"]).state is not State.ERASED:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def told(service: Service) -> None:
    """Wait until what reads the log has come to its end: reminders are written behind the answers."""
    reminders = service.world.stores.database["reminders"]
    deadline, before = time.monotonic() + 60, -1
    while (count := len(list(reminders.find({})))) != before or count == 0:
        assert time.monotonic() < deadline
        before = count
        time.sleep(2)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    root = tmp_path_factory.mktemp("artefacts")
    data, before, after = root / "data", root / "before", root / "after"
    monkeypatch = pytest.MonkeyPatch()
    recorder = Recorder(monkeypatch)
    with open_service(data) as service:
        operator = staff(service, "art-operator", Role.OPERATOR, Role.IDENTITY_DESK)
        hospital = provider(service, operator, "hospital", "0x" + service.world.stores.tenant.hex())
        clinic = provider(service, operator, "clinic")
        stays = enrol(service, operator, hospital, 41)
        goes = enrol(service, _Named(operator), hospital, 42)  # type: ignore[arg-type]
        erased = attach(hospital, stays, SENTENCE)
        attach(hospital, goes, SENTENCE + ", again")
        for patient in (stays, goes):
            patient.permit(clinic.member_id)
            clinic.ask(
                clinic.find(patient.record_number),
                purposes=["TREAT"],
                categories=["laboratory"],
                actions=["access"],
                not_after=in_days(30),
                message=MESSAGE,
            )
            clinic.read(patient.record_id)
        clinic.read(erased)
        record = Scope(subject_of(stays), (RecordId(bytes.fromhex(erased)),))
        kept = Scope(subject_of(stays), (RecordId(bytes.fromhex(stays.record_id)),))
        person = Scope(subject_of(goes))
        told(service)
        copy_of(data, before)
        blocks = blocks_below(before)
        harvests = [harvest(service, recorder, scope, blocks) for scope in (record, person, kept)]
        erase(service, stays, record_id=erased)
        erase(service, goes)
        monkeypatch.undo()
    copy_of(data, after)
    unlock = KeyFile(data / "development.key")
    return Scene(
        before=before,
        after=after,
        keys_before=KeyFiles.read(before / "keys", unlock, root / "work-before"),
        keys_after=KeyFiles.read(after / "keys", unlock, root / "work-after"),
        record=harvests[0],
        person=harvests[1],
        kept=harvests[2],
        strings=(NAME, SENTENCE, goes.record_number, MESSAGE),
        sealed=tuple(recorder.papers),
    )


class _Named:
    """An identity desk that writes the person's own name."""

    def __init__(self, api: Any) -> None:
        self._api = api

    def post(self, path: str, body: dict[str, Any]) -> Any:
        return self._api.post(path, {**body, "name": NAME})


def copy_of(data: Path, target: Path) -> None:
    """Every file as it is; what vanishes meanwhile was never an artefact."""
    shutil.copytree(data, target, ignore_dangling_symlinks=True)


def everything(harvested: Harvest) -> set[str]:
    """The names of all that there was to open."""
    places = {f"paper {paper.place}" for paper in harvested.papers}
    segments = {
        f"{manifest.record_id.hex()}/{manifest.version}/{segment.name}"
        for manifest in harvested.manifests
        for segment in manifest.segments
    }
    contents = {f"{kind} {where}" for where in segments for kind in ("data key", "content")}
    return places | contents | {f"entry {number}" for number in range(len(harvested.entries))}


def test_keys_of_before_open_everything_that_there_was(scene: Scene) -> None:
    found = secrets_of([scene.keys_before], [scene.keys_before.epoch_key])
    assert found == scene.keys_before.secrets
    for harvested in (scene.record, scene.person, scene.kept):
        assert everything(harvested), "there is something to open"
        assert harvested.opened(found) == everything(harvested)
    assert len(scene.person.entries) > 3
    assert {paper.place.partition("/")[0] for paper in scene.person.papers} >= {
        "person", "consents", "records", "slots", "consent_requests",
    }  # fmt: skip


def test_keys_that_survive_open_nothing_erased_in_any_file_of_any_time(scene: Scene) -> None:
    surviving = secrets_of([scene.keys_before, scene.keys_after], [scene.keys_after.epoch_key])
    assert surviving == scene.keys_after.secrets
    assert scene.person.opened(surviving) == set()
    # A data key of the erased record opens, since its patient stays: without the share it opens nothing.
    opened = scene.record.opened(surviving)
    assert {name for name in opened if not name.startswith("data key ")} == set()
    assert scene.kept.opened(surviving) == everything(scene.kept), "what was not erased is still there"


def test_old_epoch_keys_are_gone_from_the_live_key_store(scene: Scene) -> None:
    (left,) = (scene.after / "keys" / "store").glob("epoch-*.key")
    old = [path.name for path in (scene.before / "keys" / "store").glob("epoch-*.key")]
    assert left.name not in old


def test_no_file_of_any_time_holds_what_it_says_in_clear(scene: Scene) -> None:
    found = []
    for path in (*scene.before.rglob("*"), *scene.after.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            found += [(path.name, text) for text in scene.strings if text.encode() in data]
    assert found == []


def test_search_finds_what_lies_in_the_files(scene: Scene) -> None:
    """The control of the one above, and that the copies of before are of the stores that are attacked."""
    raw_index = b"".join(path.read_bytes() for path in (scene.before / "index").rglob("*") if path.is_file())
    for paper in scene.person.papers:
        if paper.place.startswith(("consents/", "person/")):
            forms = (paper.sealed, base64.b64encode(paper.sealed), paper.sealed.hex().encode())
            assert any(form in raw_index for form in forms), paper.place


def test_blocks_of_what_was_erased_are_gone(scene: Scene) -> None:
    left = blocks_below(scene.after)
    for harvested in (scene.record, scene.person):
        for manifest in harvested.manifests:
            for segment in manifest.segments:
                assert segment.address.root not in left
                assert left.keys().isdisjoint(segment.address.blocks)
    assert scene.kept.manifests[0].segments[0].address.root in left


def test_fsck_after_an_erasure_is_sound(scene: Scene, tmp_path: Path) -> None:
    shutil.copytree(scene.after, tmp_path / "data")
    stores = open_stores(Settings(data_directory=tmp_path / "data"))
    try:
        report = check_everything(stores)
    finally:
        stores.closing.close()
    assert report.damage == []
    assert report.leftovers == []
