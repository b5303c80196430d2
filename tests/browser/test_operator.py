"""An operator at night: what is away, what waits, whom to stop; and by day who may sign in."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from backend.demo.actors import Api, Refused
from backend.errors import Unavailable
from backend.identity.roles import Role
from backend.notices.types import DeliveryState, Message
from backend.operations.types import Counted
from tests.browser.person import Person
from tests.browser.test_looks import MOST_SCRIPT_BYTES, check, compressed
from tests.browser.test_staff import goes_to, sign_in
from tests.integration.api.world import PASSWORD, Service, provider
from tests.integration.api.world import sign_in as sign_in_by_api
from tests.support.receiver import receiving

NIGHT = "night-operator"
Opens = Callable[..., Person]


@pytest.fixture(scope="session")
def on_call(service: Service) -> Api:
    """The account of whoever is on call; what is counted for the whole process is nobody's trouble here."""
    service.world.services.identity.add_user(
        username=NIGHT,
        password=PASSWORD,
        roles=frozenset({Role.OPERATOR}),
        member_id=service.world.stores.tenant,
        by=None,
    )
    service.world.services.watching._counted = lambda: Counted(0, 0, 0, False, 0)
    api = service.anyone()
    sign_in_by_api(api, NIGHT)
    return api


@pytest.fixture
def dead_message(service: Service, on_call: Api) -> Iterator[str]:
    """The name of a system that did not take a message until it was given up; now it would."""
    deliveries = service.world.services.deliveries
    with receiving(host="127.0.0.1") as receiver:
        receiver.answer = lambda _: 503
        name = f"Deaf Clinic {secrets.token_hex(3)}"
        system = provider(service, on_call, name)
        system.api.call("PUT", f"/v1/clients/{system.client_id}/webhook", json={"url": receiver.url})
        patience, deliveries._give_up_seconds = deliveries._give_up_seconds, 1
        try:
            deliveries.put(
                Message(f"msg_{secrets.token_hex(16)}", system.client_id, "consent.granted", b"{}")
            )
            deadline = time.monotonic() + 60
            while not deliveries.listed(DeliveryState.DEAD, receiver=system.client_id, limit=1):
                assert time.monotonic() < deadline
                time.sleep(0.05)
        finally:
            deliveries._give_up_seconds = patience
        receiver.answer = lambda _: 204
        yield name


def at_system(open_person: Opens, screen: dict[str, Any] | None = None) -> Person:
    person = open_person(screen)
    page = sign_in(person, NIGHT)
    expect(page.get_by_role("heading", name="System", exact=True)).to_be_visible()
    return person


@pytest.mark.usefixtures("on_call")
def test_operator_sees_that_all_is_well(open_person: Opens, screen: dict[str, Any]) -> None:
    size = f"{screen['viewport']['width']}"
    person = at_system(open_person, screen)
    page = person.page
    expect(page.get_by_text("All is well. Nothing needs you.")).to_be_visible()
    parts = page.get_by_role("region", name="Parts")
    expect(parts.get_by_text("up", exact=True)).to_have_count(6)
    expect(parts.get_by_text("Audit log", exact=True)).to_be_visible()
    expect(page.get_by_text("No backup is kept.")).to_be_visible()
    check(page, f"operator-well-{size}")
    for dark in (open_person({**screen, "color_scheme": "dark"}),):
        sign_in(dark, NIGHT)
        expect(dark.page.get_by_text("All is well.")).to_be_visible()
        check(dark.page, f"operator-well-{size}-dark")
    person.assert_well()
    assert compressed(person.scripts) <= MOST_SCRIPT_BYTES


def test_message_given_up_is_an_alarm_until_it_is_tried_again(
    open_person: Opens, dead_message: str, screen: dict[str, Any]
) -> None:
    size = f"{screen['viewport']['width']}"
    person = at_system(open_person, screen)
    page = person.page
    alarm = page.get_by_role("alert").filter(has_text="Messages to systems were given up")
    expect(alarm).to_contain_text("in working hours")
    expect(alarm).to_contain_text("Look at the failure of each")
    check(page, f"operator-alarm-{size}")
    alarm.get_by_role("link", name="See the messages").click()
    line = page.get_by_role("listitem").filter(has_text=dead_message)
    expect(line).to_contain_text("Last failure: status_503. Look at the receiver's own log")
    check(page, f"operator-messages-{size}")
    line.get_by_role("button", name="Try again now").click()
    expect(line).to_be_hidden()
    page.get_by_role("button", name="Delivered").click()
    expect(line.get_by_text("delivered", exact=True)).to_be_visible()
    goes_to(page, "System")
    expect(page.get_by_text("All is well.")).to_be_visible()
    person.assert_well()


