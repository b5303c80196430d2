"""Records of single patients leave de-identified, of those alone who let them, if the permit names it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
from collections import defaultdict
from collections.abc import Iterator
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from backend.adapters.keys.study_keys import StoredStudyKeys
from backend.client import PrivateKey, RequestRefused, Researcher, new_key
from backend.client.research import Study
from backend.client.results import FhirExport
from backend.demo.actors import Provider
from backend.erasure.types import Scope
from backend.records.envelope_errors import WrapRefused
from backend.records.fhir import conforms
from backend.research.pseudonyms import row_pseudonym
from backend.research.types import StudyId
from backend.types import MemberId, SubjectId
from tests.integration.api.study_world import K, StudyWorld, open_study_world, proposal
from tests.integration.api.test_datasets import lab  # noqa: F401 - a fixture
from tests.integration.api.world import Patient, assert_problem, raw, store
from tests.support.erasing import unconnected

PATIENTS = 14  # of whom twelve let their records leave
SECRET = "Zuckerwatte"  # in every text that people write
CATEGORIES = [
    "conditions",
    "contact",
    "demographics",
    "encounters",
    "identifiers",
    "laboratory",
    "medications",
]
CATEGORIES += ["procedures", "vital_signs"]
TEXTS = frozenset(
    {"text", "display", "div", "family", "given", "line", "city", "title", "description", "comment"}
)
NOTED = frozenset({"Condition", "Observation", "Procedure", "MedicationRequest"})
LETTING: dict[str, str] = {}  # consents by subject
PAPER = b"The recipient does not look for the persons behind these records."


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudyWorld]:
    """Everybody has a second record full of texts. The last two let figures leave, and no records."""
    with open_study_world(tmp_path_factory.mktemp("exports"), patients=PATIENTS) as opened:
        clinic = _clinic(opened)
        for patient in opened.patients:
            stored = store(clinic, patient.subject, json.dumps(planted(patient)).encode())
            assert stored.status_code == 201, stored.text
        for patient in opened.patients[:-2]:
            LETTING[patient.subject] = let(opened, patient)
        let(opened, opened.patients[-2], rules=[{"effect": "permit", "obligations": ["aggregate_only"]}])
        let(opened, opened.patients[-1], actions=["compute"])
        yield opened


def _clinic(world: StudyWorld) -> Provider:
    member = "0x" + world.service.world.stores.tenant.hex()
    body = {"name": "ward", "roles": ["provider"], "member_id": member}
    client = world.operator.post("/v1/clients", body)
    found = Provider(world.service.anyone(), client["client_id"], client["client_secret"], member)
    found.sign_in()
    return found


def let(world: StudyWorld, patient: Patient, **narrower: Any) -> str:
    """Sign that research may take the patient's records out."""
    wish: dict[str, Any] = {
        "kind": "permit",
        "grantee": world.researcher.member_id,
        "purposes": ["HRESCH"],
        "categories": CATEGORIES,
        "actions": ["compute", "export"],
        "research": {"duo": ["DUO:0000042"], "minimum_cohort": K, "epsilon_cap": 10},
    }
    return str(patient.wallet.consent(**{**wish, **narrower})["consent_id"])


def planted(patient: Patient) -> dict[str, Any]:
    """The patient's bundle with the secret in every text, and notes, narratives and extensions besides."""
    bundle: dict[str, Any] = json.loads(patient.bundle)
    bundle = _planted(bundle)
    for entry in bundle["entry"]:
        resource = entry["resource"]
        div = f'<div xmlns="http://www.w3.org/1999/xhtml">{SECRET} lives here</div>'
        resource["text"] = {"status": "generated", "div": div}
        extension = {"url": "http://example.org/remark", "valueString": f"Remark on {SECRET}"}
        resource["extension"] = [*resource.get("extension", ()), extension]
        if resource["resourceType"] in NOTED:
            resource["note"] = [{"text": f"{SECRET} said so"}]
    return bundle


def _planted(node: Any, name: str = "") -> Any:
    if isinstance(node, dict):
        return {key: _planted(value, key) for key, value in node.items()}
    if isinstance(node, list):
        return [_planted(value, name) for value in node]
    return f"{node} {SECRET}" if isinstance(node, str) and name in TEXTS else node


