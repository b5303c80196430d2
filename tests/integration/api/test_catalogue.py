"""Researchers see protected numbers of what there is, try a sample, ask for a price, and run studies."""

from __future__ import annotations

import io
import json
import secrets
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest

from backend.adapters.index.catalogue_store import MongoDrawingStore, MongoTurnStore
from backend.audit.entry import Agent
from backend.demo.actors import Api, Provider, Wallet
from backend.identity.roles import Role
from backend.research.catalogue.drawing import CatalogueDrawer, CataloguePolicy
from backend.research.catalogue.draws import CatalogueDraws
from backend.research.catalogue.service import DrawState
from backend.research.catalogue.types import Drawing
from backend.research.extraction import extract
from backend.research.paid_draws import PaidDraws
from backend.research.types import StudyId
from backend.types import SubjectId
from tests.integration.api.world import (
    Patient,
    Service,
    assert_problem,
    enrol,
    open_service,
    provider,
    raw,
    staff,
)
from tests.unit.research.conftest import MemoryDrawLog

CATEGORIES = ["demographics", "contact", "identifiers", "conditions", "encounters"]
SEX = {"name": "sex", "kind": "sex", "role": "quasi"}
VISITS = {
    "name": "visits",
    "kind": "view",
    "edges": ["1", "5", "10"],
    "source": {"view": "encounters", "column": "class", "take": "count", "where": {"class": "AMB"}},
}


