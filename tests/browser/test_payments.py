"""A study used one's data: what it owes, where it is paid, and the payment itself, all through the pages."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from backend.research.money.proof_document import check_proof
from tests.browser.conftest import PAGES
from tests.browser.person import Person
from tests.browser.test_looks import check
from tests.browser.wallet import PageWallet
from tests.integration.api.study_world import StudyWorld, new_account, open_study_world
from tests.integration.api.world import Patient, Service
from tests.support.components import require

OBJECTION, SETTLEMENT, CLAIM = 2, 3, 3600


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudyWorld]:
    require((PAGES / "index.html").exists(), "the pages are not built", "make pages")
    with open_study_world(
        tmp_path_factory.mktemp("payments") / "data",
        host="localhost",
        pages=PAGES,
        payout_objection_seconds=OBJECTION,
        payout_settlement_seconds=SETTLEMENT,
        payout_claim_seconds=CLAIM,
    ) as opened:
        yield opened


@pytest.fixture(scope="module")
def service(world: StudyWorld) -> Service:
    return world.service


Opens = Callable[..., Person]


def at_studies(open_person: Opens, patient: Patient, screen: dict[str, Any] | None = None) -> Person:
    """Sign a patient of the world in, and go to what studies pay."""
    person = open_person(screen, PageWallet(account=patient.wallet.account))
    person.sign_in()
    person.chooses("More")
    person.page.get_by_role("link", name="Studies and payments").click()
    expect(person.page.get_by_role("heading", name="Studies and payments")).to_be_visible()
    return person


def card(page: Page, title: str) -> Any:
    return page.get_by_role("region", name=title)


def used_by(world: StudyWorld) -> tuple[str, str, dict[str, Any]]:
    """A study that used the patients' data and can pay: its id, its title, its result."""
    study = world.approved_study()
    title = str(world.researcher.api.get(f"/v1/studies/{study}")["proposal"]["title"])
    return study, title, world.run(study)


def test_patient_names_an_account_and_is_paid(
    open_person: Opens, world: StudyWorld, screen: dict[str, Any]
) -> None:
    size = f"{screen['viewport']['width']}"
    patient = world.patients[0]
    study, title, result = used_by(world)
    escrow = world.fund(study, 100_000)
    person = at_studies(open_person, patient, screen)
    page, paid = person.page, card(person.page, title)
    expect(paid.get_by_text("Used your data")).to_be_visible()
    expect(paid.get_by_text("choose where it goes")).to_be_visible()
    check(page, f"payments-owed-{size}")

    paid.get_by_role("button", name="Choose where it is paid").click()
    sheet = page.get_by_role("dialog")
    expect(sheet.get_by_text("Open your wallet and add an account to it.")).to_be_visible()
    check(page, f"payments-naming-{size}")
    sheet.get_by_label("Address of the account").fill("0x1234")
    sheet.get_by_role("button", name="Sign the choice").click()
    expect(sheet.get_by_text("This is no address.")).to_be_visible()
    sheet.get_by_label("Address of the account").fill(person.wallet.address)
    sheet.get_by_role("button", name="Sign the choice").click()
    expect(sheet.get_by_text("This is the account that you sign with.")).to_be_visible()
    account = new_account()
    sheet.get_by_label("Address of the account").fill(account)
    sheet.get_by_role("button", name="Sign the choice").click()
    expect(sheet.get_by_text("This study pays there from now on.")).to_be_visible()
    assert person.wallet.asked.count("personal_sign") == 2  # the sign-in, and this
    sheet.get_by_role("button", name="Back").click()
    expect(paid.get_by_text("waits for the study to pay")).to_be_visible()
    expect(paid.get_by_text(account)).to_be_visible()

    payout = world.propose(study, escrow["escrow"], result["digest"], per_patient="250")
    world.opens(payout["round"])
    page.reload()
    expect(page.get_by_text("2.50 TEST ready for you")).to_be_visible()
    expect(page.get_by_text("test money, which is worth nothing")).to_be_visible()
    check(page, f"payments-ready-{size}")
    with page.expect_download() as download:
        paid.get_by_role("button", name="Download the proof").click()
    assert check_proof(json.loads(download.value.path().read_bytes())).payment.account == account
    paid.get_by_role("button", name="Collect").dblclick()
    expect(paid.get_by_text("paid", exact=True)).to_be_visible()
    assert world.balance(account) == 250
    assert world.standing(patient, study) == "claimed"
    check(page, f"payments-paid-{size}")
    person.assert_well()


