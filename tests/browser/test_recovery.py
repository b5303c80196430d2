"""A lost account: guardians are named, agree to a new one, the old one may stop it, the records move."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from backend.demo.actors import Wallet
from backend.identity.roles import Role
from tests.browser.authenticator import Authenticator
from tests.browser.conftest import PAGES, PHONE
from tests.browser.person import Person
from tests.browser.test_looks import check
from tests.browser.test_passkeys import make_account
from tests.browser.test_passkeys import sign as sign_with_passkey
from tests.browser.test_staff import sign_in as sign_in_staff
from tests.browser.wallet import PageWallet
from tests.integration.api.test_recovery import accept, agree, guardian_of, name_guardians, sign
from tests.integration.api.world import Patient, Service, enrol, open_service, provider, staff
from tests.support.components import require

DELAY_SECONDS = 50  # for what somebody has to do in between
Opens = Callable[..., Person]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service whose recoveries wait for less than a minute."""
    require((PAGES / "index.html").exists(), "the pages are not built", "make pages")
    directory = tmp_path_factory.mktemp("recovery")
    with open_service(
        directory, host="localhost", pages=PAGES, recovery_delay_seconds=DELAY_SECONDS
    ) as running:
        yield running


@pytest.fixture(scope="module")
def people(service: Service) -> Callable[[], Patient]:
    desk = staff(service, "desk", Role.IDENTITY_DESK)
    operator = staff(service, "operator", Role.OPERATOR)
    hospital = provider(service, operator, "system", "0x" + service.world.stores.tenant.hex())
    numbers = iter(range(7000, 7100))
    return lambda: enrol(service, desk, hospital, next(numbers))


def named(screen: dict[str, Any], scheme: str) -> str:
    return f"{'phone' if screen is PHONE else 'desktop'}-{scheme}"


def name_guardian(page: Page, who: str, account: str) -> None:
    page.get_by_label("Who it is, and who you are to them").fill(who)
    page.get_by_label("Account").fill(account)
    card(page, "Name a guardian").get_by_role("button", name="See what you sign").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator(".signed-text")).to_contain_text(who)
    dialog.get_by_role("button", name="Sign").click()
    expect(dialog.get_by_text("The guardian is named.")).to_be_visible()
    dialog.get_by_role("button", name="Back").click()


def card(page: Page, title: str) -> Any:
    return page.get_by_role("region", name=title)


