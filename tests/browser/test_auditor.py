"""The auditor explores the log, proves an entry, holds old checkpoints against the log, and exports it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle
from playwright.sync_api import Locator, Page, Route, expect

from backend.audit import checkpoint as checkpoints
from backend.audit import verify
from backend.demo.actors import Api, Provider
from backend.identity.roles import Role
from tests.browser.conftest import DESKTOP, PAGES
from tests.browser.person import Person
from tests.browser.test_looks import MOST_SCRIPT_BYTES, SCREENS, check, compressed
from tests.browser.test_staff import goes_to, sign_in
from tests.integration.api.world import Patient, Service, enrol, open_service, provider, raw, staff
from tests.support.components import require
from tests.support.cosigners import both, cosign

WITNESS = both("clinic.example/witness")
SILENT = both("island.example/witness")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    require((PAGES / "index.html").exists(), "the pages are not built", "make pages")
    directory = tmp_path_factory.mktemp("audited")
    keys = directory / "witnesses"
    keys.write_text("".join(f"{key.verifier_key}\n" for key in (*WITNESS, *SILENT)))
    with open_service(directory / "data", host="localhost", pages=PAGES, witness_keys=keys) as running:
        yield running


@pytest.fixture(scope="module")
def operator(service: Service) -> Api:
    return staff(service, "operator", Role.OPERATOR, Role.IDENTITY_DESK)


@pytest.fixture(scope="module")
def hospital(service: Service, operator: Api) -> Provider:
    return provider(service, operator, "hospital", "0x" + service.world.stores.tenant.hex())


@pytest.fixture(scope="module")
def patient(service: Service, operator: Api, hospital: Provider) -> Patient:
    """One with entries in the log."""
    return enrol(service, operator, hospital, 77)


@pytest.fixture(scope="module", autouse=True)
def audited(service: Service, patient: Patient) -> None:
    staff(service, "auditor", Role.AUDITOR)
    service.world.services.anchorer.run_once()
    published = service.anyone().get("/v1/log/checkpoint")["published"]
    service.anyone().post("/v1/log/cosignatures", {"checkpoint": cosign(published, *WITNESS)})


@pytest.fixture
def auditor(open_person: Callable[..., Person], screen: dict[str, Any]) -> Person:
    return signed_in(open_person(screen))


@pytest.fixture
def at_desktop(open_person: Callable[..., Person]) -> Person:
    return signed_in(open_person(DESKTOP))


def signed_in(person: Person) -> Person:
    page = sign_in(person, "auditor")
    expect(page.get_by_role("heading", name="The audit log")).to_be_visible()
    return person


def size_of(screen: dict[str, Any]) -> str:
    return f"{screen['viewport']['width']}"


def note_now(service: Service) -> str:
    return str(service.anyone().get("/v1/log/checkpoint")["checkpoint"])


def forged(service: Service, note: str) -> str:
    """Another checkpoint of the same size, signed by the log's own keys."""
    said = checkpoints.parse(note)
    signers = service.world.services.checkpointer._signers
    return checkpoints.sign(checkpoints.Checkpoint(said.origin, said.size, bytes(32)), signers)


def grow(service: Service, entries: int) -> None:
    for _ in range(entries):
        raw(service.anyone(), "POST", "/v1/auth/staff", json={"username": "nobody", "password": "x" * 20})


def entries(page: Page, did: str) -> Locator:
    return page.get_by_role("main").get_by_role("listitem").filter(has_text=did)


def compare(page: Page, first: str, second: str = "") -> None:
    page.get_by_label("Checkpoint", exact=True).fill(first)
    page.get_by_label("With this one").fill(second)
    page.get_by_role("button", name="Compare", exact=True).click()


