"""An account that a passkey holds: made, enrolled, used, locked again; refused, missing and lost."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from backend.demo.actors import Api, Provider
from backend.types import SubjectId
from tests.browser.authenticator import Authenticator
from tests.browser.conftest import DESKTOP, PHONE
from tests.browser.person import Person
from tests.browser.test_looks import check
from tests.browser.test_story import ask
from tests.integration.api.world import Service, bundle_of, store

MAKE = "Make an account with a passkey"


def sign(page: Page) -> None:
    """Agree to what the page's own dialog says; the stand-in for the finger does the rest."""
    page.get_by_role("dialog").get_by_role("button", name="Sign with my passkey").click()


def make_account(page: Page) -> None:
    page.get_by_role("button", name=MAKE).click()
    expect(page.get_by_role("dialog", name="Sign in")).to_be_visible()
    sign(page)
    expect(page.get_by_role("heading", name="Connect your records")).to_be_visible()


def sign_in(page: Page) -> None:
    page.get_by_role("button", name=re.compile("^Sign in with your passkey")).click()
    sign(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_patient_enrols_answers_and_comes_back_with_a_passkey_alone(
    open_person: Callable[..., Person],
    desk: Api,
    hospital: Provider,
    clinic: Provider,
    service: Service,
    numbers: Iterator[int],
    screen: dict[str, Any],
    scheme: str,
) -> None:
    name = f"{'phone' if screen is PHONE else 'desktop'}-{scheme}"
    person = open_person({**screen, "color_scheme": scheme})
    page = person.page
    authenticator = Authenticator.put_into(page)
    person.goes("/")
    page.get_by_text("What that means").click()
    check(page, f"passkey-welcome-{name}")
    page.get_by_role("button", name=MAKE).click()
    expect(page.get_by_role("dialog", name="Sign in")).to_be_visible()
    check(page, f"passkey-sign-in-{name}")
    sign(page)
    expect(page.get_by_role("heading", name="Connect your records")).to_be_visible()
    assert authenticator.passkeys == 1

    record_number, bundle = bundle_of(next(numbers))
    issued = desk.post("/v1/enrolments", {"record_number": record_number, "name": "Test Person"})
    page.get_by_label("Code from the desk").fill(issued["code"])
    page.get_by_role("button", name="Connect", exact=True).click()
    expect(page.get_by_role("dialog", name="You take control of your records")).to_be_visible()
    check(page, f"passkey-enrol-{name}")
    sign(page)
    expect(page.get_by_role("heading", name="Who can see what")).to_be_visible()

    stored = store(hospital, issued["subject"], bundle)
    request = ask(clinic, record_number)
    # Loaded anew: the session is there, the key is locked.
    person.goes(f"/requests/{request['request_id']}")
    page.get_by_text("The words you sign").click()
    words = page.locator("details .signed-text").inner_text()
    page.get_by_role("button", name="Allow").click()
    dialog = page.get_by_role("dialog", name="You sign a decision")
    assert dialog.locator(".signed-text").inner_text() == words
    dialog.get_by_text("Every detail that is signed").click()
    expect(dialog).to_contain_text(clinic.member_id)
    expect(dialog).to_contain_text(service.world.services.domain.verifying_contract)
    check(page, f"passkey-decision-{name}")
    sign(page)
    expect(page.get_by_text("Final: it can be used from now")).to_be_visible()
    assert clinic.read(stored.json()["record_id"])

    page.reload()
    page.get_by_role("button", name="Sign out").click()
    page.reload()
    sign_in(page)
    expect(page.get_by_role("heading", name="Your records, your decision")).to_have_count(0)
    person.chooses("Home")
    page.get_by_role("row", name=re.compile("Lakeside Clinic")).get_by_role("button", name="Stop").click()
    page.get_by_role("button", name="Stop now").click()
    expect(page.get_by_role("dialog", name="You stop one permission or power")).to_be_visible()
    sign(page)
    expect(page.get_by_text("Stopped")).to_be_visible()
    # Only the account of the passkey controls the records, and the test wallet was asked nothing.
    subject = service.world.services.evidence.subject(SubjectId(int(issued["subject"], 16)))
    stored_accounts = page.evaluate(ACCOUNTS)
    assert [one["account"] for one in stored_accounts] == [subject.controller]
    assert person.wallet.asked == []
    person.assert_well()


ACCOUNTS = """() => new Promise((resolve) => {
  const opening = indexedDB.open("assent", 1);
  opening.onsuccess = () => {
    const all = opening.result.transaction("passkey-accounts").objectStore("passkey-accounts").getAll();
    all.onsuccess = () => {
      opening.result.close();
      resolve(all.result.map((one) => ({
        account: one.account, rpId: one.rpId, sealed: one.sealed.content.length,
        members: Object.keys(one).sort(),
      })));
    };
  };
})"""


def test_key_is_kept_sealed_and_bound_to_the_site(open_person: Callable[..., Person]) -> None:
    person = open_person()
    Authenticator.put_into(person.page)
    person.goes("/")
    make_account(person.page)
    [kept] = person.page.evaluate(ACCOUNTS)
    assert kept["rpId"] == "localhost"
    assert kept["sealed"] == 32 + 16  # the key and the tag of its seal
    assert kept["members"] == ["account", "createdAt", "credential", "input", "rpId", "sealed"]
    assert kept["account"].lower() in str(person.page.evaluate("localStorage['assent.session']")).lower()
    person.assert_well()


def test_nothing_is_signed_where_the_person_or_the_device_says_no(open_person: Callable[..., Person]) -> None:
    person = open_person()
    page = person.page
    authenticator = Authenticator.put_into(page)
    person.goes("/")
    page.get_by_role("button", name=MAKE).click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("alert")).to_contain_text("You did not sign.")
    page.get_by_role("button", name=re.compile("^Sign in with your passkey")).click()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("alert")).to_contain_text("You did not sign.")

    sign_in(page)
    expect(page.get_by_role("heading", name="Connect your records")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    authenticator.recognise(person=False)
    sign_in(page)
    expect(page.get_by_role("alert")).to_contain_text("Your passkey was not used.")
    person.assert_well()


def test_lost_passkey_is_told_and_opens_nothing(open_person: Callable[..., Person]) -> None:
    person = open_person()
    page = person.page
    authenticator = Authenticator.put_into(page)
    person.goes("/")
    make_account(page)
    page.get_by_role("button", name="Sign out").click()
    authenticator.lose_passkeys()
    sign_in(page)
    expect(page.get_by_role("alert")).to_contain_text("Your passkey was not used.")
    person.assert_well()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_without_prf_no_account_is_made_and_the_page_says_what_to_do(
    open_person: Callable[..., Person], screen: dict[str, Any], scheme: str
) -> None:
    person = open_person({**screen, "color_scheme": scheme})
    page = person.page
    authenticator = Authenticator.put_into(page, has_prf=False)
    person.goes("/")
    page.get_by_role("button", name=MAKE).click()
    expect(page.get_by_role("alert")).to_contain_text("The passkeys of this device cannot hold a key.")
    expect(page.get_by_role("alert")).to_contain_text("open this page in the browser of a wallet app")
    check(page, f"passkey-missing-{'phone' if screen is PHONE else 'desktop'}-{scheme}")
    assert page.evaluate(ACCOUNTS_COUNT) == 0
    assert authenticator.passkeys <= 1  # older browsers cannot be told to forget it
    person.assert_well()


ACCOUNTS_COUNT = """async () => (await indexedDB.databases()).some((one) => one.name === "assent")
  ? new Promise((resolve) => {
      const opening = indexedDB.open("assent", 1);
      opening.onsuccess = () => {
        const count = opening.result.transaction("passkey-accounts").objectStore("passkey-accounts").count();
        count.onsuccess = () => { opening.result.close(); resolve(count.result); };
      };
    })
  : 0"""


def test_page_at_an_ip_address_goes_to_the_name_and_keeps_its_path(
    open_person: Callable[..., Person], service: Service
) -> None:
    person = open_person(DESKTOP)
    person.page.goto(service.url.replace("localhost", "127.0.0.1") + "/app/devices?account=0x1")
    expect(person.page).to_have_url(f"{service.url}/app/devices?account=0x1")
