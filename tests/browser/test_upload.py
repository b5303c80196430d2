"""A records clerk of the custodian stores documents for a patient: once each, filed, with a receipt."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from backend.demo.actors import Provider
from backend.identity.roles import Role
from backend.types import MemberId
from tests.browser.person import Person
from tests.browser.test_looks import check
from tests.browser.test_staff import search, sign_in
from tests.integration.api.world import PASSWORD, Service, bundle_of

CLERK, OUTSIDER = "records-clerk", "doctor-elsewhere"
PDF = b"%PDF-1.7\n1 0 obj << /Type /Catalog >> endobj\n%%EOF\n"
WRONG = (
    b'{"resourceType": "Bundle", "type": "collection", "entry": '
    b'[{"resource": {"resourceType": "Patient", "gender": 7}}]}'
)
Opens = Callable[..., Person]


@pytest.fixture(scope="session")
def clerks(service: Service, clinic: Provider) -> None:
    """One of the custodian's own people, and one of an organisation that stores nothing here."""
    for username, member in (
        (CLERK, service.world.stores.tenant),
        (OUTSIDER, MemberId(bytes.fromhex(clinic.member_id[2:]))),
    ):
        service.world.services.identity.add_user(
            username=username, password=PASSWORD, roles=frozenset({Role.PROVIDER}), member_id=member, by=None
        )


def bundle_for(person: Person, number: int) -> bytes:
    """Another bundle of the person."""
    record_number, bundle = bundle_of(number)
    return bundle.replace(record_number.encode(), person.record_number.encode())


def at_upload(clerk: Person, record_number: str) -> Page:
    page = sign_in(clerk, CLERK)
    search(page, record_number)
    page.get_by_role("button", name="Store a document").click()
    return page


def choose(page: Page, name: str, content: bytes) -> None:
    page.get_by_label("File", exact=True).set_input_files(
        {"name": name, "mimeType": "application/octet-stream", "buffer": content}
    )


def records(person: Person) -> int:
    """How many records the patient has."""
    person.goes("/records")
    expect(person.page.get_by_role("main").get_by_role("link").first).to_be_visible()
    return person.page.get_by_role("main").get_by_role("link").count()


@pytest.mark.usefixtures("clerks")
def test_clerk_stores_a_bundle_and_a_document(
    open_person: Opens, enrolled: Opens, numbers: Iterator[int], screen: dict[str, Any]
) -> None:
    size = f"{screen['viewport']['width']}"
    patient, clerk = enrolled(), open_person(screen)
    page = at_upload(clerk, patient.record_number)
    check(page, f"upload-{size}")
    choose(page, "discharge.json", bundle_for(patient, next(numbers)))
    expect(page.get_by_role("heading", name="How it will be filed")).to_be_visible()
    expect(page.get_by_text("laboratory results")).to_be_visible()
    check(page, f"upload-bundle-{size}")
    page.get_by_role("button", name="Store", exact=True).dblclick()
    expect(page.get_by_text("Whoever the patient allows can read it from now on.")).to_be_visible()
    check(page, f"upload-receipt-{size}")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the receipt").click()
    receipt = json.loads(download.value.path().read_bytes())
    assert receipt["file"] == "discharge.json"
    assert re.fullmatch("[0-9a-f]{64}", receipt["sha256"])
    assert patient.record_number not in json.dumps(receipt)

    page.get_by_role("button", name="Store another document").click()
    choose(page, "letter.pdf", PDF)
    expect(page.get_by_role("radio", name="Nobody looked at it yet")).to_be_checked()
    page.get_by_role("radio", name="I looked at it").check()
    page.get_by_role("button", name="Store", exact=True).click()
    expect(page.get_by_text("Choose at least one kind of data.")).to_be_visible()
    page.get_by_role("switch", name="other documents").check(force=True)
    page.get_by_role("switch", name="psychiatric illness").check(force=True)
    check(page, f"upload-document-{size}")
    page.get_by_role("button", name="Store", exact=True).click()
    expect(page.get_by_text("Whoever the patient allows can read it from now on.")).to_be_visible()
    assert records(patient) == 3
    clerk.assert_well()


@pytest.mark.usefixtures("clerks")
@pytest.mark.parametrize(
    ("name", "content", "what", "next_step"),
    [
        ("empty.pdf", b"", "This file is empty.", "Choose another one"),
        ("page.pdf", b"<html>not a PDF</html>", "not what its name says", "save it again"),
        ("program.exe", b"MZ\x90\0", "not known here", "Save it as PDF"),
        ("cut.json", b'{"resourceType": "Bundle", "ent', "no well-formed JSON", "Export the bundle again"),
        ("other.json", b'{"name": "x"}', "but not FHIR", "Export it as a FHIR R4 bundle"),
        ("one.json", b'{"resourceType": "Patient"}', "but not a bundle", "in a Bundle"),
        (
            "wrong.json",
            WRONG,
            "This was refused.",
            "Correct the named element; it does not conform to FHIR R4. Place: entry[0].resource.gender",
        ),
    ],
)
def test_file_that_cannot_be_stored_is_told_before_it_is_sent(
    open_person: Opens, name: str, content: bytes, what: str, next_step: str
) -> None:
    page = at_upload(open_person(), "MRN-1")
    choose(page, name, content)
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text(what)
    expect(alert).to_contain_text(next_step)
    expect(page.get_by_role("button", name="Store", exact=True)).to_be_hidden()


@pytest.mark.usefixtures("clerks")
def test_bundle_of_somebody_else_and_a_number_of_nobody_are_refused(
    open_person: Opens, enrolled: Opens, numbers: Iterator[int]
) -> None:
    patient = enrolled()
    _, other = bundle_of(next(numbers))
    page = at_upload(open_person(), patient.record_number)
    choose(page, "other.json", other)
    page.get_by_role("button", name="Store", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("not about this patient alone")
    assert records(patient) == 1
    page = at_upload(open_person(), "no such number")
    choose(page, "letter.pdf", PDF)
    page.get_by_role("button", name="Store", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("Nobody is enrolled here under this number.")
    check(page, "upload-refused")


@pytest.mark.usefixtures("clerks")
def test_lost_answer_and_a_reload_store_nothing_twice(open_person: Opens, enrolled: Opens) -> None:
    patient, clerk = enrolled(), open_person()
    page = at_upload(clerk, patient.record_number)

    def lose(route: Route) -> None:
        route.fetch()  # it arrives, and its answer does not
        route.abort()

    page.route("**/v1/records?**", lose, times=1)
    choose(page, "letter.pdf", PDF)
    page.get_by_role("button", name="Store", exact=True).click()
    expect(page.get_by_text("No connection.")).to_be_visible()
    expect(page.get_by_role("radio", name="I looked at it")).to_be_disabled()
    page.reload()
    search(page, patient.record_number)
    page.get_by_role("button", name="Store a document").click()
    choose(page, "letter.pdf", PDF)
    page.get_by_role("button", name="Store", exact=True).click()
    expect(page.get_by_text("Whoever the patient allows can read it from now on.")).to_be_visible()
    assert records(patient) == 2


@pytest.mark.usefixtures("clerks")
def test_who_may_not_store_here_is_not_offered_it(open_person: Opens) -> None:
    page = sign_in(open_person(), OUTSIDER)
    search(page, "MRN-1")
    expect(page.get_by_text("This list may be incomplete.")).to_be_visible()
    expect(page.get_by_role("button", name="Ask for access")).to_be_visible()
    expect(page.get_by_role("button", name="Store a document")).to_be_hidden()