def test_auditor_explores_the_log_and_proves_entries(
    auditor: Person, screen: dict[str, Any], patient: Patient
) -> None:
    page, size = auditor.page, size_of(screen)
    expect(entries(page, "signed in").first).to_be_visible()
    page.get_by_label("What happened").select_option("account.changed")
    expect(entries(page, "signed in")).to_have_count(0)
    entries(page, "changed an account").first.click()
    expect(page.get_by_text("account.changed").first).to_be_visible()
    page.get_by_role("button", name="Check", exact=True).first.click()
    expect(page.get_by_text("Checked in this page")).to_be_visible()
    expect(page.get_by_text("The entry says exactly what was logged.")).to_be_visible()
    expect(page.get_by_text("The ledger holds the log since block")).to_be_visible()
    check(page, f"audit-log-{size}")

    page.get_by_role("button", name="Of everybody").click()
    page.get_by_label("What happened").select_option("record.stored")
    page.get_by_role("textbox", name="Patient").fill(patient.subject)
    page.get_by_role("button", name="Search").click()
    entries(page, "stored a record").first.click()
    expect(page.get_by_text(patient.subject).first).to_be_visible()
    page.get_by_role("button", name="Check", exact=True).first.click()
    expect(page.get_by_text("What the entry says was not opened.")).to_be_visible()
    check(page, f"audit-everybody-{size}")
    page.get_by_role("button", name="Prove what it says, too").click()
    page.get_by_role("button", name="Check", exact=True).first.click()
    expect(page.get_by_text("The entry says exactly what was logged.")).to_be_visible()
    page.get_by_role("textbox", name="Patient").fill("0x12")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("alert").first).to_contain_text("0x and 24 hex digits")
    auditor.assert_well()


def test_entry_that_was_changed_on_its_way_is_shown_as_broken(at_desktop: Person) -> None:
    page = at_desktop.page

    def other(route: Route) -> None:
        answer = route.fetch()
        bundle = answer.json()
        leaf = bundle["entries"][0]["leaf"]
        bundle["entries"][0]["leaf"] = ("B" if leaf[30] == "A" else "A").join((leaf[:30], leaf[31:]))
        route.fulfill(response=answer, json=bundle)

    page.route("**/v1/log/entries/*/proof**", other)
    entries(page, "signed in").first.click()
    page.get_by_role("button", name="Check", exact=True).first.click()
    expect(page.get_by_text("This entry could not be proven")).to_be_visible()
    check(page, "audit-broken-entry")


def test_kept_checkpoint_is_found_to_be_the_beginning_of_the_log_and_a_false_one_is_not(
    auditor: Person, screen: dict[str, Any], service: Service, tmp_path: Path
) -> None:
    page, size = auditor.page, size_of(screen)
    goes_to(page, "Checkpoints")
    expect(page.get_by_text("Signed by the log's key, checked in this page.")).to_be_visible()
    page.get_by_role("button", name="Keep this checkpoint").click()
    older = page.evaluate("JSON.parse(localStorage.getItem('assent.checkpoints'))[0].note")
    grow(service, 3)
    page.reload()
    page.get_by_role("button", name="Compare with now").click()
    expect(page.get_by_text("One history")).to_be_visible()
    expect(page.get_by_text(re.compile("begins with exactly the log of"))).to_be_visible()
    check(page, f"audit-checkpoints-{size}")

    compare(page, older)
    expect(page.get_by_text("One history")).to_have_count(2)
    compare(page, forged(service, older))
    expect(page.get_by_text("Two histories")).to_be_visible()
    check(page, f"audit-split-{size}")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save the evidence").click()
    evidence = json.loads(download.value.path().read_bytes())
    assert evidence["format"] == "assent-split-view/1"
    key = service.anyone().get("/v1/log/checkpoint")["key"]
    assert verify.verify_split_view(evidence, [key])["split_view"]
    compare(page, forged(service, older), older)
    expect(page.get_by_text("Two histories")).to_be_visible()
    compare(page, older.replace("\n\n", "0\n\n", 1))
    expect(page.get_by_text("This could not be shown")).to_be_visible()
    auditor.assert_well()
    assert compressed(auditor.scripts) <= MOST_SCRIPT_BYTES


