"""Care teams: a patient gives a consent to a team, and whoever is in it at that moment is covered by it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from backend.demo.actors import Api, Provider, Wallet
from backend.identity.roles import Role
from backend.types import MemberId
from tests.integration.api.test_decision_interfaces import HOOK, consult, hook, xacml
from tests.integration.api.world import (
    PASSWORD,
    Patient,
    Service,
    assert_problem,
    permit_wish,
    provider,
    raw,
    staff,
)
from tests.unit.interop.artefacts import labels, r4

TREAT = {"purpose": "TREAT"}


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).isoformat()


def _of(member: str, service: Service, name: str, *roles: Role) -> tuple[Api, str]:
    """A staff account of an organisation, signed in, and its id."""
    made = service.world.services.identity.add_user(
        username=name,
        password=PASSWORD,
        roles=frozenset(roles),
        member_id=MemberId(bytes.fromhex(member[2:])),
        by=None,
    )
    api = service.anyone()
    api.token = api.post("/v1/auth/staff", {"username": name, "password": PASSWORD})["access_token"]
    return api, made.staff_id


@pytest.fixture(scope="module")
def administrator(service: Service) -> Api:
    return staff(service, "ward-administrator", Role.TEAM_ADMINISTRATOR)


class Ward:
    """A team of the hospital, and those who act for it."""

    def __init__(self, administrator: Api, name: str = "Ward 3") -> None:
        self.api = administrator
        self.id: str = administrator.post("/v1/care-teams", {"name": name})["care_team_id"]

    def add(self, client: Provider, **members: Any) -> str:
        body = {"client_id": client.client_id, "role": "ward system", **members}
        team = self.api.post(f"/v1/care-teams/{self.id}/participants", body)
        return str(team["participants"][-1]["participant_id"])

    def remove(self, participant: str) -> dict[str, Any]:
        answer = raw(self.api, "DELETE", f"/v1/care-teams/{self.id}/participants/{participant}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


@pytest.fixture
def ward(administrator: Api) -> Ward:
    return Ward(administrator)


@pytest.fixture
def permitted(ward: Ward, patient: Patient) -> Iterator[str]:
    consent = patient.permit(ward.id)
    yield consent
    patient.end(consent)


def _read(reader: Provider, patient: Patient) -> httpx.Response:
    return raw(reader.api, "GET", f"/v1/records/{patient.record_id}", params=TREAT)


def _last_read(patient: Patient) -> dict[str, Any]:
    return next(entry for entry in patient.accesses() if entry["type"] == "record.read")


@pytest.mark.usefixtures("permitted")
def test_participant_reads_and_others_do_not(
    ward: Ward, patient: Patient, clinic: Provider, other_clinic: Provider
) -> None:
    assert_problem(_read(clinic, patient), 403, "consent_required")
    ward.add(clinic)
    assert _read(clinic, patient).status_code == 200
    listed = raw(clinic.api, "GET", "/v1/records", params={**TREAT, "subject": patient.subject})
    assert len(listed.json()["records"]) == 1
    assert_problem(_read(other_clinic, patient), 403, "consent_required")


@pytest.mark.usefixtures("permitted")
def test_removed_participant_is_refused_at_once_and_added_again_reads(
    ward: Ward, patient: Patient, clinic: Provider
) -> None:
    participant = ward.add(clinic)
    assert _read(clinic, patient).status_code == 200
    removed = ward.remove(participant)
    assert_problem(_read(clinic, patient), 403, "consent_required")
    assert [one["present"] for one in removed["participants"]] == [False]
    assert ward.remove(participant)["version"] == removed["version"]  # twice is harmless
    ward.add(clinic)
    assert _read(clinic, patient).status_code == 200


@pytest.mark.usefixtures("permitted")
def test_removal_between_decision_and_release_is_honoured(
    service: Service, ward: Ward, patient: Patient, clinic: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    participant = ward.add(clinic)
    decisions = service.world.services.decisions
    take_uses = decisions.take_uses

    def remove_meanwhile(*arguments: Any) -> None:
        take_uses(*arguments)
        monkeypatch.undo()
        ward.remove(participant)

    monkeypatch.setattr(decisions, "take_uses", remove_meanwhile)
    assert_problem(_read(clinic, patient), 403, "consent_required")
    assert _last_read(patient)["outcome"] == "denied"


@pytest.mark.usefixtures("permitted")
def test_period_is_half_open(
    service: Service, ward: Ward, patient: Patient, clinic: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = int(time.time()) + 1000
    ward.add(clinic, period_start=_iso(begin), period_end=_iso(begin + 100))
    teams = service.world.services.care_teams
    for now, status in ((begin - 1, 403), (begin, 200), (begin + 99, 200), (begin + 100, 403)):
        monkeypatch.setattr(teams, "_clock", lambda now=now: now)
        assert _read(clinic, patient).status_code == status, now - begin


def test_period_without_zone_or_without_length_is_refused(ward: Ward, clinic: Provider) -> None:
    path, body = f"/v1/care-teams/{ward.id}/participants", {"client_id": clinic.client_id, "role": "system"}
    for period, field in (
        ({"period_start": "2030-01-01T00:00:00"}, "body.period_start"),
        ({"period_start": "2030-01-01T00:00:00Z", "period_end": "2030-01-01T00:00:00Z"}, "period_end"),
    ):
        answer = raw(ward.api, "POST", path, json={**body, **period})
        assert assert_problem(answer, 422, "invalid_input")["field"] == field
    ward.add(clinic, period_end="2030-01-01T00:00:00+01:00")
    overlapping = raw(ward.api, "POST", path, json=body)
    assert_problem(overlapping, 409, "participant_present")
    ward.add(clinic, period_start="2030-01-01T00:00:00+01:00")  # begins as the other ends


@pytest.mark.usefixtures("permitted")
def test_closed_team_permits_nothing_and_takes_nobody(
    ward: Ward, patient: Patient, clinic: Provider, other_clinic: Provider, permitted: str
) -> None:
    ward.add(clinic)
    assert _read(clinic, patient).status_code == 200
    closed = ward.api.post(f"/v1/care-teams/{ward.id}/close", {})
    assert closed["status"] == "inactive"
    assert_problem(_read(clinic, patient), 403, "consent_required")
    added = raw(
        ward.api,
        "POST",
        f"/v1/care-teams/{ward.id}/participants",
        json={"client_id": other_clinic.client_id, "role": "late"},
    )
    assert_problem(added, 409, "care_team_closed")
    draft = raw(patient.api, "POST", "/v1/consents/draft", json=_wish(patient, grantee=ward.id))
    assert assert_problem(draft, 409, "care_team_closed")["field"] == "grantee"
    stopping = _wish(patient, kind="deny", grantee=ward.id)
    assert patient.api.post("/v1/consents/draft", stopping)["care_teams"][0]["status"] == "inactive"
    assert next(row for row in patient.consents() if row["consent_id"] == permitted)["state"] == "suspended"


def _wish(patient: Patient, **members: Any) -> dict[str, Any]:
    return {
        "subject": patient.subject,
        "kind": "permit",
        "purposes": ["TREAT"],
        "categories": ["laboratory"],
        "actions": ["access"],
        "not_after": _iso(time.time() + 86400),
        **members,
    }


def test_team_falls_with_its_organisation(
    service: Service, operator: Api, patient: Patient, clinic: Provider
) -> None:
    surgery = provider(service, operator, "Teaching Surgery")
    manager, _ = _of(surgery.member_id, service, "surgery-manager", Role.TEAM_ADMINISTRATOR)
    team = Ward(manager, "Outreach")
    team.add(clinic)
    consent = patient.permit(team.id)
    assert _read(clinic, patient).status_code == 200
    operator.post(f"/v1/members/{surgery.member_id}/suspend", {})
    assert_problem(_read(clinic, patient), 403, "consent_required")
    assert next(row for row in patient.consents() if row["consent_id"] == consent)["state"] == "suspended"
    patient.end(consent)


def test_deny_to_a_team_binds_whoever_left_it(ward: Ward, patient: Patient, clinic: Provider) -> None:
    participant = ward.add(clinic)
    consent = patient.permit(clinic.member_id)
    assert _read(clinic, patient).status_code == 200
    deny = patient.wallet.consent(kind="deny", grantee=ward.id)["consent_id"]
    assert_problem(_read(clinic, patient), 403, "consent_required")
    ward.remove(participant)
    assert_problem(_read(clinic, patient), 403, "consent_required")
    patient.end(consent, deny)


@pytest.mark.usefixtures("permitted")
def test_entry_names_the_team_and_its_membership_can_be_shown_later(
    service: Service, ward: Ward, patient: Patient, clinic: Provider, auditor: Api, stranger: Wallet
) -> None:
    participant = ward.add(clinic, name="Ward terminal")
    other = Ward(ward.api, "Another team")  # one that nothing is permitted through
    other.add(clinic)
    assert _read(clinic, patient).status_code == 200
    entry = _last_read(patient)
    (group,) = entry["groups"]
    assert (group["id"], group["version"]) == (ward.id, 2)
    raw(clinic.api, "GET", "/v1/records", params={**TREAT, "subject": patient.subject})
    listed = next(one for one in patient.accesses() if one["type"] == "record.listed")
    assert listed["groups"] == [group]
    ward.remove(participant)
    path = f"/v1/care-teams/{ward.id}/memberships/{group['membership']}"
    named = {"subject": patient.subject, "entry": entry["index"]}
    for shown in (
        patient.api.get(path, **named),
        auditor.get(path, at=entry["recorded_at"]),
    ):
        assert [(one["name"], one["present"]) for one in shown["participants"]] == [("Ward terminal", True)]
        document = b"assent/care-team/1\n" + shown["document"].encode()
        assert "0x" + hashlib.sha256(document).hexdigest() == group["membership"]
    now = patient.api.get(f"/v1/care-teams/{ward.id}")
    assert now["membership"] != group["membership"]
    assert not now["participants"][0]["present"]
    # Nobody else, and not by an entry that does not name it.
    unrelated = next(one for one in patient.accesses() if not one["groups"])
    wrong = raw(patient.api, "GET", path, params={**named, "entry": unrelated["index"]})
    assert_problem(wrong, 404, "care_team_unknown")
    assert_problem(raw(patient.api, "GET", path), 422, "invalid_input")
    assert_problem(raw(clinic.api, "GET", path, params=named), 403, "scope_missing")
    changes = [
        one
        for one in auditor.get("/v1/log/entries", limit=200)["entries"]
        if one["type"] == "care_team.changed" and one["groups"][0]["id"] == ward.id
    ]
    assert [one["detail"]["change"] for one in reversed(changes)] == [
        "created",
        "participant_added",
        "participant_removed",
    ]
    assert changes[1]["groups"] == [group]


def test_draft_and_preview_name_the_team(ward: Ward, patient: Patient, clinic: Provider) -> None:
    refused = _read(clinic, patient)
    assert_problem(refused, 403, "consent_required")
    ward.add(clinic, name="Ward terminal")
    wish = _wish(patient, care_team=ward.id, categories=["laboratory", "medications", "conditions"])
    draft = patient.api.post("/v1/consents/draft", wish)
    (named,) = draft["care_teams"]
    assert (named["care_team_id"], named["name"], named["status"]) == (ward.id, "Ward 3", "active")
    assert named["present"] == ["Ward terminal"]
    preview = patient.api.post(
        "/v1/consents/preview", {"subject": patient.subject, "message": draft["message"]}
    )
    assert preview["care_teams"] == draft["care_teams"]
    assert (preview["records_now"], preview["records_then"]) == (0, 1)
    assert preview["attempts_answered"] >= 1
    unknown = raw(patient.api, "POST", "/v1/consents/draft", json=_wish(patient, care_team="0x" + "5a" * 32))
    assert_problem(unknown, 404, "care_team_unknown")
    both = {**permit_wish(patient, clinic), "care_team": ward.id}
    assert_problem(raw(patient.api, "POST", "/v1/consents/draft", json=both), 422, "invalid_input")


@pytest.mark.usefixtures("permitted")
def test_questions_take_teams_and_nobody_claims_one_it_is_not_in(
    ward: Ward, patient: Patient, clinic: Provider, other_clinic: Provider
) -> None:
    ward.add(clinic)
    question = {
        "subject": patient.subject,
        "purpose": "TREAT",
        "categories": ["laboratory"],
        "requester": {"member": clinic.member_id, "organisations": [ward.id]},
    }
    assert patient.api.post("/v1/decisions", question)["answer"] == "permit"
    alone = {**question, "requester": {"member": ward.id}}
    assert patient.api.post("/v1/decisions", alone)["answer"] == "permit"
    own = {name: value for name, value in question.items() if name != "requester"}
    assert clinic.api.post("/v1/decisions", own)["answer"] == "permit"
    assert other_clinic.api.post("/v1/decisions", own)["answer"] == "deny"
    assert_problem(raw(other_clinic.api, "POST", "/v1/decisions", json=question), 403, "not_permitted")
    # In other systems' words: by the name of its team, which another cannot use.
    assert consult(clinic.api, patient.subject, ward.id)["summary"] == "CONSENT_PERMIT"
    assert consult(patient.api, patient.subject, ward.id)["summary"] == "CONSENT_PERMIT"
    assert xacml(clinic.api, patient.subject, ward.id).json()["Response"][0]["Decision"] == "Permit"
    claimed = raw(other_clinic.api, "POST", HOOK, json=hook(patient.subject, ward.id))
    assert_problem(claimed, 403, "decision_actor_other")
    entry = next(one for one in patient.accesses() if one["type"] == "decision.explained" and one["groups"])
    assert entry["groups"][0]["id"] == ward.id


def test_team_is_changed_by_its_own_organisation_alone(
    service: Service, ward: Ward, clinic: Provider, patient: Patient, stranger: Wallet
) -> None:
    foreign, _ = _of(clinic.member_id, service, "clinic-manager", Role.TEAM_ADMINISTRATOR)
    body = {"client_id": clinic.client_id, "role": "system"}
    for method, path, content in (
        ("POST", "participants", body),
        ("DELETE", f"participants/{'0' * 32}", None),
        ("POST", "close", {}),
    ):
        answer = raw(foreign, method, f"/v1/care-teams/{ward.id}/{path}", json=content)
        assert_problem(answer, 404, "care_team_unknown")
    assert ward.id not in {team["care_team_id"] for team in foreign.get("/v1/care-teams")}
    assert ward.id in {team["care_team_id"] for team in ward.api.get("/v1/care-teams")}
    assert_problem(raw(clinic.api, "GET", f"/v1/care-teams/{ward.id}"), 404, "care_team_unknown")
    ward.add(clinic)
    assert clinic.api.get(f"/v1/care-teams/{ward.id}")["name"] == "Ward 3"
    assert patient.api.get(f"/v1/care-teams/{ward.id}")["name"] == "Ward 3"
    assert_problem(raw(stranger.api, "GET", f"/v1/care-teams/{ward.id}"), 404, "care_team_unknown")


@pytest.mark.usefixtures("permitted")
def test_row_that_was_tampered_with_in_the_index_denies(
    service: Service, ward: Ward, patient: Patient, clinic: Provider
) -> None:
    ward.add(clinic)
    teams, rows = service.world.services.care_teams, service.world.stores.database["care_teams"]
    current = teams.get(MemberId(bytes.fromhex(ward.id[2:])))
    row = {"_id": f"{current.team_id.hex()}/{current.digest.hex()}"}
    kept = rows.find_one(row)
    assert kept is not None
    try:
        rows.update_one(row, {"$set": {"sealed": kept["sealed"][:-1] + b"\x00"}})
        teams.load()
        assert_problem(_read(clinic, patient), 403, "consent_required")
        assert_problem(raw(patient.api, "GET", f"/v1/care-teams/{ward.id}"), 502, "care_teams_damaged")
    finally:
        rows.update_one(row, {"$set": {"sealed": kept["sealed"]}})
        teams.load()
    assert _read(clinic, patient).status_code == 200


@pytest.mark.usefixtures("permitted")
def test_index_put_back_to_before_a_removal_lets_nobody_in(
    service: Service, ward: Ward, patient: Patient, clinic: Provider
) -> None:
    participant = ward.add(clinic)
    teams, lists = service.world.services.care_teams, service.world.stores.database["care_team_lists"]
    (before,) = lists.find()
    ward.remove(participant)
    (after,) = lists.find()
    try:
        lists.delete_one({"_id": after["_id"]})
        lists.insert_one(before)
        teams.load()
        assert_problem(_read(clinic, patient), 502, "care_teams_damaged")
        assert _read_own(patient).status_code == 200  # the patient is in no team
    finally:
        lists.delete_one({"_id": before["_id"]})
        lists.insert_one(after)
        teams.load()
    assert_problem(_read(clinic, patient), 403, "consent_required")


def _read_own(patient: Patient) -> httpx.Response:
    return raw(patient.api, "GET", f"/v1/records/{patient.record_id}", params={"purpose": "PATRQT"})


def test_organisation_of_the_team_is_told_when_the_consent_ends(
    administrator: Api, service: Service, operator: Api, patient: Patient
) -> None:
    """A revocation notice is for somebody who can acknowledge it."""
    surgery = provider(service, operator, "Team Surgery")
    manager, _ = _of(surgery.member_id, service, "team-surgery-manager", Role.TEAM_ADMINISTRATOR)
    consent = patient.permit(Ward(manager, "Home visits").id)
    patient.end(consent)
    deadline = time.monotonic() + 60
    while not (found := surgery.api.get("/v1/notices-of-revocation")):
        assert time.monotonic() < deadline, "nobody was told"
        time.sleep(0.05)
    assert found[0]["consent_id"] == consent


def test_retry_with_a_key_makes_nothing_new(administrator: Api, clinic: Provider) -> None:
    def post(path: str, key: str, body: dict[str, Any]) -> Any:
        answer = raw(administrator, "POST", path, json=body, headers={"Idempotency-Key": key})
        assert answer.status_code == 201, answer.text
        return answer.json()

    made = [post("/v1/care-teams", "team", {"name": "Night shift"}) for _ in range(2)]
    assert made[0]["care_team_id"] == made[1]["care_team_id"]
    path = f"/v1/care-teams/{made[0]['care_team_id']}/participants"
    added = [post(path, "who", {"client_id": clinic.client_id, "role": "nurses"}) for _ in range(2)]
    assert [len(team["participants"]) for team in added] == [1, 1]


@pytest.mark.usefixtures("permitted")
def test_staff_in_a_team_read_and_the_entry_names_them(
    service: Service, ward: Ward, patient: Patient, clinic: Provider
) -> None:
    nurse, staff_id = _of(clinic.member_id, service, "nurse-joy", Role.PROVIDER)
    ward.api.post(f"/v1/care-teams/{ward.id}/participants", {"staff_id": staff_id, "role": "nurse"})
    assert raw(nurse, "GET", f"/v1/records/{patient.record_id}", params=TREAT).status_code == 200
    entry = _last_read(patient)
    team = patient.api.get(f"/v1/care-teams/{ward.id}")
    assert entry["actor"] == team["participants"][0]["principal"] == f"staff:{staff_id}"
    assert team["participants"][0]["name"] == "nurse-joy"


def test_new_patient_sees_a_team_as_fhir(
    ward: Ward, new_patient: Callable[[], Patient], clinic: Provider
) -> None:
    """Export names the grantee a CareTeam; import takes one by its reference, and refuses what is none."""
    patient = new_patient()
    consent = patient.permit(ward.id)
    exported = raw(
        patient.api,
        "GET",
        f"/v1/consents/{consent}",
        params={"subject": patient.subject},
        headers={"Accept": "application/fhir+json"},
    ).json()
    (actor,) = exported["provision"]["actor"]
    assert actor["reference"]["type"] == "CareTeam"
    body = {"subject": patient.subject, "resource": exported}
    (again,) = patient.api.post("/v1/consents/import", body)["drafts"]
    assert again["message"]["terms"]["grantee"] == ward.id
    assert again["care_teams"][0]["name"] == "Ward 3"
    foreign = {**body, "names": {"patients": ["Patient/52"]}}
    for reference, found in (
        ({"reference": f"CareTeam/{ward.id[2:]}"}, True),
        ({"reference": f"CareTeam/{'5a' * 32}"}, False),
        (
            {"type": "CareTeam", "identifier": {"system": "urn:assent:member", "value": clinic.member_id}},
            False,
        ),
        ({"identifier": {"system": "urn:assent:member", "value": clinic.member_id}}, True),
    ):
        resource = r4("permit", actor=[{**actor, "reference": reference}], securityLabel=labels("N"))
        answer = raw(patient.api, "POST", "/v1/consents/import", json={**foreign, "resource": resource})
        if found:
            assert answer.status_code == 200, answer.text
        else:
            assert_problem(answer, 422, "fhir_consent_unresolved")
    ward.api.post(f"/v1/care-teams/{ward.id}/close", {})
    closed = raw(patient.api, "POST", "/v1/consents/import", json=body)
    assert_problem(closed, 409, "care_team_closed")
