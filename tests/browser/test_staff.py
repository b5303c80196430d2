"""Three people at three screens: the desk enrols, a doctor asks and reads, the patient decides."""

from __future__ import annotations

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
from tests.integration.api.world import PASSWORD, Service, bundle_of, store

DOCTOR, DESK, TESTER = "doctor", "front-desk", "nobody-yet"


@pytest.fixture(scope="session")
def accounts(service: Service, clinic: Provider) -> None:
    """Staff accounts of the clinic and of the custodian, made without asking the API."""
    tenant = service.world.stores.tenant
    for username, role, member in (
        (DOCTOR, Role.PROVIDER, MemberId(bytes.fromhex(clinic.member_id[2:]))),
        (DESK, Role.IDENTITY_DESK, tenant),
        (TESTER, Role.WITNESS, tenant),
    ):
        service.world.services.identity.add_user(
            username=username, password=PASSWORD, roles=frozenset({role}), member_id=member, by=None
        )


def sign_in(person: Person, username: str, password: str = PASSWORD) -> Page:
    page = person.goes("/")
    page.get_by_text("Staff: sign in").click()
    page.get_by_label("User name").fill(username)
    page.get_by_label("Password").fill(password)
    page.keyboard.press("Enter")
    return page


def search(page: Page, identifier: str) -> None:
    page.get_by_label("Patient's number").fill(identifier)
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("heading", name=f"Patient {identifier}")).to_be_visible()


def goes_to(page: Page, name: str) -> None:
    page.get_by_role("navigation").get_by_role("link", name=name).click()


@pytest.mark.usefixtures("accounts")
def test_desk_doctor_and_patient_tell_the_story_at_three_screens(
    open_person: Callable[..., Person],
    hospital: Provider,
    numbers: Iterator[int],
    screen: dict[str, Any],
) -> None:
    desk, doctor, patient = (open_person(screen) for _ in range(3))
    size = f"{screen['viewport']['width']}"
    record_number, bundle = bundle_of(next(numbers))
    at_desk = sign_in(desk, DESK)
    expect(at_desk.get_by_role("heading", name="Enrol a patient")).to_be_visible()
    at_desk.get_by_label("Patient's number here").fill(record_number)
    at_desk.get_by_label("Name, as on the document").fill("Test Person")
    at_desk.get_by_role("button", name="Make a code").click()
    code = at_desk.locator(".code code").inner_text()
    check(at_desk, f"desk-{size}")

    page = patient.goes("/")
    page.get_by_role("button", name="Sign in with Test Wallet").click()
    page.get_by_label("Code from the desk").fill(code)
    page.get_by_role("button", name="Connect").click()
    expect(page.get_by_text("Nobody but you can see your records.")).to_be_visible()
    subject = subject_of(patient)
    assert store(hospital, subject, bundle).status_code == 201

    at_clinic = sign_in(doctor, DOCTOR)
    search(at_clinic, record_number)
    expect(at_clinic.get_by_text("This list may be incomplete.")).to_be_visible()
    expect(at_clinic.get_by_text("Nothing can be shown for this purpose.")).to_be_visible()
    check(at_clinic, f"nothing-{size}")
    at_clinic.get_by_role("button", name="Ask for access").click()
    at_clinic.get_by_role("button", name="Ask", exact=True).click()
    expect(at_clinic.get_by_text("Choose at least one kind of data.")).to_be_visible()
    at_clinic.get_by_role("switch", name="laboratory results").check(force=True)
    at_clinic.get_by_label("To the patient").fill("We would like to see your results.")
    check(at_clinic, f"ask-{size}")
    at_clinic.get_by_role("button", name="Ask", exact=True).click()
    expect(at_clinic.get_by_text("The patient has been asked.")).to_be_visible()
    goes_to(at_clinic, "Requests")
    expect(at_clinic.get_by_text("waits").first).to_be_visible()
    check(at_clinic, f"asked-{size}")

    patient.chooses("Requests")
    page.get_by_role("link", name=re.compile("Lakeside Clinic")).click()
    expect(page.get_by_text("We would like to see your results.")).to_be_visible()
    page.get_by_role("button", name="Allow").click()
    expect(page.get_by_text("Final: it can be used from now")).to_be_visible()

    goes_to(at_clinic, "Patients")
    search(at_clinic, record_number)
    at_clinic.get_by_role("main").get_by_role("listitem").get_by_role("button").first.click()
    expect(at_clinic.get_by_role("heading", name="Laboratory and other results")).to_be_visible()
    expect(at_clinic.get_by_role("heading", name="Medicines")).to_be_hidden()
    check(at_clinic, f"read-{size}")

    patient.chooses("Home")
    page.get_by_role("button", name="Stop", exact=True).click()
    page.get_by_role("button", name="Stop now").click()
    expect(page.get_by_role("dialog").get_by_text("Stopped")).to_be_visible()
    search(at_clinic, record_number)
    goes_to(at_clinic, "Obligations")
    expect(at_clinic.get_by_text("The patient ended the permission").first).to_be_visible()
    check(at_clinic, f"obligations-{size}")
    at_clinic.get_by_role("button", name="Confirm that it is done").first.click()
    expect(at_clinic.get_by_text("confirmed").first).to_be_visible()
    goes_to(at_clinic, "Patients")
    search(at_clinic, record_number)
    expect(at_clinic.get_by_text("Nothing can be shown for this purpose.")).to_be_visible()
    for each in (desk, doctor, patient):
        each.assert_well()


def subject_of(patient: Person) -> str:
    """The patient that a page's session acts for, asked as the page asks."""
    found: dict[str, Any] = patient.page.evaluate(
        """async () => {
          const { access } = JSON.parse(localStorage.getItem("assent.session"));
          const answer = await fetch("/v1/auth/session", {headers: {Authorization: `Bearer ${access}`}});
          return answer.json();
        }"""
    )
    return str(found["subjects"][0]["subject"])


@pytest.mark.usefixtures("accounts")
def test_number_nobody_has_looks_like_one_that_somebody_has(open_person: Callable[..., Person]) -> None:
    page = sign_in(open_person(), DOCTOR)
    search(page, "no such number")
    expect(page.get_by_text("Nothing can be shown for this purpose.")).to_be_visible()


@pytest.mark.usefixtures("accounts")
def test_outage_looks_different_from_a_refusal_and_says_when_to_try_again(
    open_person: Callable[..., Person],
) -> None:
    page = sign_in(open_person(), DOCTOR)

    def away(route: Route) -> None:
        problem = '{"code": "ledger_unavailable", "detail": "", "status": 503}'
        route.fulfill(
            status=503,
            content_type="application/problem+json",
            headers={"Retry-After": "5"},
            body=problem,
        )

    page.route("**/v1/records?**", away)
    search(page, "MRN-1")
    expect(page.get_by_text("A part of the system is away. Nothing was decided.")).to_be_visible()
    expect(page.get_by_text("This is no refusal. Try again in 5 seconds.")).to_be_visible()


@pytest.mark.usefixtures("accounts")
def test_wrong_password_is_told_and_a_role_without_pages_too(open_person: Callable[..., Person]) -> None:
    person = open_person()
    page = sign_in(person, DOCTOR, "not the password of anybody")
    expect(page.get_by_role("alert")).to_be_visible()
    page = sign_in(person, TESTER)
    expect(page.get_by_role("heading", name="There are no pages for your role yet.")).to_be_visible()
    check(page, "no-pages")