def test_tiles_that_are_not_the_logs_are_shown_as_broken(at_desktop: Person, service: Service) -> None:
    older = note_now(service)
    grow(service, 2)
    page = at_desktop.page

    def other(route: Route) -> None:
        answer = route.fetch()
        content = bytearray(answer.body())
        content[5] ^= 1
        route.fulfill(response=answer, body=bytes(content))

    page.route("**/v1/log/tile/**", other)
    goes_to(page, "Checkpoints")
    compare(page, older)
    expect(page.get_by_text("This could not be shown")).to_be_visible()
    expect(
        page.get_by_text("the tiles that the service gave do not make the log that it signed")
    ).to_be_visible()
    check(page, "audit-tiles")


def test_log_that_lost_entries_is_told(at_desktop: Person, service: Service) -> None:
    page = at_desktop.page
    said = checkpoints.parse(note_now(service))
    signers = service.world.services.checkpointer._signers
    longer = checkpoints.sign(checkpoints.Checkpoint(said.origin, said.size + 900, bytes(32)), signers)
    goes_to(page, "Checkpoints")
    compare(page, longer)
    expect(page.get_by_text("The service has not got the entries that a checkpoint is of")).to_be_visible()


def test_witnesses_are_told_apart(auditor: Person, screen: dict[str, Any]) -> None:
    page, size = auditor.page, size_of(screen)
    goes_to(page, "Checkpoints")
    good = page.get_by_role("listitem").filter(has_text=WITNESS[0].name)
    expect(good.get_by_text("cosigned", exact=True)).to_be_visible()
    silent = page.get_by_role("listitem").filter(has_text=SILENT[0].name)
    expect(silent.get_by_text("has not cosigned it")).to_be_visible()
    check(page, f"audit-witnesses-{size}")


def test_log_is_exported_as_a_bundle_of_audit_events(auditor: Person, screen: dict[str, Any]) -> None:
    page, size = auditor.page, size_of(screen)
    goes_to(page, "Export")
    page.get_by_label("What happened").select_option("session.signed_in")
    with page.expect_download() as download:
        page.get_by_role("button", name="Search and save").click()
    expect(page.get_by_text(re.compile(r"entr(y|ies) saved\."))).to_be_visible()
    bundle = json.loads(download.value.path().read_bytes())
    Bundle.model_validate(bundle)
    kinds = {entry["resource"]["resourceType"] for entry in bundle["entry"]}
    assert kinds == {"AuditEvent"}
    assert all(
        any(one["code"] == "session.signed_in" for one in entry["resource"]["subtype"])
        for entry in bundle["entry"]
    )
    check(page, f"audit-export-{size}")
    page.get_by_label("From", exact=True).fill("2099-01-01")
    page.get_by_role("button", name="Search and save").click()
    expect(page.get_by_text("No entry is like this. Nothing was saved.")).to_be_visible()
    auditor.assert_well()


def test_outage_while_exporting_saves_nothing_and_is_no_refusal(at_desktop: Person) -> None:
    page = at_desktop.page
    body = json.dumps(
        {
            "resourceType": "OperationOutcome",
            "issue": [{"severity": "error", "details": {"coding": [{"code": "audit_unavailable"}]}}],
        }
    )
    page.route(
        "**/fhir/AuditEvent?**",
        lambda route: route.fulfill(status=503, content_type="application/fhir+json", body=body),
    )
    goes_to(page, "Export")
    page.get_by_role("button", name="Search and save").click()
    expect(page.get_by_text("A part of the system is away. Nothing was decided.")).to_be_visible()


def test_pages_are_readable_in_the_dark_on_a_narrow_screen(open_person: Callable[..., Person]) -> None:
    person = signed_in(open_person({**SCREENS["narrow"], "color_scheme": "dark"}))
    page = person.page
    entries(page, "signed in").first.click()
    page.get_by_role("button", name="Check", exact=True).first.click()
    expect(page.get_by_text("Checked in this page")).to_be_visible()
    check(page, "audit-log-narrow-dark")
    goes_to(page, "Checkpoints")
    page.get_by_role("button", name="Keep this checkpoint").click()
    page.get_by_role("button", name="Compare with now").click()
    expect(page.get_by_text("One history")).to_be_visible()
    check(page, "audit-checkpoints-narrow-dark")
    goes_to(page, "Export")
    expect(page.get_by_role("button", name="Search and save")).to_be_visible()
    check(page, "audit-export-narrow-dark")
    person.assert_well()