@pytest.mark.usefixtures("on_call")
def test_part_that_is_away_says_what_to_do(
    open_person: Opens, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> None:
        raise Unavailable

    watching = service.world.services.watching
    monkeypatch.setattr(watching, "_parts", {**watching._parts, "blocks": away})
    page = at_system(open_person).page
    alarm = page.get_by_role("alert").filter(has_text="A part is away: Block store")
    expect(alarm).to_contain_text("now")
    expect(alarm).to_contain_text("Look whether the block store")
    expect(alarm).to_contain_text("unavailable")
    check(page, "operator-away")

    # Where nothing but the health check answers, that is shown.
    def silent(route: Route) -> None:
        problem = '{"code": "unavailable", "detail": "", "status": 503}'
        route.fulfill(status=503, content_type="application/problem+json", body=problem)

    page.route("**/v1/operations", silent)
    page.reload()
    expect(page.get_by_text("A part of the system is away. Nothing was decided.")).to_be_visible()
    expect(page.get_by_text("Block store: away")).to_be_visible()
    check(page, "operator-silent")


def test_member_is_stopped_at_once_let_in_again_and_removed_for_good(
    open_person: Opens, service: Service, on_call: Api, screen: dict[str, Any]
) -> None:
    size, name = f"{screen['viewport']['width']}", f"Night Clinic {secrets.token_hex(3)}"
    person = at_system(open_person, screen)
    page = person.page
    goes_to(page, "Members")
    page.get_by_text("Admit an organisation").click()
    page.get_by_label("Name", exact=True).fill(name)
    check(page, f"operator-admit-{size}")
    page.get_by_role("button", name="Admit", exact=True).dblclick()
    expect(page.get_by_text(f"{name} is admitted.")).to_be_visible()
    line = page.get_by_role("listitem").filter(has_text=name)
    expect(line).to_have_count(1)
    expect(line.get_by_text("takes part")).to_be_visible()
    expect(page.get_by_role("listitem").filter(has_text="this hospital").get_by_role("button")).to_have_count(
        0
    )

    line.get_by_role("button", name="Suspend").click()
    sheet = page.get_by_role("dialog")
    check(page, f"operator-suspend-{size}")
    sheet.get_by_role("button", name="Cancel").click()
    expect(line.get_by_text("takes part")).to_be_visible()
    line.get_by_role("button", name="Suspend").click()
    sheet.get_by_role("button", name="Suspend").click()
    expect(line.get_by_text("suspended", exact=True)).to_be_visible()
    member = next(one for one in on_call.get("/v1/members") if one["name"] == name)
    assert member["standing"] == "suspended"

    line.get_by_role("button", name="Reinstate").click()
    sheet.get_by_role("button", name="Reinstate").click()
    expect(line.get_by_text("takes part")).to_be_visible()
    line.get_by_role("button", name="Remove").click()
    expect(sheet.get_by_role("button", name="Remove")).to_be_disabled()
    sheet.get_by_label(re.compile("^Type")).fill(name)
    sheet.get_by_role("button", name="Remove").click()
    expect(line.get_by_text("removed", exact=True)).to_be_visible()
    check(page, f"operator-members-{size}")
    person.assert_well()


def test_admission_that_waits_says_from_when_it_counts(open_person: Opens, on_call: Api) -> None:
    page = at_system(open_person).page
    name = f"Later Clinic {secrets.token_hex(3)}"

    # As a registry answers that delays admissions: what it shows is what the service says.
    def later(route: Route) -> None:
        answer = route.fetch()
        found = answer.json()
        for member in found if isinstance(found, list) else [found]:
            if member["name"] == name:
                member |= {
                    "standing": "scheduled",
                    "effective_from": "2030-01-02T10:00:00Z",
                    "recorded": False,
                }
        route.fulfill(response=answer, json=found, status=202 if isinstance(found, dict) else 200)

    page.route("**/v1/members", later)
    goes_to(page, "Members")
    page.get_by_text("Admit an organisation").click()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name="Admit", exact=True).click()
    expect(page.get_by_text(f"The admission of {name} is announced.")).to_be_visible()
    line = page.get_by_role("listitem").filter(has_text=name)
    expect(line.get_by_text("begins later")).to_be_visible()
    expect(line.get_by_text(re.compile("counts from Jan 2, 2030"))).to_be_visible()
    member = next(one for one in on_call.get("/v1/members") if one["name"] == name)
    on_call.post(f"/v1/members/{member['member_id']}/remove")