def test_account_of_another_study_is_refused_with_what_to_do(open_person: Opens, world: StudyWorld) -> None:
    patient = world.patients[1]
    first, _, _ = used_by(world)
    account = new_account()
    world.name_payee(patient, first, account)
    _, title, _ = used_by(world)
    page = at_studies(open_person, patient).page
    name(page, title, account)
    sheet = page.get_by_role("dialog")
    expect(sheet.get_by_text("This account is named for another study.")).to_be_visible()
    expect(sheet.get_by_text("Name an account made for this study alone")).to_be_visible()


def name(page: Page, title: str, account: str) -> None:
    card(page, title).get_by_role("button", name="Choose where it is paid").click()
    page.get_by_role("dialog").get_by_label("Address of the account").fill(account)
    page.get_by_role("dialog").get_by_role("button", name="Sign the choice").click()


def test_lost_answer_costs_no_second_signature(open_person: Opens, world: StudyWorld) -> None:
    patient = world.patients[2]
    study, title, _ = used_by(world)
    person = at_studies(open_person, patient)
    page = person.page

    def lose(route: Route) -> None:
        route.fetch()  # it arrives, and its answer does not
        route.abort()

    page.route(re.compile("/v1/payments/payees$"), lose, times=1)
    name(page, title, new_account())
    sheet = page.get_by_role("dialog")
    expect(sheet.get_by_text("No connection.")).to_be_visible()
    sheet.get_by_role("button", name="Sign the choice").click()
    expect(sheet.get_by_text("This study pays there from now on.")).to_be_visible()
    assert person.wallet.asked.count("personal_sign") == 2
    assert world.standing(patient, study) == "named"


def test_text_that_says_something_else_is_not_given_to_the_wallet(
    open_person: Opens, world: StudyWorld
) -> None:
    _, title, _ = used_by(world)
    person = at_studies(open_person, world.patients[3])
    page = person.page

    def swap(route: Route) -> None:
        answer = route.fetch()
        draft = answer.json()
        draft["text"] = re.sub("0x[0-9a-fA-F]{40}", new_account(), draft["text"], count=1)
        route.fulfill(response=answer, json=draft)

    page.route(re.compile("/v1/payments/payees/draft$"), swap)
    asked = len(person.wallet.asked)
    name(page, title, new_account())
    expect(page.get_by_role("dialog").get_by_text("Nothing was signed.")).to_be_visible()
    assert "personal_sign" not in person.wallet.asked[asked:]


def test_wallet_that_declines_leaves_everything_as_it_was(open_person: Opens, world: StudyWorld) -> None:
    patient = world.patients[4]
    study, title, _ = used_by(world)
    person = at_studies(open_person, patient)
    person.wallet.declines = True
    name(person.page, title, new_account())
    sheet = person.page.get_by_role("dialog")
    expect(sheet.get_by_text("You declined in your wallet.")).to_be_visible()
    assert world.standing(patient, study) == "unnamed"
    person.wallet.declines = False
    sheet.get_by_role("button", name="Sign the choice").click()
    expect(sheet.get_by_text("This study pays there from now on.")).to_be_visible()


def test_patient_whose_data_nobody_used_sees_that(open_person: Opens, world: StudyWorld) -> None:
    person = at_studies(open_person, world.outsider)
    expect(person.page.get_by_text("No study has used your data.")).to_be_visible()
    check(person.page, "payments-none")
    person.assert_well()
