"""The whole story through the pages: enrol, be asked, narrow, sign, be looked at, check, stop."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import expect

from backend.consent.terms import BreakGlass
from backend.demo.actors import Api, Provider, Refused
from backend.types import SubjectId, to_hex
from tests.browser.person import Person
from tests.integration.api.world import Service, bundle_of, in_days, store

ASKED = ["laboratory", "medications", "conditions"]
WORDS = {
    "laboratory": "laboratory results",
    "medications": "medicines",
    "conditions": "diagnoses and health problems",
}
MESSAGE = 'Your knee: <img src=x onerror="alert(1)"> we would like to see "all" results.'


def ask(clinic: Provider, record_number: str, **narrower: Any) -> dict[str, Any]:
    wish = {
        "purposes": ["TREAT"],
        "categories": ASKED,
        "actions": ["access"],
        "not_after": in_days(30),
        "message": MESSAGE,
    }
    return clinic.ask(clinic.find(record_number), **{**wish, **narrower})


def assert_refused(clinic: Provider, record_id: str) -> None:
    with pytest.raises(Refused) as refused:
        clinic.read(record_id)
    assert refused.value.status == 403


def test_patient_enrols_with_the_code_from_the_desk(
    open_person: Callable[..., Person], desk: Api, numbers: Iterator[int], screen: dict[str, Any]
) -> None:
    record_number, _ = bundle_of(next(numbers))
    code = desk.post("/v1/enrolments", {"record_number": record_number, "name": "Test Person"})["code"]
    person = open_person(screen)
    page = person.goes("/")
    page.get_by_role("button", name="Sign in with Test Wallet").click()
    expect(page.get_by_role("heading", name="Connect your records")).to_be_visible()

    page.get_by_label("Code from the desk").fill("AAAA-BBBB-CCCC")
    page.get_by_role("button", name="Connect").click()
    expect(page.get_by_role("alert")).to_be_visible()

    page.get_by_label("Code from the desk").fill(code.lower())
    page.get_by_role("button", name="Connect").click()
    expect(page.get_by_role("heading", name="Who can see what")).to_be_visible()
    expect(page.get_by_text("Nobody but you can see your records.")).to_be_visible()
    assert person.last_shown()["primaryType"] == "OpenSubject"
    # The wallet did not know the chain: it was added through our own node, then made active.
    assert person.wallet.asked.count("wallet_addEthereumChain") == 1
    person.assert_well()


def test_request_is_narrowed_signed_used_checked_and_stopped(
    enrolled: Callable[..., Person], clinic: Provider, service: Service, screen: dict[str, Any]
) -> None:
    person = enrolled(screen)
    page = person.page
    ask(clinic, person.record_number)
    assert_refused(clinic, person.record_id)

    # Three actions from here: open it, allow it, confirm in the wallet. Narrowing is a fourth.
    page.get_by_role("link", name="Lakeside Clinic: For treatment").click()
    expect(page.get_by_role("heading", name="Lakeside Clinic asks to use your records")).to_be_visible()
    expect(page.get_by_text(MESSAGE)).to_be_visible()
    page.get_by_role("switch", name=WORDS["medications"]).uncheck(force=True)
    expect(page.get_by_text(re.compile("records? they would see something of"))).to_be_visible()
    expect(page.get_by_role("button", name="Allow")).to_be_enabled()  # what is shown is what would be signed
    page.get_by_text("The words you sign").click()
    words = page.locator("details .signed-text").inner_text()
    assert WORDS["laboratory"] in words
    assert WORDS["medications"] not in words
    page.get_by_role("button", name="Allow").click()
    expect(page.get_by_role("heading", name="You allowed it")).to_be_visible()
    expect(page.get_by_text("Final: it can be used from now")).to_be_visible()
    assert_shows_what_was_signed(person, clinic, service, words)

    with page.expect_download() as download:
        page.get_by_role("button", name="Download the receipt").click()
    receipt = download.value.path().read_text()
    [consent] = service_consents(person)
    assert consent in receipt

    # The clinic sees what was left on, and nothing else.
    seen = clinic.api.get(f"/v1/records/{person.record_id}", purpose="TREAT")["segments"]
    assert {code for part in seen for code in part["categories"]} == {"laboratory", "conditions"}
    person.chooses("Home")
    row = page.get_by_role("row", name=re.compile("Lakeside Clinic"))
    expect(row).to_contain_text("For treatment")
    expect(row).to_contain_text(re.compile("may see"))

    # The look is in the list, and proves itself in the page.
    person.chooses("Who looked")
    line = page.get_by_text(re.compile("Lakeside Clinic looked at a record for treatment")).first
    line.click()
    page.get_by_role("button", name="Check", exact=True).first.click()
    expect(page.get_by_text("Checked in this page")).to_be_visible()

    # Two clicks and the wallet: it counts with the answer, before any block.
    person.chooses("Home")
    page.get_by_role("row", name=re.compile("Lakeside Clinic")).get_by_role("button", name="Stop").click()
    page.get_by_role("button", name="Stop now").click()
    expect(page.get_by_role("dialog").get_by_text("Stopped")).to_be_visible()
    assert_refused(clinic, person.record_id)
    page.get_by_role("dialog").get_by_role("button", name="Back").click()
    expect(page.get_by_text("Nobody but you can see your records.")).to_be_visible()
    person.chooses("Who looked")
    expect(page.get_by_text("refused").first).to_be_visible()
    person.assert_well()


def assert_shows_what_was_signed(person: Person, clinic: Provider, service: Service, words: str) -> None:
    """Every term of what the wallet was shown is what the page said, and what the clinic had asked for."""
    typed = person.last_shown()
    message = typed["message"]
    terms = message["terms"]
    tables = service.world.services.tables
    assert typed["primaryType"] == "Grant"
    assert int(typed["domain"]["chainId"]) == service.world.services.domain.chain_id
    assert typed["domain"]["verifyingContract"] == service.world.services.domain.verifying_contract
    assert terms["grantee"] == clinic.member_id
    assert tables.purposes.codes(int(terms["purposes"])) == ("TREAT",)
    assert tables.categories.codes(int(terms["categories"])) == ("conditions", "laboratory")
    assert int(terms["sensitivities"]) == 0
    assert tables.actions.codes(int(terms["actions"])) == ("access",)
    assert terms["summary"] == words
    assert (int(terms["dataFrom"]), int(terms["maxUses"]), terms["rules"]) == (0, 2**32 - 1, [])
    assert int(terms["breakGlass"]) == BreakGlass.FORBID
    ends = datetime.fromtimestamp(int(message["notAfter"]), UTC)
    assert abs((ends - datetime.fromisoformat(in_days(30))).total_seconds()) < 120
    assert int(message["subject"]) == int(person.subject, 16)


def service_consents(person: Person) -> list[str]:
    """The ids of the patient's consents, asked of the service itself."""
    evidence = person.service.world.services.evidence
    return [to_hex(one) for one in evidence.documents(SubjectId(int(person.subject, 16)))]