def study_of(world: StudyWorld, lab: Researcher, **changes: Any) -> Study:  # noqa: F811
    """A study that asks for records, with its paper, permitted by the board."""
    digest = "0x" + hashlib.sha256(PAPER).hexdigest()
    wanted = {
        "outputs": [{"kind": "fhir", "name": "records", "categories": CATEGORIES}],
        "documents": [{"name": "Data use agreement", "media_type": "text/plain", "sha256": digest}],
        **changes,
    }
    study = lab.propose(proposal(days=90, **wanted)).study_id
    path = f"/v1/studies/{study}/documents"
    sent = raw(world.researcher.api, "PUT", path, content=PAPER, headers={"Content-Type": "text/plain"})
    assert sent.is_success, sent.text
    board, motion = world.board_api, f"/v1/board/studies/{study}/motions/permit"
    draft = board.get(motion)["typed_data"]
    signed = {"signature": world.board.sign_typed(draft), "submit_by": draft["message"]["submitBy"]}
    board.post(motion, signed)
    return lab.study(study).wait_until_approved(seconds=20)


def register(world: StudyWorld) -> PrivateKey:
    key = new_key()
    body = {"public_key": base64.b64encode(key.public.encoded).decode()}
    path = f"/v1/members/{world.researcher.member_id}/encryption-key"
    assert raw(world.operator, "PUT", path, json=body).is_success
    return key


def pseudonym(world: StudyWorld, study: Study, patient: Patient) -> str:
    name = StudyId(bytes.fromhex(study.study_id[2:]))
    key = StoredStudyKeys(world.service.world.stores.keys).study_key(name)
    member = MemberId(bytes.fromhex(world.researcher.member_id[2:]))
    return row_pseudonym(key, name, member, SubjectId(int(patient.subject, 16)))


def who(export: FhirExport) -> set[str]:
    return {patient["id"] for patient in export.resources("Patient")}


def times(resources: list[dict[str, Any]]) -> list[datetime]:
    found = [each["effectiveDateTime"] for each in resources if "effectiveDateTime" in each]
    return sorted(datetime.fromisoformat(text).astimezone(UTC) for text in found)


@pytest.fixture(scope="module")
def fetched(world: StudyWorld, lab: Researcher) -> tuple[Study, PrivateKey, FhirExport]:  # noqa: F811
    key = register(world)
    study = study_of(world, lab)
    result = study.run()
    assert result.fhir is not None, result.fhir_refusal
    assert result.fhir["patients"] == PATIENTS - 2
    return study, key, study.fhir(key)


def test_run_waits_for_a_key_of_the_researcher(world: StudyWorld, lab: Researcher) -> None:  # noqa: F811
    study = study_of(world, lab)  # the first of this file: no key is registered yet
    with pytest.raises(RequestRefused, match="researcher_key_missing"):
        study.run()
    assert study.runs() == []


def test_records_are_of_those_alone_who_let_them_leave(
    world: StudyWorld, fetched: tuple[Study, PrivateKey, FhirExport]
) -> None:
    study, _, export = fetched
    assert who(export) == {pseudonym(world, study, patient) for patient in world.patients[:-2]}
    # The figures count the two as well.
    assert study.run().body["answers"]


def test_records_are_valid_fhir_and_say_what_was_removed(
    fetched: tuple[Study, PrivateKey, FhirExport], tmp_path: Path
) -> None:
    study, _, export = fetched
    resources = list(export)
    assert len(resources) == sum(export.counts.values()) > 500
    assert {"Patient", "Observation", "Condition", "Encounter"} <= export.counts.keys()
    assert "Immunization" not in export.counts  # its category was not asked for
    assert all(conforms(deepcopy(each)) for each in resources)
    names = {f"{each['resourceType']}/{each['id']}" for each in resources}
    assert len(names) == len(resources)
    assert set(re.findall(r'"reference": "([^"]*)"', json.dumps(resources))) <= names
    assert export.about["study"] == study.study_id
    assert export.about["release"] in export.methods
    removed = export.about["removed"]
    assert removed["free_texts"] > 1000
    assert removed["extensions"] > 100
    assert removed["names_numbers_and_contacts"] >= 2 * (PATIENTS - 2)
    written = export.write(tmp_path / "out")
    assert {"Patient.ndjson", "methods.txt", "release.json"} <= {path.name for path in written}
    lines = (tmp_path / "out" / "Observation.ndjson").read_text().splitlines()
    assert list(map(json.loads, lines)) == list(export.resources("Observation"))