def agrees(guardian: Person, link: str, picture: str) -> None:
    page = guardian.page
    page.goto(link)
    expect(page.get_by_text("Call them before you agree.")).to_be_visible()
    see = page.get_by_role("button", name="See what you sign")
    expect(see).to_be_disabled()  # not before the accounts were compared
    page.get_by_role("switch", name=re.compile("I spoke with them")).set_checked(True, force=True)
    check(page, f"recovery-guard-{picture}")
    see.click()
    page.get_by_role("dialog").get_by_role("button", name="I agree, sign").click()
    expect(page.get_by_role("dialog").get_by_text("You have agreed.")).to_be_visible()
    check(page, f"recovery-agreed-{picture}")
    page.get_by_role("dialog").get_by_role("button", name="Back").click()
    shown = guardian.last_shown()
    assert shown["primaryType"] == "ProposeRecovery"
    assert shown["message"]["controller"] == link.rpartition("/")[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_account_is_lost_and_comes_back_with_two_guardians(
    people: Callable[[], Patient], open_person: Opens, screen: dict[str, Any], scheme: str
) -> None:
    looks, picture = {**screen, "color_scheme": scheme}, named(screen, scheme)
    patient = people()
    person = open_person(looks, PageWallet(account=patient.wallet.account))
    guardians = [open_person(looks) for _ in range(2)]
    for each in guardians:
        each.sign_in()
        each.page.get_by_role("link", name="People you guard").click()
        expect(each.page.get_by_text("Nobody has named the account")).to_be_visible()
    check(guardians[0].page, f"recovery-nobody-{picture}")

    person.sign_in()
    page = person.page
    person.chooses("More")
    page.get_by_role("link", name="If you lose your account").click()
    expect(page.get_by_text("If you lose your account now, it is lost for good.")).to_be_visible()
    check(page, f"recovery-none-{picture}")
    for each, who in zip(guardians, ("Anna, sister of Jan", "Tom, friend of Jan"), strict=True):
        name_guardian(page, who, each.wallet.address)
        shown = person.last_shown()["message"]
        assert (int(shown["kind"]), int(shown["powers"]), int(shown["depth"])) == (4, 8, 0)
    choose = card(page, "Choose how many must agree")
    expect(choose.get_by_role("switch", name="Tom, friend of Jan")).to_be_checked()
    choose.get_by_role("button", name="See what you sign").click()
    check(page, f"recovery-policy-{picture}")
    page.get_by_role("dialog").get_by_role("button", name="Sign").click()
    expect(page.get_by_text("They can bring your account back.")).to_be_visible()
    policy = person.last_shown()["message"]["policy"]
    assert (len(policy["guardianships"]), int(policy["threshold"])) == (2, 2)
    page.get_by_role("dialog").get_by_role("button", name="Back").click()
    expect(page.get_by_text("These 2, all together:")).to_be_visible()
    check(page, f"recovery-{picture}")

    # The phone is gone. A new one makes an account and asks the guardians.
    other = open_person(looks)
    new = other.page
    Authenticator.put_into(new)
    other.goes("/")
    make_account(new)
    new.get_by_role("button", name="Get my account back").click()
    link = new.get_by_text(re.compile("/app/guard/0x")).inner_text()
    expect(new.get_by_text("Waiting for the first guardian")).to_be_visible()
    check(new, f"recovery-claim-{picture}")
    agrees(guardians[0], link, picture)
    expect(new.get_by_text("Guardians agree: 1 of 2")).to_be_visible()
    new.get_by_role("button", name="Sign to take them on").click()
    sign_with_passkey(new)
    expect(new.get_by_text("You have taken the records on with this account")).to_be_visible()
    check(new, f"recovery-progress-{picture}")
    page.reload()
    expect(page.get_by_text(re.compile("1 of 2 guardians want to move your records"))).to_be_visible()
    agrees(guardians[1], link, f"last-{picture}")
    expect(new.get_by_text(re.compile("A time in which the old account can stop it, until"))).to_be_visible()
    page.reload()
    expect(page.get_by_text("Somebody is moving your records to another account.")).to_be_visible()
    check(page, f"recovery-banner-{picture}")

    # It opens by itself, and the old account is out.
    expect(new.get_by_role("heading", name="Who can see what")).to_be_visible(
        timeout=(DELAY_SECONDS + 30) * 1000
    )
    check(new, f"recovery-done-{picture}")
    person.goes("/")
    expect(page.get_by_role("button", name="Sign in with Test Wallet")).to_be_visible()
    page.get_by_role("button", name="Sign in with Test Wallet").click()
    expect(page.get_by_role("heading", name="Connect your records")).to_be_visible()
    for each in (person, other, *guardians):
        each.assert_well()


def test_present_account_stops_it_in_two_clicks(
    people: Callable[[], Patient], open_person: Opens, service: Service, screen: dict[str, Any]
) -> None:
    patient = people()
    pairs = [guardian_of(patient.wallet, service) for _ in range(2)]
    name_guardians(patient.wallet, [name for _, name in pairs])
    thief = open_person(screen)
    thief.sign_in()
    account = Wallet(service.anyone(), thief.wallet.account)
    for guardian, _ in pairs:
        agree(guardian, patient.subject, account)
    thief.page.get_by_role("button", name="Sign to take them on").click()
    expect(thief.page.get_by_text(re.compile("can stop it, until"))).to_be_visible()

    person = open_person(screen, PageWallet(account=patient.wallet.account))
    person.sign_in()
    page = person.page
    expect(page.get_by_text("If this is not you, stop it now.")).to_be_visible()
    page.get_by_role("button", name="Stop it", exact=True).click()
    check(page, f"recovery-stop-{named(screen, 'light')}")
    page.get_by_role("dialog").get_by_role("button", name="Stop it now").click()
    expect(page.get_by_text("Your account keeps control of your records.")).to_be_visible()
    page.get_by_role("dialog").get_by_role("button", name="Back").click()
    expect(page.get_by_text("Somebody is moving your records to another account.")).to_be_hidden()
    assert person.last_shown()["primaryType"] == "VetoRecovery"
    expect(thief.page.get_by_text("It was stopped, or ran out of time.")).to_be_visible()
    person.goes("/recovery")
    expect(page.get_by_text("You have stopped a recovery once.")).to_be_visible()
    check(page, f"recovery-stopped-{named(screen, 'light')}")
    person.assert_well()


def test_desk_stands_beside_the_guardians_after_a_stop(
    people: Callable[[], Patient], open_person: Opens, service: Service, screen: dict[str, Any]
) -> None:
    picture, patient = named(screen, "light"), people()
    pairs = [guardian_of(patient.wallet, service) for _ in range(2)]
    name_guardians(patient.wallet, [name for _, name in pairs])
    other = open_person(screen)
    other.sign_in()
    new, account = other.page, Wallet(service.anyone(), other.wallet.account)
    account.sign_in()
    for guardian, _ in pairs:
        agree(guardian, patient.subject, account)
    accept(account, patient.subject)
    stop = patient.api.post("/v1/recovery/vetoes/draft", {"subject": patient.subject})["typed_data"]
    sign(patient.wallet, "/v1/recovery/vetoes", stop)  # by a thief, who has the phone
    expect(new.get_by_text("It was stopped, or ran out of time.")).to_be_visible()
    for guardian, _ in pairs:
        agree(guardian, patient.subject, account)
    new.get_by_role("button", name="Sign to take them on").click()
    expect(new.get_by_text("The desk of your hospital confirms: go there")).to_be_visible()
    check(new, f"recovery-desk-needed-{picture}")

    clerk = open_person(screen)
    username = f"clerk-{patient.record_number}".lower()
    staff(service, username, Role.IDENTITY_DESK)
    sign_in_staff(clerk, username)
    desk = card(clerk.page, "A patient who lost an account")
    desk.get_by_label("Link or account").fill(other.wallet.address)
    desk.get_by_role("button", name="Look").click()
    expect(desk.get_by_text("Test Person")).to_be_visible()
    confirm = desk.get_by_role("button", name="Confirm for the hospital")
    expect(confirm).to_be_disabled()
    desk.get_by_role("switch", name=re.compile("I checked who this is")).set_checked(True, force=True)
    check(clerk.page, f"recovery-desk-{picture}")
    confirm.click()
    expect(desk.get_by_text("The time of waiting has begun.")).to_be_visible()
    expect(new.get_by_text("The desk of your hospital has confirmed")).to_be_visible()
    person = open_person(screen, PageWallet(account=patient.wallet.account))
    person.sign_in()
    expect(person.page.get_by_text("the desk of your hospital stands behind it")).to_be_visible()
    for each in (person, other, clerk):
        each.assert_well()