@pytest.mark.usefixtures("on_call")
def test_people_and_systems_are_added_closed_and_given_new_secrets(
    open_person: Opens, service: Service, screen: dict[str, Any]
) -> None:
    size, name = f"{screen['viewport']['width']}", f"clerk-{secrets.token_hex(3)}"
    person = at_system(open_person, screen)
    page = person.page
    goes_to(page, "Accounts")
    page.get_by_text("Add a person").click()
    page.get_by_label("User name").fill(name)
    page.get_by_role("switch", name="identity desk").check(force=True)
    page.get_by_role("switch", name="provider").uncheck(force=True)
    page.get_by_role("button", name="Add", exact=True).dblclick()
    expect(page.get_by_text(f"{name} can sign in with this password.")).to_be_visible()
    first = page.locator(".secret code").inner_text()
    assert may_sign_in(service, name, first)
    check(page, f"operator-person-{size}")
    page.get_by_role("button", name="I have written it down").click()
    expect(page.locator(".secret code")).to_have_count(0)

    line = page.get_by_role("listitem").filter(has_text=name)
    sheet = page.get_by_role("dialog")
    line.get_by_role("button", name="New password").click()
    sheet.get_by_role("button", name="New password").click()
    second = page.locator(".secret code").inner_text()
    assert not may_sign_in(service, name, first)
    assert may_sign_in(service, name, second)
    line.get_by_role("button", name="Close").click()
    sheet.get_by_role("button", name="Close").click()
    expect(line.get_by_text("closed")).to_be_visible()
    assert not may_sign_in(service, name, second)
    line.get_by_role("button", name="Open again").click()
    sheet.get_by_role("button", name="Open again").click()
    expect(line.get_by_text("open", exact=True)).to_be_visible()
    check(page, f"operator-people-{size}")

    page.get_by_role("button", name="Systems").click()
    system = f"Ward system {secrets.token_hex(3)}"
    page.get_by_text("Add a system").click()
    page.get_by_label("Name", exact=True).fill(system)
    page.get_by_role("button", name="Add", exact=True).dblclick()
    expect(page.get_by_text(f"{system} signs in with these.")).to_be_visible()
    expect(page.get_by_role("listitem").filter(has_text=system)).to_have_count(1)
    client_id, secret = page.locator(".secret code").all_inner_texts()
    assert page.locator(".secret code").count() == 2
    line = page.get_by_role("listitem").filter(has_text=system)
    line.get_by_role("button", name="New secret").click()
    sheet.get_by_role("button", name="New secret").click()
    expect(page.locator(".secret code").nth(1)).not_to_have_text(secret)
    expect(page.locator(".secret code").nth(0)).to_have_text(client_id)
    expect(line.get_by_text("old secret holds until")).to_be_visible()
    check(page, f"operator-systems-{size}")
    person.assert_well()


def may_sign_in(service: Service, username: str, password: str) -> bool:
    try:
        service.anyone().post("/v1/auth/staff", {"username": username, "password": password})
    except Refused:
        return False
    return True


def test_who_is_no_operator_gets_none_of_these_pages(open_person: Opens, service: Service) -> None:
    username = f"desk-{secrets.token_hex(3)}"
    service.world.services.identity.add_user(
        username=username,
        password=PASSWORD,
        roles=frozenset({Role.IDENTITY_DESK}),
        member_id=service.world.stores.tenant,
        by=None,
    )
    person = open_person()
    page: Page = sign_in(person, username)
    expect(page.get_by_role("heading", name="Enrol a patient")).to_be_visible()
    for path in ("/system", "/messages", "/members", "/accounts"):
        person.goes(path)
        expect(page.get_by_role("heading", name="There is no such page.")).to_be_visible()
