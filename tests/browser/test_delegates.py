"""Who acts for a patient: powers given and taken back, further devices let in and put out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from backend.demo.actors import Api, Provider
from backend.identity.roles import Role
from tests.browser.authenticator import Authenticator
from tests.browser.conftest import PHONE
from tests.browser.person import Person
from tests.browser.test_looks import check
from tests.browser.test_passkeys import make_account, sign
from tests.browser.test_staff import sign_in as sign_in_staff
from tests.browser.test_story import ask
from tests.integration.api.world import PASSWORD, Service, bundle_of

TEXT = "Anna Weber, my sister"
ENDING = "desk-that-ends"


def named(screen: dict[str, Any], scheme: str) -> str:
    return f"{'phone' if screen is PHONE else 'desktop'}-{scheme}"


def allow(person: Person, request: dict[str, Any]) -> None:
    page = person.goes(f"/requests/{request['request_id']}")
    page.get_by_role("button", name="Allow").click()
    expect(page.get_by_text("Final: it can be used from now")).to_be_visible()


def switch(page: Page, name: str, on: bool) -> None:
    page.get_by_role("switch", name=name, exact=True).set_checked(on, force=True)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_power_is_given_used_and_taken_back(
    enrolled: Callable[..., Person],
    open_person: Callable[..., Person],
    clinic: Provider,
    service: Service,
    screen: dict[str, Any],
    scheme: str,
) -> None:
    person = enrolled({**screen, "color_scheme": scheme})
    sister = open_person({**screen, "color_scheme": scheme})
    page = person.page
    person.chooses("Who acts for you")
    expect(page.get_by_text("Nobody acts for you.")).to_be_visible()
    page.get_by_role("button", name="See what you sign").click()
    expect(page.get_by_text("This is no account")).to_be_visible()
    page.get_by_label("Who it is").fill(TEXT)
    page.get_by_label("Account").fill(sister.wallet.address)
    switch(page, "answer requests", on=True)
    switch(page, "stop permissions", on=True)
    check(page, f"people-give-{named(screen, scheme)}")
    page.get_by_role("button", name="See what you sign").click()
    dialog = page.get_by_role("dialog")
    words = dialog.locator(".signed-text").inner_text()
    assert TEXT in words
    check(page, f"people-sign-{named(screen, scheme)}")
    dialog.get_by_role("button", name="Sign").click()
    expect(dialog.get_by_text("The power is given.")).to_be_visible()
    dialog.get_by_role("button", name="Back").click()
    assert_signed(person, sister, words, service)
    expect(page.get_by_role("listitem").filter(has_text=TEXT)).to_contain_text("in force")
    check(page, f"people-{named(screen, scheme)}")

    request = ask(clinic, person.record_number)
    sister.sign_in()
    allow(sister, request)
    assert sister.last_shown()["primaryType"] == "DelegatedGrant"
    assert clinic.read(person.record_id)

    page.get_by_role("button", name=f"Stop: {TEXT}").click()
    page.get_by_role("dialog").get_by_role("button", name="Stop now").click()
    expect(page.get_by_role("dialog").get_by_text("Stopped")).to_be_visible()
    page.get_by_role("dialog").get_by_role("button", name="Back").click()
    expect(page.get_by_text("Nobody acts for you.")).to_be_visible()
    expect(page.get_by_role("heading", name="Before")).to_be_visible()
    sister.page.reload()
    expect(sister.page.get_by_role("heading", name="Connect your records")).to_be_visible()
    person.assert_well()
    sister.assert_well()


def assert_signed(person: Person, delegate: Person, words: str, service: Service) -> None:
    """What the wallet was shown is what the page said: who, what, what for, until when."""
    message = person.last_shown()["message"]
    terms = message["terms"]
    tables = service.world.services.tables
    assert person.last_shown()["primaryType"] == "Delegation"
    assert message["delegate"] == delegate.wallet.address
    assert tables.powers.codes(int(message["powers"])) == ("grant", "revoke", "read")
    assert {"TREAT", "FAMRQT"} <= set(tables.purposes.codes(int(terms["purposes"])))
    assert "HRESCH" not in tables.purposes.codes(int(terms["purposes"]))
    assert len(tables.categories.codes(int(terms["categories"]))) == 30
    assert int(terms["sensitivities"]) == 0
    assert (int(message["depth"]), terms["summary"]) == (0, words)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_second_device_is_added_sees_the_same_and_is_removed(
    enrolled: Callable[..., Person],
    open_person: Callable[..., Person],
    clinic: Provider,
    screen: dict[str, Any],
    scheme: str,
) -> None:
    person = enrolled({**screen, "color_scheme": scheme})
    other = open_person({**screen, "color_scheme": scheme})
    first, second = person.page, other.page
    Authenticator.put_into(second)
    other.goes("/")
    make_account(second)
    second.get_by_role("button", name="Show this device's account").click()
    link = second.get_by_text(re.compile("/app/devices.account=0x")).inner_text()
    expect(second.get_by_text("Waiting until the other device adds this one")).to_be_visible()
    check(second, f"device-new-{named(screen, scheme)}")

    first.goto(link)
    add = first.get_by_role("button", name="See what you sign")
    expect(add).to_be_disabled()  # not before the accounts were compared
    first.get_by_label("What you call it").fill("my phone")
    switch(first, "Yes, my other device shows this account", on=True)
    check(first, f"device-add-{named(screen, scheme)}")
    add.click()
    first.get_by_role("dialog").get_by_role("button", name="Sign").click()
    expect(first.get_by_text("The device is added.")).to_be_visible()
    first.get_by_role("dialog").get_by_role("button", name="Back").click()
    check(first, f"devices-{named(screen, scheme)}")

    # The new device opens by itself, and what it signs is seen on the first.
    expect(second.get_by_role("heading", name="Who can see what")).to_be_visible()
    other.chooses("Your devices")
    expect(second.get_by_text("You named it “my phone”.")).to_be_visible()
    check(second, f"device-further-{named(screen, scheme)}")
    request = ask(clinic, person.record_number)
    other.goes(f"/requests/{request['request_id']}")
    second.get_by_role("button", name="Allow").click()
    sign(second)
    expect(second.get_by_text("Final: it can be used from now")).to_be_visible()
    assert clinic.read(person.record_id)
    person.goes("/")
    expect(first.get_by_role("row", name=re.compile("Lakeside Clinic"))).to_be_visible()
    other.chooses("Records")
    expect(second.get_by_role("main").get_by_role("link").first).to_be_visible()

    person.chooses("Your devices")
    first.get_by_role("button", name="Remove: my phone").click()
    first.get_by_role("dialog").get_by_role("button", name="Stop now").click()
    expect(first.get_by_role("dialog").get_by_text("Stopped")).to_be_visible()
    first.get_by_role("dialog").get_by_role("button", name="Back").click()
    expect(first.get_by_text("There is no other device yet.")).to_be_visible()
    second.reload()
    expect(second.get_by_role("heading", name="Connect your records")).to_be_visible()
    person.assert_well()
    other.assert_well()


def test_further_device_removes_itself(
    enrolled: Callable[..., Person], open_person: Callable[..., Person]
) -> None:
    person, other = enrolled(), open_person()
    first, second = person.page, other.page
    other.sign_in()
    person.goes(f"/devices?account={other.wallet.address}")
    first.get_by_label("What you call it").fill("my laptop")
    switch(first, "Yes, my other device shows this account", on=True)
    first.get_by_role("button", name="See what you sign").click()
    first.get_by_role("dialog").get_by_role("button", name="Sign").click()
    expect(first.get_by_text("The device is added.")).to_be_visible()
    other.goes("/devices")
    second.get_by_role("button", name="Remove: my laptop").click()
    second.get_by_role("dialog").get_by_role("button", name="Stop now").click()
    expect(second.get_by_role("heading", name="Connect your records")).to_be_visible()
    assert other.last_shown()["primaryType"] == "DelegatedRevoke"
    other.assert_well()


def test_desk_ends_a_guardianship(
    open_person: Callable[..., Person], desk: Api, service: Service, numbers: Iterator[int]
) -> None:
    parent, staff = open_person(), open_person()
    page = parent.goes("/")
    record_number, _ = bundle_of(next(numbers))
    guardian = {"account": parent.wallet.address, "relationship": "MTH", "evidence": "birth certificate"}
    child = {"record_number": record_number, "name": "Test Child", "birth_date": "2020-05-01"}
    issued = desk.post("/v1/enrolments", {**child, "guardians": [guardian]})
    page.get_by_role("button", name="Sign in with Test Wallet").click()
    page.get_by_label("Code from the desk").fill(issued["code"])
    page.get_by_role("button", name="Connect", exact=True).click()
    expect(page.get_by_text(re.compile("Acting for patient 0x"))).to_be_visible()
    parent.chooses("Who acts for you")
    page.get_by_role("link", name="MTH").click()
    guardianship = page.locator("code").filter(has_text=re.compile("^0x[0-9a-f]{64}$")).inner_text()

    service.world.services.identity.add_user(
        username=ENDING,
        password=PASSWORD,
        roles=frozenset({Role.IDENTITY_DESK}),
        member_id=service.world.stores.tenant,
        by=None,
    )
    sign_in_staff(staff, ENDING)
    staff.page.get_by_label("Id of the guardianship").fill(guardianship)
    staff.page.get_by_role("button", name="End it").click()
    expect(staff.page.get_by_text("The guardianship has ended.")).to_be_visible()
    parent.goes("/")
    expect(page.get_by_role("heading", name="Connect your records")).to_be_visible()