def test_no_text_and_no_name_of_the_source_is_in_it(
    world: StudyWorld, fetched: tuple[Study, PrivateKey, FhirExport], tmp_path: Path
) -> None:
    *_, export = fetched
    written = "".join(path.read_text() for path in export.write(tmp_path / "out"))
    assert SECRET not in written
    for patient in world.patients:
        assert patient.subject[2:] not in written
        assert patient.record_number not in written
        for entry in json.loads(patient.bundle)["entry"]:
            assert entry["resource"]["id"] not in written
    assert SECRET in json.dumps(planted(world.patients[0]))


def test_dates_differ_and_intervals_stay(
    world: StudyWorld, fetched: tuple[Study, PrivateKey, FhirExport]
) -> None:
    study, _, export = fetched
    by_patient: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for each in export.resources("Observation"):
        by_patient[each["subject"]["reference"].removeprefix("Patient/")].append(each)
    shifts: set[int] = set()
    for patient in world.patients[:-2]:
        observations = [
            entry["resource"]
            for entry in json.loads(patient.bundle)["entry"]
            if entry["resource"]["resourceType"] == "Observation"
        ]
        before, after = set(times(observations)), set(times(by_patient[pseudonym(world, study, patient)]))
        assert after
        found = [days for days in range(1, 366) if {_moved(each, days) for each in after} <= before]
        assert len(found) == 1, found
        shifts.add(found[0])
    assert len(shifts) > 6


def _moved(at: datetime, days: int) -> datetime:
    return datetime.fromtimestamp(at.timestamp() + days * 86_400, UTC)


def test_export_opens_for_its_researcher_alone_and_is_the_same_release_again(
    world: StudyWorld, fetched: tuple[Study, PrivateKey, FhirExport]
) -> None:
    study, key, _ = fetched
    export = study.fhir(key)
    with pytest.raises(WrapRefused):
        study.fhir(new_key())
    run = study.runs()[0]["run_id"]
    path = f"/v1/studies/{study.study_id}/runs/{run}/fhir"
    assert_problem(raw(world.board_api, "GET", path), 403, "scope_missing")
    log = world.service.world.services.audit
    before = log.state.size
    answer = raw(world.researcher.api, "GET", path)
    assert answer.headers["content-type"] == "application/vnd.assent.release"
    assert answer.headers["assent-release"] == export.about["release"]
    assert log.state.size > before
    assert SECRET.encode() not in answer.content
    assert list(study.fhir(key)) == list(export)


def test_patient_sees_that_the_records_were_taken_out(
    world: StudyWorld, fetched: tuple[Study, PrivateKey, FhirExport]
) -> None:
    study, *_ = fetched
    mine, other = world.patients[0], world.patients[-1]
    entries = [entry for entry in mine.accesses() if entry["type"] == "record.read"]
    assert any((entry["action"], entry["purpose"]) == ("export", "HRESCH") for entry in entries)
    assert not any(entry["action"] == "export" for entry in other.accesses())
    uses = mine.api.get("/v1/studies/uses", subject=mine.subject)
    assert study.study_id in {use["study_id"] for use in uses}


def test_notice_that_a_patient_signs_over_says_it(world: StudyWorld) -> None:
    patient = world.patients[0]
    draft = patient.api.post(
        "/v1/consents/draft",
        {
            "subject": patient.subject,
            "kind": "permit",
            "grantee": world.researcher.member_id,
            "purposes": ["HRESCH"],
            "categories": ["laboratory"],
            "actions": ["compute", "export"],
        },
    )
    terms = draft["message"]["terms"]
    assert "taking it out of the system" in terms["summary"]
    notice = raw(patient.api, "GET", f"/v1/notices/{terms['notice']}").text
    assert "a researcher may get your records themselves" in notice.replace("\n", " ")


def test_permit_that_does_not_name_records_gives_none(
    world: StudyWorld,
    lab: Researcher,  # noqa: F811
) -> None:
    key = register(world)
    figures = proposal(days=90)["outputs"]
    study = study_of(world, lab, outputs=figures)
    assert study.run().fhir is None
    with pytest.raises(RequestRefused, match="fhir_export_not_there"):
        study.fhir(key)
    # Written into the stored proposal it is another study, which nobody permitted.
    studies = world.service.world.stores.database["studies"]
    named = {"fhir": ["demographics"], "name": "records"}
    outputs = study.body["proposal"]["outputs"]
    one, member = {"_id": study.study_id[2:]}, "proposal.outputs"
    studies.update_one(one, {"$set": {member: [*outputs, named]}})
    try:
        path = f"/v1/studies/{study.study_id}/runs"
        assert_problem(raw(world.researcher.api, "POST", path), 502, "study_damaged")
    finally:
        studies.update_one(one, {"$set": {member: outputs}})


