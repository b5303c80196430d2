"""The audit log as FHIR: who sees what, filters narrow, pages follow on, and errors are outcomes."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.capabilitystatement import CapabilityStatement

from backend.adapters.keys.audit_keys import StoredAuditKeys
from backend.api import fhir_audit
from backend.audit.fhir_patterns import BALP
from backend.demo.actors import Api, Provider, Wallet
from backend.types import SubjectId
from tests.integration.api.test_decision_interfaces import HOOK, hook, request
from tests.integration.api.world import Patient, Service, assert_outcome, in_days, raw

Json = dict[str, Any]
PATH = "/fhir/AuditEvent"
UNKNOWN = "0x" + secrets.token_hex(12)  # nobody that another test asked about


def search(api: Api, headers: Any = None, **params: Any) -> Json:
    """One page, valid as a Bundle."""
    named = {name.replace("_dot_", ".").replace("_to_", ":"): value for name, value in params.items()}
    response = raw(api, "GET", PATH, params=named, headers=headers or {})
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/fhir+json"
    bundle: Json = response.json()
    Bundle.model_validate(bundle)
    assert "total" not in bundle
    return bundle


def events(bundle: Json) -> list[Json]:
    return [entry["resource"] for entry in bundle.get("entry", []) if entry["search"]["mode"] == "match"]


def link(bundle: Json, relation: str) -> str | None:
    return next((each["url"] for each in bundle["link"] if each["relation"] == relation), None)


def follow(api: Api, url: str) -> httpx.Response:
    parts = urlsplit(url)
    return raw(api, "GET", f"{parts.path}?{parts.query}")


def types(bundle: Json) -> list[str]:
    """Our own type codes, without those of looking at the log."""
    found = []
    for event in events(bundle):
        (extension,) = event["extension"]
        kind = next(part["valueString"] for part in extension["extension"] if part["url"] == "type")
        if kind != "audit.read":
            found.append(kind)
    return found


def subjects(bundle: Json) -> set[str]:
    whats = (entity.get("what", {}) for event in events(bundle) for entity in event.get("entity", []))
    systems = (what["identifier"] for what in whats if "identifier" in what)
    return {each["value"] for each in systems if each["system"] == "urn:assent:subject"}


@pytest.fixture(scope="module")
def history(patient: Patient, clinic: Provider, other_clinic: Provider) -> str:
    """A consent, under which one clinic read and another did not."""
    consent = patient.permit(clinic.member_id)
    path = f"/v1/records/{patient.record_id}"
    assert raw(clinic.api, "GET", path, params={"purpose": "TREAT"}).status_code == 200
    assert raw(other_clinic.api, "GET", path, params={"purpose": "TREAT"}).status_code == 403
    body = {"subject": patient.subject, "purpose": "TREAT", "action": "access", "categories": ["laboratory"]}
    assert raw(clinic.api, "POST", "/v1/decisions", json=body).status_code == 200
    return consent


def test_patient_sees_who_read_and_who_was_refused(
    patient: Patient, clinic: Provider, other_clinic: Provider, history: str
) -> None:
    reads = events(search(patient.api, subtype="urn:assent:audit-type|record.read", _sort="date"))
    assert [event["outcome"] for event in reads] == ["0", "4"]
    assert [event["agent"][-1]["who"]["identifier"]["value"] for event in reads] == [
        clinic.member_id,
        other_clinic.member_id,
    ]
    assert reads[0]["meta"]["profile"][0].endswith("PatientRead")
    whats = [entity["what"]["identifier"]["value"] for entity in reads[0]["entity"]]
    assert whats == [patient.subject, patient.record_id, history]
    assert reads[1]["outcomeDesc"]


def test_decision_asked_for_is_a_consent_decision_with_its_consent(patient: Patient, history: str) -> None:
    decisions = events(search(patient.api, type="110113", subtype="AuthZ-Consent"))
    assert len(decisions) == 1
    assert decisions[0]["meta"]["profile"][0].endswith("AuthZconsent")
    assert history in str(decisions[0]["entity"])
    assert decisions[0]["outcome"] == "0"


def test_decision_by_each_interface_is_a_consent_decision(
    new_patient: Callable[[], Patient], clinic: Provider
) -> None:
    patient = new_patient()
    patient.permit(clinic.member_id)
    body = {"subject": patient.subject, "purpose": "TREAT", "action": "access", "categories": ["laboratory"]}
    for path, question in (
        ("/v1/decisions", body),
        (HOOK, hook(patient.subject, clinic.member_id)),
        ("/v1/xacml", request(patient.subject, clinic.member_id)),
        ("/v1/xacml", request(patient.subject, clinic.member_id, "HRESCH")),
    ):
        assert raw(clinic.api, "POST", path, json=question).status_code == 200
    decisions = events(search(patient.api, type="110113", subtype="AuthZ-Consent", _sort="date"))
    assert [event["outcome"] for event in decisions] == ["0", "0", "0", "4"]
    assert {tuple(event["meta"]["profile"]) for event in decisions[:3]} == {(f"{BALP}AuthZconsent",)}
    assert "profile" not in decisions[3]["meta"]  # no consent was found that it could name


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ({"action": "R", "outcome": "4"}, ["record.read"]),
        ({"outcome": "4,8"}, ["record.read"]),
        ({"purpose": "TREAT", "action": "E"}, ["decision.explained"]),
        ({"purpose": "http://terminology.hl7.org/CodeSystem/v3-ActReason|BTG"}, []),
        ({"action": "http://example.org|R"}, []),
        (
            {"entity-type": "http://hl7.org/fhir/resource-types|Consent"},
            ["decision.explained", "record.read"],
        ),
        ({"type": "rest", "subtype": "create", "entity": "Consent/{consent}"}, ["consent.granted"]),
        ({"entity:identifier": "urn:assent:record|{record}", "action": "C"}, ["record.stored"]),
        ({"entity.identifier": "urn:assent:consent|{record}"}, []),
        ({"agent:identifier": "urn:assent:member|{clinic}", "outcome": "0", "action": "R"}, ["record.read"]),
        ({"agent": "{clinic}", "outcome": "4"}, []),
        ({"date": "ge2020-01-01", "outcome": "4"}, ["record.read"]),
        ({"date": ["ge2020", "lt2021"]}, []),
        ({"date": "gt2999"}, []),
        ({"_id": "entry-99999999"}, []),
        ({"_id": "Patient"}, []),
    ],
)
def test_filter_narrows_to_what_it_names(
    patient: Patient, clinic: Provider, history: str, params: dict[str, Any], found: list[str]
) -> None:
    known = {"consent": history, "record": patient.record_id, "clinic": clinic.member_id}
    named = {
        name: value.format(**known) if isinstance(value, str) else value for name, value in params.items()
    }
    assert types(search(patient.api, **named)) == found


def test_date_finds_the_instant_and_is_half_open(patient: Patient, history: str) -> None:
    (event,) = events(search(patient.api, outcome="4"))
    recorded = event["recorded"]
    for prefix, finds in (("eq", True), ("", True), ("ge", True), ("le", True), ("gt", False), ("lt", False)):
        bundle = search(patient.api, outcome="4", date=f"{prefix}{recorded}")
        assert bool(events(bundle)) is finds, prefix
    day = recorded[:10]
    assert events(search(patient.api, outcome="4", date=day))
    assert events(search(patient.api, outcome="4", _lastUpdated=day))


def test_patient_never_sees_entries_of_others(
    patient: Patient, new_patient: Callable[[], Patient], auditor: Api, history: str
) -> None:
    other = new_patient()
    assert subjects(search(other.api, _count=200)) == {other.subject}
    assert subjects(search(patient.api, _count=200)) == {patient.subject}
    for name in ("patient", "patient:identifier"):
        assert_outcome(raw(other.api, "GET", PATH, params={name: patient.subject}), 404, "not_found")
    both = {"patient": f"{other.subject},{patient.subject}"}
    assert_outcome(raw(other.api, "GET", PATH, params=both), 404, "not_found")
    theirs = [event["id"] for event in events(search(patient.api, _count=200))]
    assert events(search(other.api, _id=",".join(theirs[:20]))) == []
    refused = raw(other.api, "GET", f"{PATH}/{theirs[0]}")
    missing = raw(other.api, "GET", f"{PATH}/entry-99999999")
    for response in (refused, missing):
        assert_outcome(response, 404, "audit_entry_unknown")
    assert raw(patient.api, "GET", f"{PATH}/{theirs[0]}").json()["id"] == theirs[0]
    turned_away = search(auditor, subtype="urn:assent:audit-type|access.turned_away", _count=5)
    assert "detail" in str(events(turned_away)[0]["extension"])


def test_delegate_sees_entries_of_whom_they_act_for_and_of_nobody_else(
    service: Service, new_patient: Callable[[], Patient], clinic: Provider, patient: Patient
) -> None:
    for_whom = new_patient()
    delegate = Wallet(service.anyone())
    wish = {
        "subject": for_whom.subject,
        "delegate": delegate.address,
        "powers": ["read"],
        "purposes": ["TREAT"],
        "categories": ["laboratory"],
        "not_after": in_days(60),
        "relationship": "daughter",
    }
    for_whom.wallet.submit("/v1/delegations", for_whom.api.post("/v1/delegations/draft", wish))
    delegate.sign_in()
    assert subjects(search(delegate.api, _count=200)) == {for_whom.subject}
    assert subjects(search(delegate.api, patient=for_whom.subject)) == {for_whom.subject}
    assert_outcome(raw(delegate.api, "GET", PATH, params={"patient": patient.subject}), 404, "not_found")


def test_auditor_sees_everybodys_and_the_systems_and_narrows_to_a_patient(
    auditor: Api, patient: Patient, new_patient: Callable[[], Patient], history: str
) -> None:
    other = new_patient()
    everything: list[Json] = []
    bundle = search(auditor, _count=200)
    while True:
        everything += events(bundle)
        url = link(bundle, "next")
        if url is None:
            break
        bundle = follow(auditor, url).json()
    assert {patient.subject, other.subject} <= subjects(
        {"entry": [{"resource": event, "search": {"mode": "match"}} for event in everything]}
    )
    assert any("entity" not in event for event in everything)  # the system's
    ids = [event["id"] for event in everything]
    assert len(ids) == len(set(ids))
    for form in (f"Patient/{patient.subject}", patient.subject):
        assert subjects(search(auditor, patient=form, _count=200)) == {patient.subject}
    one = search(auditor, patient_dot_identifier=f"urn:assent:subject|{patient.subject}", outcome="4")
    assert types(one) == ["record.read"]


def test_unknown_patient_looks_like_one_without_entries(auditor: Api, service: Service) -> None:
    bundle = search(auditor, patient=UNKNOWN)
    assert (events(bundle), link(bundle, "next")) == ([], None)
    keys = StoredAuditKeys(service.world.stores.keys)
    assert keys.newest(SubjectId(int(UNKNOWN, 16))) is None  # looking made nothing of them
    again = search(auditor, patient=UNKNOWN)
    assert {**again, "link": bundle["link"]} == bundle


def test_looking_is_logged_where_the_patient_sees_it(auditor: Api, patient: Patient, history: str) -> None:
    def lookings() -> list[str]:
        page = patient.api.get("/v1/accesses", subject=patient.subject, limit=200)
        return [entry["actor"] for entry in page["entries"] if entry["type"] == "audit.read"]

    before = lookings()
    found = events(search(auditor, patient=patient.subject, outcome="4"))
    search(auditor, _id=found[0]["id"])  # not named, but shown
    raw(auditor, "GET", f"{PATH}/{found[0]['id']}")
    search(patient.api)
    after = lookings()
    new = after[: len(after) - len(before) - 1]  # without the entry of lookings() itself
    assert sorted(actor.partition(":")[0] for actor in new) == ["account", "staff", "staff", "staff"]


@pytest.mark.parametrize("order", ["-date", "date"])
def test_pages_follow_on_for_the_caller_who_got_them_and_end(
    patient: Patient, auditor: Api, new_patient: Callable[[], Patient], history: str, order: str
) -> None:
    whole = [event["id"] for event in events(search(patient.api, _sort=order, _count=200))]
    bundle = search(patient.api, _sort=order, _count=3, date="ge2020")
    assert len(events(bundle)) == 3
    seen = [event["id"] for event in events(bundle)]
    url = link(bundle, "next")
    assert url is not None
    stranger = new_patient()
    assert_outcome(follow(stranger.api, url), 400, "cursor_refused")
    assert_outcome(follow(auditor, url), 400, "cursor_refused")
    assert_outcome(follow(patient.api, url.replace("ge2020", "ge2021")), 400, "cursor_refused")
    assert_outcome(follow(patient.api, url + "x"), 400, "cursor_refused")
    while url is not None:
        response = follow(patient.api, url)
        seen += [event["id"] for event in events(response.json())]
        assert len(seen) < len(whole) + 20  # reading does not run after its own entries
        url = link(response.json(), "next")
    mine = set(whole)
    assert [each for each in seen if each in mine] == whole
    assert len(seen) == len(set(seen))


def test_page_that_looked_at_enough_is_partial_and_goes_on(
    patient: Patient, history: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fhir_audit, "SCANNED_AT_ONCE", 2)
    bundle, found, pages = search(patient.api, outcome="4"), [], 1
    while (url := link(bundle, "next")) is not None:
        found += types(bundle)
        bundle = follow(patient.api, url).json()
        pages += 1
    assert [*found, *types(bundle)] == ["record.read"]
    assert pages > 3


def test_form_finds_the_same_as_the_address(patient: Patient, history: str) -> None:
    form = raw(patient.api, "POST", f"{PATH}/_search", data={"outcome": "4", "patient": patient.subject})
    assert form.status_code == 200
    assert events(form.json()) == events(search(patient.api, outcome="4", patient=patient.subject))
    assert_outcome(
        raw(patient.api, "POST", f"{PATH}/_search", json={"outcome": "4"}), 400, "search_parameter_malformed"
    )


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"pateint": "0x" + "00" * 12}, "search_parameter_unknown"),
        ({"agent-name": "x"}, "search_parameter_unknown"),
        ({"outcome:not": "0"}, "search_parameter_unknown"),
        ({"patient": ""}, "search_parameter_malformed"),
        ({"patient": "Anna"}, "search_parameter_malformed"),
        ({"outcome": "4,"}, "search_parameter_malformed"),
        ({"date": "2026-01-01T10:00"}, "search_parameter_malformed"),
        ({"date": "ne2026"}, "search_parameter_malformed"),
        ({"_count": "0"}, "search_parameter_malformed"),
        ({"_count": ["1", "2"]}, "search_parameter_malformed"),
        ({"_sort": "outcome"}, "search_parameter_malformed"),
        ({"_format": "xml"}, "search_parameter_malformed"),
        ({"_cursor": "made-up"}, "cursor_refused"),
    ],
)
def test_search_that_is_not_understood_is_refused(patient: Patient, params: Json, code: str) -> None:
    outcome = assert_outcome(raw(patient.api, "GET", PATH, params=params), 400, code)
    if code != "cursor_refused":
        assert outcome["issue"][0]["expression"] == [f"http.{next(iter(params))}"]


def test_unknown_parameter_is_left_out_only_when_the_caller_says_so(patient: Patient, history: str) -> None:
    lenient, strict = {"Prefer": "handling=lenient"}, {"Prefer": "return=minimal; handling=strict"}
    bundle = search(patient.api, lenient, outcome="4", favourite="x")
    assert types(bundle) == ["record.read"]
    assert "favourite was left out" in str(bundle["entry"][-1])
    assert "favourite" not in str(bundle["link"])
    modifier = raw(patient.api, "GET", PATH, params={"outcome:not": "4"}, headers=lenient)
    assert_outcome(modifier, 400, "search_parameter_unknown")
    shaped = search(patient.api, outcome="4", _total="accurate", _elements="id")
    assert (types(shaped), "_total" in str(shaped["link"])) == (["record.read"], False)
    refused = raw(patient.api, "GET", PATH, params={"_total": "accurate"}, headers=strict)
    assert_outcome(refused, 400, "search_parameter_unknown")


def test_others_are_turned_away_with_an_outcome(service: Service, clinic: Provider, stranger: Wallet) -> None:
    assert_outcome(service.http.get(PATH), 401, "not_authenticated")
    assert_outcome(raw(clinic.api, "GET", PATH), 403, "scope_missing")
    assert_outcome(raw(stranger.api, "GET", PATH), 403, "scope_missing")
    assert_outcome(service.http.get("/fhir/Patient"), 404, "not_found")


def test_metadata_names_what_works(service: Service, patient: Patient) -> None:
    response = service.http.get("/fhir/metadata")
    CapabilityStatement.model_validate(response.json())
    (resource,) = response.json()["rest"][0]["resource"]
    values = {"date": "2020", "_lastUpdated": "2020", "_id": "entry-0", "patient": patient.subject}
    for parameter in resource["searchParam"]:
        name = parameter["name"]
        bundle = search(patient.api, **{name: values.get(name, "none-such")})
        assert name in str(link(bundle, "self"))