def test_refusal_is_signed_and_shows_nothing(enrolled: Callable[..., Person], clinic: Provider) -> None:
    person = enrolled()
    page = person.page
    ask(clinic, person.record_number)
    person.chooses("Requests")
    page.get_by_role("link", name=re.compile("Lakeside Clinic")).click()
    page.get_by_role("button", name="Refuse").click()
    expect(page.get_by_text("They are told. Nothing was shown.")).to_be_visible()
    assert_refused(clinic, person.record_id)
    person.chooses("Decisions")
    expect(page.get_by_text("Refusal: Lakeside Clinic")).to_be_visible()
    person.assert_well()


def test_everything_is_stopped_at_once(
    enrolled: Callable[..., Person], clinic: Provider, other_clinic: Provider, screen: dict[str, Any]
) -> None:
    person = enrolled(screen)
    page = person.page
    for asking in (clinic, other_clinic):
        request = ask(asking, person.record_number)
        person.goes(f"/requests/{request['request_id']}")
        page.get_by_role("button", name="Allow").click()
        expect(page.get_by_text("Final: it can be used from now")).to_be_visible()
    person.chooses("Home")
    expect(page.get_by_role("row", name=re.compile("Clinic"))).to_have_count(2)
    page.get_by_role("button", name="Stop everything").click()
    page.get_by_role("button", name="Stop now").click()
    expect(page.get_by_role("dialog").get_by_text("Stopped")).to_be_visible()
    for asking in (clinic, other_clinic):
        assert_refused(asking, person.record_id)
    person.assert_well()


def test_parent_answers_for_a_child_and_always_sees_for_whom(
    open_person: Callable[..., Person],
    desk: Api,
    hospital: Provider,
    clinic: Provider,
    numbers: Iterator[int],
) -> None:
    parent = open_person()
    record_number, bundle = bundle_of(next(numbers))
    guardian = {"account": parent.wallet.address, "relationship": "MTH", "evidence": "birth certificate"}
    issued = desk.post(
        "/v1/enrolments",
        {
            "record_number": record_number,
            "name": "Test Child",
            "birth_date": "2020-05-01",
            "guardians": [guardian],
        },
    )
    page = parent.goes("/")
    page.get_by_role("button", name="Sign in with Test Wallet").click()
    page.get_by_label("Code from the desk").fill(issued["code"])
    page.get_by_role("button", name="Connect").click()
    expect(page.get_by_role("heading", name="Who can see what")).to_be_visible()
    assert store(hospital, issued["subject"], bundle).status_code == 201
    request = ask(clinic, record_number)
    parent.goes(f"/requests/{request['request_id']}")
    page.get_by_role("button", name="Allow").click()
    expect(page.get_by_text("Final: it can be used from now")).to_be_visible()
    assert parent.last_shown()["primaryType"] == "DelegatedGrant"
    parent.assert_well()