@dataclass
class People:
    researcher: Provider
    board: Wallet
    board_api: Api
    patients: list[Patient]
    consents: list[str]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A custodian of its own: its catalogue is drawn once, when its patients have consented."""
    with open_service(tmp_path_factory.mktemp("catalogue")) as running:
        yield running


@pytest.fixture(scope="module")
def operator(service: Service) -> Api:
    return staff(service, "operator", Role.OPERATOR)


@pytest.fixture(scope="module")
def people(service: Service, operator: Api) -> People:
    return admitted(service, operator, patients=6)


def admitted(service: Service, operator: Api, *, patients: int) -> People:
    desk = staff(service, "desk", Role.IDENTITY_DESK)
    hospital = provider(service, operator, "hospital", "0x" + service.world.stores.tenant.hex())
    member = operator.post("/v1/members", {"name": "Institute", "roles": ["researcher"]})["member_id"]
    client = operator.post("/v1/clients", {"name": "workbench", "roles": ["researcher"], "member_id": member})
    researcher = Provider(service.anyone(), client["client_id"], client["client_secret"], member)
    researcher.sign_in()
    board, board_api = _board(service, operator)
    enrolled = [enrol(service, desk, hospital, number) for number in range(20, 20 + patients)]
    consents = [_permit(patient, member, "compute") for patient in enrolled]
    tenant = "0x" + service.world.stores.tenant.hex()
    for patient in enrolled:
        _permit(patient, tenant, "query")
    return People(researcher, board, board_api, enrolled, consents)


def _board(service: Service, operator: Api) -> tuple[Wallet, Api]:
    wallet, password = Wallet(service.anyone()), secrets.token_urlsafe(18)
    member = operator.post(
        "/v1/members", {"name": "Board", "roles": ["ethics_board"], "account": wallet.address}
    )["member_id"]
    operator.post(
        "/v1/users",
        {
            "username": "catalogue-board",
            "password": password,
            "roles": ["ethics_board"],
            "member_id": member,
            "account": wallet.address,
        },
    )
    api = service.anyone()
    api.token = api.post("/v1/auth/staff", {"username": "catalogue-board", "password": password})[
        "access_token"
    ]
    return wallet, api


def _permit(patient: Patient, grantee: str, action: str) -> str:
    return patient.permit(
        grantee,
        purposes=["HRESCH"],
        categories=CATEGORIES,
        actions=[action],
        research={"duo": ["DUO:0000042"], "minimum_cohort": 0, "epsilon_cap": 10},
    )


def proposal(**changes: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "title": f"Visits {secrets.token_hex(4)}",
        "purpose": "HRESCH",
        "duo": ["DUO:0000042"],
        "variables": [SEX, VISITS],
        "outputs": [
            {"kind": "histogram", "name": "visits", "variable": "visits"},
            {"kind": "count", "name": "women", "where": [{"variable": "sex", "levels": ["female"]}]},
        ],
        "not_before": (now - timedelta(days=1)).isoformat(),
        "not_after": (now + timedelta(days=30)).isoformat(),
        "epsilon": 1.0,
        "runs": 2,
        "minimum_cohort": 5,
        **changes,
    }


def approved(people: People, **changes: Any) -> str:
    study = str(people.researcher.api.post("/v1/studies", proposal(**changes))["study_id"])
    draft = people.board_api.get(f"/v1/studies/{study}/permit-draft")["typed_data"]
    people.board_api.post(
        f"/v1/studies/{study}/approval",
        {"submit_by": draft["message"]["submitBy"], "signature": people.board.sign_typed(draft)},
    )
    return study


def drawn(api: Api) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while True:
        found: dict[str, Any] = api.get("/v1/catalogue")
        if found["standing"]["state"] not in ("not_drawn", "drawing"):
            return found
        assert time.monotonic() < deadline, "the catalogue was not drawn"
        time.sleep(0.05)


def test_catalogue_never_says_drawn_without_the_counts(
    service: Service, operator: Api, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = service.world.services.catalogue
    real = shown.newest

    def slow() -> Drawing | None:
        found = real()
        operator.post("/v1/catalogue/draws")
        deadline = time.monotonic() + 60
        while shown.standing().state is not DrawState.DRAWN:
            assert time.monotonic() < deadline, "the catalogue was not drawn"
            time.sleep(0.05)
        return found

    monkeypatch.setattr(shown, "newest", slow)
    seen = people.researcher.api.get("/v1/catalogue")
    assert (seen["standing"]["state"] == "drawn") == (seen["drawn_at"] is not None)


def test_catalogue_is_drawn_once_on_the_operators_word_and_seen_by_patients(
    service: Service, operator: Api, people: People
) -> None:
    api = people.researcher.api
    before = api.get("/v1/catalogue")
    assert before["expected_error"] > 0
    started = operator.post("/v1/catalogue/draws")
    assert started["state"] in ("drawing", "drawn")
    found = drawn(api)
    assert found["standing"] == {**started, "state": "drawn", "percent": 100, "code": ""}
    counts = {offer["name"]: offer["counts"] for offer in found["offers"]}
    assert counts["sex"]["error_95"] == found["expected_error"]
    assert counts["postal_region"] is None
    assert len(counts["visits"]["levels"]) == len(counts["visits"]["values"])
    operator.post("/v1/catalogue/draws")
    assert drawn(api)["offers"] == found["offers"]
    used = [entry for entry in people.patients[0].accesses() if entry["purpose"] == "HRESCH"]
    assert {entry["action"] for entry in used} == {"query"}


def test_next_period_is_drawn_by_itself_once_by_two_processes_and_charged_once(
    service: Service, operator: Api, people: People
) -> None:
    operator.post("/v1/catalogue/draws")
    drawn(people.researcher.api)
    world = service.world
    services, shown = world.services, world.services.catalogue
    later = services.clock() + 91 * 24 * 3600
    drawings = MongoDrawingStore(world.stores.database)

    def process(turns: MongoTurnStore) -> CatalogueDraws:
        return CatalogueDraws(
            drawer=CatalogueDrawer(
                catalogue=shown.catalogue,
                store=drawings,
                budget=services.privacy_budget,
                draws=PaidDraws(budget=services.privacy_budget, log=MemoryDrawLog()),
                policy=CataloguePolicy(500_000, 91 * 24 * 3600),
                clock=lambda: later,
            ),
            turns=turns,
            candidates=services.candidates,
            tenant=services.tenant,
            audit=services.audit,
            clock=lambda: later,
            alone=False,
            publish=lambda failed: None,
        )

    spent = services.privacy_budget.balance().spent
    reads = len(people.patients[0].accesses())
    turns = MongoTurnStore(world.stores.database)
    threads = [threading.Thread(target=process(turns).look) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
        assert not thread.is_alive()
    process(turns).look()
    newest = shown.newest()
    assert newest is not None
    assert newest.period == shown.drawer.period + 1
    assert services.privacy_budget.balance().spent == spent + shown.drawer.price
    used = people.patients[0].accesses()[: len(people.patients[0].accesses()) - reads]
    assert len({entry["action"] for entry in used}) == 1
    segments = [segment for entry in used for segment in entry["segments"]]
    assert len(segments) == len(set(segments))  # each was opened by one of them
    assert people.researcher.api.get("/v1/catalogue")["period"] == newest.period


def test_quote_tells_terms_remaining_patients_price_and_error_and_makes_nothing(
    operator: Api, people: People
) -> None:
    operator.post("/v1/catalogue/draws")
    api = people.researcher.api
    drawn(api)
    studies = len(api.get("/v1/studies", limit=100))
    quoted = api.post("/v1/catalogue/quotes", proposal(duo=["DUO:0000006"]))
    fits = {term["shorthand"]: term["fits"] for term in quoted["terms"]}
    assert fits["GRU"]
    assert not fits["DS"]
    assert quoted["remaining"]["patients"]["low"] <= quoted["remaining"]["of"]["high"]
    assert {question["name"] for question in quoted["questions"]} == {"participants", "visits", "women"}
    assert all(question["expected_error"] > 0 for question in quoted["questions"])
    assert 0 < float(quoted["epsilon_of_a_run"]) < float(quoted["epsilon_of_the_study"])
    assert len(api.get("/v1/studies", limit=100)) == studies
    odd = {**VISITS, "source": {**VISITS["source"], "view": "nosuch"}}
    problem = assert_problem(
        raw(api, "POST", "/v1/catalogue/quotes", json=proposal(variables=[SEX, odd])), 422, "study_invalid"
    )
    assert problem["field"] == "variables.1.source.view"


def test_sample_is_a_file_with_the_schema(people: People) -> None:
    body = {"variables": [SEX, VISITS], "rows": 50, "seed": 3}
    csv = people.researcher.api.call("POST", "/v1/catalogue/samples", json=body)
    table = pl.read_csv(csv.content)
    assert (table.columns, table.height) == (["patient", "sex", "visits"], 50)
    parquet = people.researcher.api.call("POST", "/v1/catalogue/samples", json={**body, "format": "parquet"})
    assert pl.read_parquet(io.BytesIO(parquet.content)).equals(table)


def test_view_definition_is_shown(people: People) -> None:
    api = people.researcher.api
    shown = api.get("/v1/catalogue/views/encounters")
    assert shown["resource"] == "Encounter"
    (summary,) = [view for view in api.get("/v1/catalogue")["views"] if view["name"] == "encounters"]
    assert summary["categories"] == ["encounters"]
    assert_problem(raw(api, "GET", "/v1/catalogue/views/nosuch"), 404, "not_found")


def test_run_opens_only_what_its_variables_need_and_is_found_by_its_id(
    service: Service, people: People
) -> None:
    study, api = approved(people), people.researcher.api
    result = api.post(f"/v1/studies/{study}/runs")
    assert {answer["name"] for answer in result["answers"]} == {"participants", "visits", "women"}
    (listed,) = api.get(f"/v1/studies/{study}/runs")
    assert (listed["state"], listed["percent"], listed["result"]) == ("done", 100, None)
    shown = api.get(f"/v1/studies/{study}/runs/{listed['run_id']}")
    assert shown["result"] == result
    patient = people.patients[0]
    entry = next(entry for entry in patient.accesses() if entry["action"] == "compute")
    services = service.world.services
    (manifest,) = services.reading.manifests.of_subject(SubjectId(int(patient.subject, 16)))
    categories = services.tables.categories
    needed = [categories.mask(["demographics"]), categories.mask(["encounters"])]
    permitted = categories.mask(CATEGORIES)
    expected = {
        part.name
        for part in manifest.segments
        if any(part.categories & mask for mask in needed)
        and not part.categories & ~permitted
        and not part.sensitivities
    }
    assert set(entry["segments"]) == expected
    assert len(expected) < len(manifest.segments)


def test_survival_curve_is_asked_over_dates_of_views(service: Service, people: People) -> None:
    course = {
        "unit": "days",
        "index": {"view": "encounters", "column": "start"},
        "event": {"view": "conditions", "column": "onset", "where": {"clinical_status": "active"}},
        "end": {"view": "encounters", "column": "end"},
    }
    grid = ["30", "365", "3650"]
    variables = [
        {"name": "days", "kind": "time_to_event", "edges": grid, "course": course},
        {"name": "ill", "kind": "event_status", "course": course},
    ]
    event = {"variable": "ill", "levels": ["event"]}
    outputs = [
        {"kind": "survival", "name": "curve", "time": "days", "event": event, "grid": grid},
        {"kind": "histogram", "name": "statuses", "variable": "ill"},
    ]
    api = people.researcher.api
    draft = proposal(variables=variables, outputs=outputs)
    quoted = api.post("/v1/catalogue/quotes", draft)
    assert {question["name"] for question in quoted["questions"]} == {"participants", "curve", "statuses"}
    table = pl.read_csv(
        api.call("POST", "/v1/catalogue/samples", json={"variables": variables, "rows": 200}).content
    )
    assert {"event", "censored"} <= set(table["ill"])
    other = {**variables[1], "course": {**course, "unit": "months"}}
    problem = assert_problem(
        raw(api, "POST", "/v1/studies", json=proposal(variables=[variables[0], other], outputs=outputs)),
        422,
        "study_invalid",
    )
    assert problem["field"] == "outputs.0.event"
    study = approved(people, variables=variables, outputs=outputs)
    result = api.post(f"/v1/studies/{study}/runs")
    curve = next(answer for answer in result["answers"] if answer["name"] == "curve")
    assert curve["kind"] == "survival"
    assert [each["name"] for each in curve["estimates"]] == [f"at {time}" for time in grid]
    # What the run read, beside what the records themselves say.
    services = service.world.services
    kept = services.studies.get(StudyId(bytes.fromhex(study.removeprefix("0x"))))
    agent, researcher = Agent.service("test"), kept.proposal.researcher
    rows = {
        candidate.subject: extract(kept.proposal.variables, candidate.allowed, candidate.resources())
        for candidate in services.candidates.of(kept, agent=agent, researcher=researcher)
    }
    compared = []
    for patient in people.patients:
        subject = SubjectId(int(patient.subject, 16))
        (manifest,) = services.reading.manifests.of_subject(subject)
        # Nobody who revoked before, and nobody of whom the permission withholds what the bundle has.
        if subject in rows and not any(part.sensitivities for part in manifest.segments):
            row = rows[subject]
            assert (row["days"], row["ill"]) == _followed_by_hand(json.loads(patient.bundle))
            compared.append(row["ill"])
    assert len(compared) >= 2
    assert set(compared) - {None}


def _followed_by_hand(bundle: dict[str, Any]) -> tuple[Decimal | None, str | None]:
    """Days from the first visit to the first active problem, from the bundle as it was stored."""
    resources = [entry["resource"] for entry in bundle["entry"]]
    visits = [each["period"] for each in resources if each["resourceType"] == "Encounter"]
    onsets = [
        date.fromisoformat(each["onsetDateTime"][:10])
        for each in resources
        if each["resourceType"] == "Condition"
        and "onsetDateTime" in each
        and each["clinicalStatus"]["coding"][0]["code"] == "active"
    ]
    first = min(date.fromisoformat(visit["start"][:10]) for visit in visits)
    last = max(date.fromisoformat(visit["end"][:10]) for visit in visits)
    if onsets and min(onsets) < first:
        return None, None
    if onsets:
        return Decimal((min(onsets) - first).days), "event"
    return Decimal((last - first).days), "censored"


def test_study_tells_what_its_budget_and_a_run_of_it_take(people: People) -> None:
    study, api = approved(people), people.researcher.api
    before = api.get(f"/v1/privacy-budget/studies/{study}")
    assert (before["total_epsilon"], before["spent_rho"]) == (pytest.approx(1.0, abs=1e-4), 0)
    assert before["left_rho"] == before["total_rho"]
    assert {price["name"] for price in before["prices"]} == {"participants", "visits", "women"}
    assert sum(price["rho"] for price in before["prices"]) == pytest.approx(before["run_rho"])
    api.post(f"/v1/studies/{study}/runs")
    after = api.get(f"/v1/privacy-budget/studies/{study}")
    assert after["spent_rho"] == pytest.approx(before["run_rho"])
    assert after["left_rho"] == pytest.approx(before["total_rho"] - before["run_rho"])
    # A new version begins with what this one left.
    amendment = api.post("/v1/studies", proposal(amends=study))["study_id"]
    assert api.get(f"/v1/privacy-budget/studies/{amendment}")["spent_rho"] == after["spent_rho"]
    nobodys = raw(api, "GET", f"/v1/privacy-budget/studies/0x{'00' * 32}")
    assert_problem(nobodys, 404, "study_not_found")


def test_run_that_is_not_waited_for_says_where_to_look(people: People) -> None:
    study, api = approved(people), people.researcher.api
    begun = api.call("POST", f"/v1/studies/{study}/runs", params={"wait": 0})
    assert begun.status_code in (200, 202)
    if begun.status_code == 202:
        deadline = time.monotonic() + 60
        while (found := api.get(begun.headers["location"]))["state"] != "done":
            assert time.monotonic() < deadline, found
            time.sleep(0.05)
        assert found["result"]["study"] == study.removeprefix("0x")


def test_run_without_permit_or_of_somebody_else_is_refused(
    service: Service, operator: Api, people: People
) -> None:
    api = people.researcher.api
    study = api.post("/v1/studies", proposal())["study_id"]
    assert_problem(raw(api, "POST", f"/v1/studies/{study}/runs"), 403, "study_not_permitted")
    member = operator.post("/v1/members", {"name": "Others", "roles": ["researcher"]})["member_id"]
    client = operator.post("/v1/clients", {"name": "others", "roles": ["researcher"], "member_id": member})
    other = Provider(service.anyone(), client["client_id"], client["client_secret"], member)
    other.sign_in()
    for method in ("POST", "GET"):
        answer = raw(other.api, method, f"/v1/studies/{study}/runs")
        assert_problem(answer, 404, "study_not_found")
    assert_problem(raw(other.api, "GET", f"/v1/privacy-budget/studies/{study}"), 404, "study_not_found")
    missing = f"/v1/studies/{study}/runs/0x{'0' * 32}"
    assert_problem(raw(api, "GET", missing), 404, "study_run_not_found")


def test_patient_who_revoked_is_in_no_later_run(people: People) -> None:
    study, api = approved(people), people.researcher.api
    leaving = people.patients[-1]

    def uses(patient: Patient) -> int:
        found = patient.api.get("/v1/studies/uses", subject=patient.subject)
        return sum(use["study_id"] == study for use in found)

    first = api.post(f"/v1/studies/{study}/runs")
    assert uses(leaving) == 1
    leaving.end(people.consents[-1])
    reads = sum(entry["action"] == "compute" for entry in leaving.accesses())
    second = api.post(f"/v1/studies/{study}/runs")
    assert second["run"] != first["run"]
    assert uses(leaving) == 1
    assert uses(people.patients[0]) == 2
    assert sum(entry["action"] == "compute" for entry in leaving.accesses()) == reads


def test_run_that_was_queued_before_a_stop_goes_on_after_the_next_start(tmp_path: Path) -> None:
    with open_service(tmp_path) as before:
        people = admitted(before, staff(before, "operator", Role.OPERATOR), patients=1)
        study = approved(people)
        before.world.services.runs.close()  # nobody drives the queue any more
        begun = people.researcher.api.call("POST", f"/v1/studies/{study}/runs", params={"wait": 0})
        assert (begun.status_code, begun.json()["state"]) == (202, "queued")
    with open_service(tmp_path) as after, httpx.Client(base_url=after.url, timeout=60) as http:
        people.researcher.api.http = http
        people.researcher.sign_in()
        deadline = time.monotonic() + 60
        while (found := people.researcher.api.get(begun.headers["location"]))["state"] != "done":
            assert time.monotonic() < deadline, found
            time.sleep(0.05)
        assert found["run_id"] == begun.json()["run_id"]
        assert found["result"]["answers"]