@pytest.mark.parametrize("changes", [{"documents": []}, {"categories": ["laboratory"]}])
def test_proposal_without_agreement_or_patient_is_refused(world: StudyWorld, changes: dict[str, Any]) -> None:
    output = {"kind": "fhir", "name": "records", "categories": changes.pop("categories", ["demographics"])}
    paper = {"name": "Agreement", "media_type": "text/plain", "sha256": "0x" + secrets.token_hex(32)}
    body = proposal(days=90, **{"outputs": [output], "documents": [paper], **changes})
    assert_problem(raw(world.researcher.api, "POST", "/v1/studies", json=body), 422, "study_invalid")


def test_record_that_is_being_erased_is_in_no_export_from_the_request_on(
    world: StudyWorld,
    lab: Researcher,  # noqa: F811
) -> None:
    key = register(world)
    study = study_of(world, lab)
    study.run()
    before = list(study.fhir(key))
    patient = world.patients[3]
    wish = {"subject": patient.subject, "record_id": patient.record_id, "grace_hours": 24}
    erasure = patient.api.post("/v1/erasures", wish)["erasure_id"]
    with pytest.raises(RequestRefused, match="fhir_export_not_there"):
        study.fhir(key)
    study.run()
    without = list(study.fhir(key))
    assert len(without) < len(before)
    patient.api.post(f"/v1/erasures/{erasure}/cancel")
    # A new run has it again: the export of the run between is as it was.
    assert len(list(study.fhir(key))) == len(without)
    study.run()
    assert len(list(study.fhir(key))) == len(before)


def test_suspended_study_gives_no_records(world: StudyWorld, lab: Researcher) -> None:  # noqa: F811
    key = register(world)
    study = study_of(world, lab)
    study.run()
    path = f"/v1/board/studies/{study.study_id}/suspension"
    draft = world.board_api.get(path)["typed_data"]
    signature = world.board.sign_typed(draft)
    round_ = draft["message"]["round"]
    world.board_api.post(path, {"reason": "Complaint", "signature": signature, "round": round_})
    with pytest.raises(RequestRefused, match="study_not_permitted"):
        study.fhir(key)


def test_patient_who_ends_the_consent_is_in_no_export_any_more(
    world: StudyWorld,
    lab: Researcher,  # noqa: F811
) -> None:
    key = register(world)
    study = study_of(world, lab)
    study.run()
    assert pseudonym(world, study, world.patients[0]) in who(study.fhir(key))
    patient = world.patients[0]
    patient.end(LETTING[patient.subject])  # the one to computing stands
    with pytest.raises(RequestRefused, match="dataset_outdated"):
        study.fhir(key)
    kept = world.service.world.stores.database["research_exports"]
    assert kept.count_documents({"study": study.study_id[2:]}) == 0  # what is outdated does not lie about
    result = study.run()
    assert result.fhir is not None
    found = who(study.fhir(key))
    assert len(found) == PATIENTS - 3
    assert pseudonym(world, study, patient) not in found
    # One more who leaves makes too few of them, whatever the others allow.
    leaver = world.patients[1]
    leaver.end(*(each["consent_id"] for each in leaver.consents() if each["state"] == "live"))
    result = study_of(world, lab).run()
    assert (result.fhir, result.fhir_refusal) == (None, "cohort_too_small")


def test_erasure_of_a_person_takes_the_exports_along_that_they_are_in(world: StudyWorld) -> None:
    database = world.service.world.stores.database
    found = unconnected(database, world.service.world.stores.keys)
    exports = next(each for each in found if each.name == "research_exports")
    inside, outside = (Scope(SubjectId(int(world.patients[place].subject, 16))) for place in (2, -1))
    before = database["research_exports"].count_documents({})
    assert exports.count(outside) == 0
    assert exports.count(inside) == before > 0
    exports.erase(inside)
    assert database["research_exports"].count_documents({}) == 0
