"""What goes wrong between a page, a wallet and a network: each ends in a clear state, nothing lost, nothing
sent twice."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from backend.demo.actors import Provider
from tests.browser.person import Person
from tests.browser.test_story import ask, service_consents
from tests.integration.api.world import Service

SIGN_IN = "Sign in with Test Wallet"


@pytest.fixture
def asked(enrolled: Callable[..., Person], clinic: Provider) -> Person:
    """A patient who has a request open."""
    person = enrolled()
    request = ask(clinic, person.record_number)
    person.goes(f"/requests/{request['request_id']}")
    expect(allow(person.page)).to_be_enabled()
    return person


def allow(page: Page) -> Any:
    return page.get_by_role("button", name="Allow")


def recorded(person: Person) -> int:
    """How many consents the service holds of the patient."""
    return len(service_consents(person))


def test_without_a_wallet_the_page_says_what_to_do(
    open_person: Callable[..., Person], browser: Any, service: Service
) -> None:
    context = browser.new_context(base_url=service.url)
    page = context.new_page()
    page.goto("/app/")
    expect(page.get_by_text("No wallet was found in this browser.")).to_be_visible()
    context.close()


def test_declining_to_sign_in_leaves_the_page_as_it_was(open_person: Callable[..., Person]) -> None:
    person = open_person()
    person.wallet.declines = True
    page = person.goes("/")
    page.get_by_role("button", name=SIGN_IN).click()
    expect(page.get_by_text("You declined in your wallet.")).to_be_visible()
    person.wallet.declines = False
    page.get_by_role("button", name=SIGN_IN).click()
    expect(page.get_by_role("heading", name="Connect your records")).to_be_visible()


def test_declining_to_sign_sends_nothing(asked: Person) -> None:
    page = asked.page
    asked.wallet.declines = True
    allow(page).click()
    expect(page.get_by_text("You declined in your wallet.")).to_be_visible()
    assert recorded(asked) == 0
    asked.wallet.declines = False
    allow(page).click()
    expect(page.get_by_text("Final: it can be used from now")).to_be_visible()
    assert recorded(asked) == 1


def test_another_account_in_the_wallet_is_told_before_anything_is_signed(asked: Person) -> None:
    asked.wallet.other_account = "0x" + "1" * 40
    allow(asked.page).click()
    expect(asked.page.get_by_text("Your wallet has another account selected.")).to_be_visible()
    assert asked.wallet.shown == []


def test_locked_wallet_is_told(asked: Person) -> None:
    asked.wallet.is_locked = True
    allow(asked.page).click()
    expect(asked.page.get_by_text("Your wallet is locked or not connected.")).to_be_visible()
    asked.wallet.is_locked = False
    allow(asked.page).click()
    expect(asked.page.get_by_text("Final: it can be used from now")).to_be_visible()


def test_wallet_that_went_to_another_chain_is_brought_back(asked: Person, service: Service) -> None:
    ours = service.world.services.domain.chain_id
    asked.wallet.chains[ours] = f"{service.url}/rpc"
    allow(asked.page).click()
    expect(asked.page.get_by_text("Final: it can be used from now")).to_be_visible()
    assert "wallet_addEthereumChain" not in asked.wallet.asked
    assert asked.wallet.chain == ours


def test_wallet_that_never_answers_can_be_left(asked: Person) -> None:
    page = asked.page
    asked.wallet.is_silent = True
    allow(page).click()
    expect(page.get_by_text("Your wallet asks you now.")).to_be_visible()
    asked.wallet.await_asked(page, "eth_signTypedData_v4")
    asked.chooses("Home")
    asked.wallet.is_silent = False
    page.get_by_role("link", name=re.compile("Lakeside Clinic: For treatment")).click()
    allow(page).click()
    expect(page.get_by_text("Final: it can be used from now")).to_be_visible()
    assert recorded(asked) == 1


def test_double_click_signs_once(asked: Person) -> None:
    allow(asked.page).dblclick()
    expect(asked.page.get_by_text("Final: it can be used from now")).to_be_visible()
    assert len(asked.wallet.shown) == 1
    assert recorded(asked) == 1


def test_network_lost_after_signing_costs_no_second_signature(asked: Person) -> None:
    page = asked.page

    def cut(route: Route) -> None:
        route.abort("internetdisconnected")

    page.route("**/v1/consents", cut)
    allow(page).click()
    expect(page.get_by_text("No connection.")).to_be_visible()
    assert recorded(asked) == 0
    page.unroute("**/v1/consents", cut)
    page.reload()
    expect(page.get_by_text("Something you signed may not have arrived.")).to_be_visible()
    page.get_by_role("button", name="Send it now").click()
    expect(page.get_by_text("It was sent.")).to_be_visible()
    assert (recorded(asked), len(asked.wallet.shown)) == (1, 1)


def test_answer_that_was_lost_on_the_way_back_is_sent_again_without_harm(asked: Person) -> None:
    page = asked.page

    def lose(route: Route) -> None:
        route.fetch()
        route.abort("connectionreset")

    page.route("**/v1/consents", lose)
    allow(page).click()
    expect(page.get_by_text("Final: it can be used from now")).to_be_visible()
    page.unroute("**/v1/consents", lose)
    page.reload()
    expect(page.get_by_text("Something you signed may not have arrived.")).to_be_visible()
    page.get_by_role("button", name="Send it now").click()
    expect(page.get_by_text("It was sent.")).to_be_visible()
    assert recorded(asked) == 1


def test_session_that_is_over_is_told_and_nothing_is_lost(asked: Person) -> None:
    page = asked.page
    page.evaluate(
        """() => {
          const session = JSON.parse(localStorage.getItem("assent.session"));
          const over = {...session, access: "over", refresh: "over"};
          localStorage.setItem("assent.session", JSON.stringify(over));
        }"""
    )
    page.reload()
    expect(page.get_by_role("button", name=SIGN_IN)).to_be_visible()
    page.get_by_role("button", name=SIGN_IN).click()
    expect(page.get_by_role("heading", name=re.compile("asks to use your records"))).to_be_visible()


def test_two_tabs_answer_once(asked: Person) -> None:
    other = asked.watch(asked.context.new_page())
    other.goto(asked.page.url)
    expect(allow(other)).to_be_enabled()
    allow(asked.page).click()
    expect(asked.page.get_by_text("Final: it can be used from now")).to_be_visible()
    other.bring_to_front()
    if allow(other).is_visible():
        allow(other).click()
        expect(other.get_by_text(re.compile("You allowed it|was refused"))).to_be_visible()
    assert recorded(asked) == 1


def test_signing_out_in_one_tab_signs_out_the_other(enrolled: Callable[..., Person]) -> None:
    person = enrolled()
    other = person.watch(person.context.new_page())
    other.goto("/app/")
    expect(other.get_by_role("button", name="Sign out")).to_be_visible()
    person.page.get_by_role("button", name="Sign out").click()
    expect(other.get_by_role("button", name=SIGN_IN)).to_be_visible()


def test_slow_service_shows_that_it_works(asked: Person) -> None:
    page = asked.page

    def wait(route: Route) -> None:
        time.sleep(1.5)
        route.continue_()

    page.route("**/v1/consents", wait)
    allow(page).click()
    expect(page.get_by_text("Sending …")).to_be_visible()
    expect(page.get_by_text("Final: it can be used from now")).to_be_visible()
    assert recorded(asked) == 1


def test_back_button_in_the_middle_leaves_the_request_open(asked: Person) -> None:
    page = asked.page
    asked.wallet.is_silent = True
    allow(page).click()
    expect(page.get_by_text("Your wallet asks you now.")).to_be_visible()
    asked.wallet.await_asked(page, "eth_signTypedData_v4")
    page.go_back()
    asked.wallet.is_silent = False
    page.go_forward()
    expect(allow(page)).to_be_enabled()
    assert recorded(asked) == 0
