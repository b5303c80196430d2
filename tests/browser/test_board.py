"""An ethics board of two that decides by both: the secretary prepares, members sign what their pages say."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from eth_account.messages import _hash_eip191_message, encode_typed_data
from playwright.sync_api import Page, Route, expect

from backend.demo.actors import Api, Provider
from backend.identity.roles import Role
from backend.types import Address, MemberId
from tests.browser.conftest import DESKTOP, PAGES
from tests.browser.person import Person
from tests.browser.test_looks import MOST_SCRIPT_BYTES, SCREENS, check, compressed
from tests.browser.test_staff import sign_in
from tests.browser.wallet import PageWallet
from tests.integration.api.test_board import PROTOCOL, bring, proposal, workbench
from tests.integration.api.world import PASSWORD, Service, in_days, open_service, staff
from tests.support.components import require

NAMES = ("Dr. Amal Haddad", "Prof. Bo Lindgren")


@dataclass(slots=True)
class Member:
    """Somebody on the board: a wallet that is registered on the chain, and a staff account."""

    username: str
    wallet: PageWallet
    member_id: str


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    require((PAGES / "index.html").exists(), "the pages are not built", "make pages")
    directory = tmp_path_factory.mktemp("board")
    with open_service(directory, host="localhost", pages=PAGES, board_threshold=2) as running:
        yield running


@pytest.fixture(scope="module")
def operator(service: Service) -> Api:
    return staff(service, "operator", Role.OPERATOR)


@pytest.fixture(scope="module")
def secretary(service: Service) -> Api:
    return staff(service, "secretary", Role.BOARD_SECRETARY)


@pytest.fixture(scope="module")
def board(service: Service, operator: Api) -> list[Member]:
    return [seat(service, operator, f"member-{place}", name) for place, name in enumerate(NAMES)]


@pytest.fixture(scope="module")
def researcher(service: Service, operator: Api) -> Provider:
    return workbench(service, operator, "Institute of Numbers")


def seat(service: Service, operator: Api, username: str, name: str, *, linked: bool = True) -> Member:
    wallet = PageWallet()
    body = {"name": name, "roles": ["ethics_board"], "account": wallet.address}
    member_id = str(operator.post("/v1/members", body)["member_id"])
    service.world.services.identity.add_user(
        username=username,
        password=PASSWORD,
        roles=frozenset({Role.ETHICS_BOARD}),
        member_id=MemberId(bytes.fromhex(member_id[2:])),
        account=Address(wallet.address) if linked else None,
        by=None,
    )
    return Member(username, wallet, member_id)


def proposed(researcher: Provider, title: str, **changes: Any) -> str:
    study = str(researcher.api.post("/v1/studies", proposal(title=title, **changes))["study_id"])
    assert bring(researcher, study).status_code == 201
    return study


def prepared(researcher: Provider, secretary: Api, board: list[Member], title: str) -> str:
    study = proposed(researcher, title)
    body = {"reviewers": [board[0].member_id], "decide_by": in_days(14)}
    secretary.post(f"/v1/board/studies/{study}/preparation", body)
    return study


def opens(person: Person, study: str) -> Page:
    page = person.goes(f"/board/studies/{study}")
    expect(page.get_by_role("heading", name="Decide")).to_be_visible()
    return page


def digest(typed: dict[str, Any]) -> str:
    """The hash that a wallet signs, by other code than the page's."""
    return "0x" + _hash_eip191_message(encode_typed_data(full_message=typed)).hex()


def moment(page: Page, seconds: int) -> str:
    """As pages write it, in the browser's zone."""
    return str(
        page.evaluate(
            """(at) => new Intl.DateTimeFormat("en", {day: "numeric", month: "short", year: "numeric",
            hour: "2-digit", minute: "2-digit"}).format(new Date(at * 1000))""",
            seconds,
        )
    )


def assert_shown(page: Page, person: Person, before: dict[str, str]) -> None:
    """What the wallet was asked to sign is what the page said, member by member."""
    typed = person.last_shown()
    message = typed["message"]
    assert before["Study"] == message["study"]
    assert before["With the account"].lower() == person.wallet.address.lower()
    assert before["Hash that is signed"] == digest(typed)
    if typed["primaryType"] == "PermitStudy":
        assert before["Rules"].endswith(message["rules"])
        for name, member in (("From", "notBefore"), ("To", "notAfter"), ("To be submitted by", "submitBy")):
            assert before[name] == moment(page, int(message[member]))


def terms(page: Page) -> dict[str, str]:
    region = page.get_by_role("region", name="What you sign")
    expect(region.get_by_text("the same as the service drafted")).to_be_visible()
    return {
        row.locator("dt").inner_text(): row.locator("dd").inner_text()
        for row in region.locator(".fact").all()
    }


def signs(person: Person, kind: str, *, reason: str | None = None) -> dict[str, str]:
    """Sign one decision; return what the page said about it before."""
    page = person.page
    page.get_by_role("button", name=kind, exact=True).click()
    if reason is not None:
        page.get_by_label("Reason").fill(reason)
    said = terms(page)
    page.get_by_role("button", name=f"Sign: {kind}").click()
    return said


def test_board_permits_suspends_and_resumes_a_study_through_its_pages(
    open_person: Callable[..., Person],
    service: Service,
    operator: Api,
    researcher: Provider,
    secretary: Api,
    screen: dict[str, Any],
) -> None:
    size = f"{screen['viewport']['width']}"
    title = f"Sex and age of patients {size}"
    study = proposed(researcher, title)
    first = seat(service, operator, f"first-{size}", f"Dr. Amal Haddad {size}", linked=False)
    second = seat(service, operator, f"second-{size}", f"Prof. Bo Lindgren {size}")
    at_desk = open_person(screen)
    amal, bo = open_person(screen, first.wallet), open_person(screen, second.wallet)

    page = sign_in(at_desk, "secretary")
    expect(page.get_by_role("button", name=re.compile(r"^To prepare · \d"))).to_be_visible()
    check(page, f"board-queue-secretary-{size}")
    page.get_by_role("link", name=re.compile(title)).click()
    expect(page.get_by_role("heading", name=title)).to_be_visible()
    expect(page.get_by_text("how many patients there are, among those with sex: female")).to_be_visible()
    expect(page.get_by_text("health or medical or biomedical research").first).to_be_visible()
    page.get_by_text("Write conditions").click()
    page.get_by_label("Condition 1", exact=True).fill("Report the results within a year.")
    page.get_by_label("Until, of condition 1").fill("2099-12-31")
    page.get_by_role("button", name="Keep these conditions").click()
    expect(page.get_by_text("by Dec 31, 2099")).to_be_visible()
    page.get_by_text("Ask the researcher").click()
    page.get_by_label("Your question").fill("Who keeps the results?")
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.get_by_text("waits for an answer")).to_be_visible()
    page.get_by_role("button", name="The file is complete: prepare it").click()
    expect(page.get_by_text("Choose at least one reviewer.")).to_be_visible()
    page.get_by_role("switch", name=f"Dr. Amal Haddad {size}").check(force=True)
    check(page, f"board-prepare-{size}")
    page.get_by_role("button", name="The file is complete: prepare it").click()
    expect(page.get_by_text(re.compile("^Prepared on"))).to_be_visible()

    page = sign_in(amal, first.username)
    expect(page.get_by_text("No wallet is linked to your staff account yet.")).to_be_visible()
    page.get_by_role("link", name="Go to my seat").click()
    page.get_by_role("button", name="Link Test Wallet").click()
    expect(page.get_by_text("The wallet is linked.")).to_be_visible()
    page.get_by_role("button", name="Sign in again").click()
    page = sign_in(amal, first.username)
    page.get_by_role("navigation").get_by_role("link", name="My seat").click()
    expect(page.get_by_text(f"Registered on the ledger as Dr. Amal Haddad {size}")).to_be_visible()
    check(page, f"board-seat-{size}")
    page = opens(amal, study)
    expect(page.get_by_text("The researcher has not answered every question.").first).to_be_visible()
    check(page, f"board-waits-{size}")
    answer = {"text": "The hospital, for ten years."}
    researcher.api.post(f"/v1/studies/{study}/questions/0/answer", answer)
    expect(page.get_by_text("The hospital, for ten years.")).to_be_visible()  # by itself
    with page.expect_download() as download:
        page.get_by_role("button", name="Download and check").click()
    assert download.value.path().read_bytes() == PROTOCOL
    expect(page.get_by_text("these are the bytes that the proposal names")).to_be_visible()
    page.get_by_text("The text that is decided on").click()
    expect(page.get_by_text("The hash of this text is the study's id.")).to_be_visible()
    check(page, f"board-file-{size}")
    said = signs(amal, "Permit")
    expect(page.get_by_text("1 of 2 signed")).to_be_visible()
    expect(page.get_by_text("You signed this. It waits for other members.")).to_be_visible()
    assert_shown(page, amal, said)
    assert "1 condition" in said["Rules"]
    check(page, f"board-signed-{size}")

    page = sign_in(bo, second.username)
    expect(page.get_by_role("button", name=re.compile(r"^For your signature · \d"))).to_be_visible()
    expect(page.get_by_text("Permit: 1 of 2 signed").first).to_be_visible()
    check(page, f"board-queue-{size}")
    page = opens(bo, study)
    bo.wallet.declines = True
    signs(bo, "Permit")
    expect(page.get_by_text("You declined in your wallet.")).to_be_visible()
    check(page, f"board-declined-{size}")
    assert secretary.get(f"/v1/board/studies/{study}")["study"]["state"] == "proposed"
    bo.wallet.declines = False
    said = signs(bo, "Permit")
    expect(page.get_by_role("button", name="Suspend", exact=True)).to_be_visible()
    assert_shown(page, bo, said)
    permitted = secretary.get(f"/v1/board/studies/{study}")
    assert permitted["study"]["state"] == "approved"
    assert permitted["chain"]["rules"] == bo.last_shown()["message"]["rules"]
    expect(amal.page.get_by_role("button", name="Suspend", exact=True)).to_be_visible()  # by itself
    expect(amal.page.get_by_text(re.compile("on the ledger in block"))).to_be_visible()
    with amal.page.expect_download() as download:
        amal.page.get_by_role("button", name="Download the letter").click()
    assert download.value.path().read_bytes().startswith(b"%PDF-")

    said = signs(amal, "Suspend", reason="A complaint came in.")
    expect(amal.page.get_by_role("button", name="Resume", exact=True)).to_be_visible()
    assert amal.last_shown()["primaryType"] == "SuspendStudy"
    assert_shown(amal.page, amal, said)
    expect(amal.page.get_by_text("Reason: A complaint came in.")).to_be_visible()
    check(amal.page, f"board-suspended-{size}")
    expect(bo.page.get_by_role("button", name="Resume", exact=True)).to_be_visible()
    for person in (amal, bo):
        page = opens(person, study)
        expect(page.get_by_text("suspended").first).to_be_visible()
        signs(person, "Resume")
        expect(page.get_by_text(re.compile("You signed this|Resumed"))).to_be_visible()
    expect(bo.page.get_by_role("button", name="Suspend", exact=True)).to_be_visible()

    page = at_desk.goes(f"/board/studies/{study}")
    page.get_by_role("button", name="Mark as met").click()
    expect(page.get_by_text(re.compile("^met on"))).to_be_visible()
    page.get_by_role("button", name="Close the study").click()
    page.get_by_label("Why").fill("The work is done.")
    check(page, f"board-close-{size}")
    page.get_by_role("button", name="Close for good").click()
    expect(page.get_by_text("Closed. Reason: The work is done.")).to_be_visible()
    for person in (at_desk, amal, bo):
        person.assert_well()
        assert compressed(person.scripts) <= MOST_SCRIPT_BYTES


@pytest.fixture
def member(open_person: Callable[..., Person], board: list[Member]) -> Person:
    """The first member, signed in, with an own wallet."""
    person = open_person(DESKTOP, board[0].wallet)
    board[0].wallet.declines = False
    page = sign_in(person, board[0].username)
    expect(page.get_by_role("heading", name="Studies")).to_be_visible()
    return person


def test_draft_of_something_else_than_the_page_shows_is_not_signed(
    member: Person, researcher: Provider, secretary: Api, board: list[Member]
) -> None:
    study = prepared(researcher, secretary, board, "Drafted otherwise")

    def longer(route: Route) -> None:
        answer = route.fetch()
        draft = answer.json()
        draft["typed_data"]["message"]["notAfter"] += 86_400
        route.fulfill(response=answer, json=draft)

    shown = len(member.wallet.shown)
    member.page.route("**/motions/permit", longer)
    page = opens(member, study)
    expect(page.get_by_text("The service drafted something else than this page shows.")).to_be_visible()
    expect(page.get_by_role("button", name="Sign: Permit")).to_be_hidden()
    check(page, "board-differs")
    assert len(member.wallet.shown) == shown


def test_proposal_altered_on_its_way_is_not_signed(
    member: Person, researcher: Provider, secretary: Api, board: list[Member]
) -> None:
    study = prepared(researcher, secretary, board, "Altered on its way")

    def softer(route: Route) -> None:
        answer = route.fetch()
        file = answer.json()
        file["study"]["proposal"]["minimum_cohort"] = 500
        route.fulfill(response=answer, json=file)

    member.page.route(f"**/v1/board/studies/{study}", softer)
    page = opens(member, study)
    expect(page.get_by_text("The service drafted something else than this page shows.")).to_be_visible()
    page.get_by_text("The text that is decided on").click()
    expect(page.get_by_text("The hash of this text is not the study's id.")).to_be_visible()


def test_signature_that_got_lost_is_sent_again_without_the_wallet(
    member: Person, researcher: Provider, secretary: Api, board: list[Member]
) -> None:
    study = prepared(researcher, secretary, board, "Lost on its way")
    page = opens(member, study)
    lost = [True]

    def away(route: Route) -> None:
        if route.request.method == "POST" and lost:
            lost.pop()
            route.abort()
        else:
            route.continue_()

    page.route("**/motions/permit", away)
    shown = len(member.wallet.shown)
    signs(member, "Permit")
    expect(page.get_by_text("Your signature is kept in this page.")).to_be_visible()
    check(page, "board-lost")
    page.get_by_role("button", name="Send it again").click()
    expect(page.get_by_text("1 of 2 signed")).to_be_visible()
    assert len(member.wallet.shown) == shown + 1


def test_wallet_with_another_account_is_told_which_one_to_select(
    member: Person, researcher: Provider, secretary: Api, board: list[Member]
) -> None:
    study = prepared(researcher, secretary, board, "Another account")
    page = opens(member, study)
    member.wallet.other_account = PageWallet().address
    signs(member, "Permit")
    expect(page.get_by_text("Your wallet has another account selected.")).to_be_visible()
    expect(page.get_by_text(re.compile(f"Select {member.wallet.address}", re.IGNORECASE))).to_be_visible()
    member.wallet.other_account = None


def test_paper_with_other_bytes_is_not_saved(
    member: Person, researcher: Provider, secretary: Api, board: list[Member]
) -> None:
    study = prepared(researcher, secretary, board, "Another paper")
    page = opens(member, study)
    paper = hashlib.sha256(PROTOCOL).hexdigest()
    page.route(f"**/documents/0x{paper}", lambda route: route.fulfill(status=200, body=b"%PDF-1.7 softer"))
    page.get_by_role("button", name="Download and check").click()
    expect(page.get_by_text("These are other bytes than the proposal names.")).to_be_visible()


def test_refusal_has_its_reason_and_who_recused_signs_nothing(
    open_person: Callable[..., Person],
    member: Person,
    researcher: Provider,
    secretary: Api,
    board: list[Member],
) -> None:
    study = prepared(researcher, secretary, board, "Refused in the end")
    page = opens(member, study)
    page.get_by_role("button", name="Refuse", exact=True).click()
    expect(page.get_by_role("button", name="Sign: Refuse")).to_be_disabled()
    said = signs(member, "Refuse", reason="The question was answered before.")
    expect(page.get_by_text("1 of 2 signed")).to_be_visible()
    assert_shown(page, member, said)
    other = open_person(DESKTOP, board[1].wallet)
    expect(sign_in(other, board[1].username).get_by_role("heading", name="Studies")).to_be_visible()
    page = opens(other, study)
    page.get_by_role("button", name="Refuse", exact=True).click()
    expect(page.get_by_text("Reason given by the first who signed")).to_be_visible()
    signs(other, "Refuse")
    expect(page.get_by_text("refused").first).to_be_visible()
    expect(page.get_by_text("Reason: The question was answered before.")).to_be_visible()

    study = prepared(researcher, secretary, board, "Too near to it")
    page = opens(member, study)
    page.get_by_role("button", name="Recuse", exact=True).click()
    page.get_by_label("Why").fill("I work with them.")
    page.get_by_role("button", name="Recuse for good").click()
    expect(page.get_by_text("You recused from this study")).to_be_visible()
    expect(page.get_by_role("button", name="Sign: Permit")).to_be_hidden()


def test_new_version_shows_what_it_changes(
    member: Person, researcher: Provider, secretary: Api, board: list[Member]
) -> None:
    before = prepared(researcher, secretary, board, "To be amended")
    for each in board:
        api = member.service.anyone()
        body = {"username": each.username, "password": PASSWORD}
        api.token = api.post("/v1/auth/staff", body)["access_token"]
        typed = api.get(f"/v1/board/studies/{before}/motions/permit")["typed_data"]
        signed = each.wallet.account.sign_message(encode_typed_data(full_message=typed)).signature
        body = {"signature": "0x" + bytes(signed).hex(), "submit_by": typed["message"]["submitBy"]}
        api.post(f"/v1/board/studies/{before}/motions/permit", body)
    study = proposed(researcher, "Amended", amends=before, runs=4)
    page = opens(member, study)
    expect(page.get_by_role("heading", name="What this version changes")).to_be_visible()
    expect(page.get_by_role("deletion").get_by_text("To be amended")).to_be_visible()
    expect(page.get_by_text("Amendment").first).to_be_visible()
    check(page, "board-amendment")


def test_pages_are_readable_in_the_dark_on_a_narrow_screen(
    open_person: Callable[..., Person], researcher: Provider, secretary: Api, board: list[Member]
) -> None:
    study = prepared(researcher, secretary, board, "Read in the dark")
    person = open_person({**SCREENS["narrow"], "color_scheme": "dark"}, board[0].wallet)
    page = sign_in(person, board[0].username)
    expect(page.get_by_role("link", name=re.compile("Read in the dark"))).to_be_visible()
    check(page, "board-queue-narrow-dark")
    page = opens(person, study)
    terms(page)
    check(page, "board-file-narrow-dark")
    person.goes("/board/seat")
    expect(page.get_by_text("Registered on the ledger as")).to_be_visible()
    check(page, "board-seat-narrow-dark")
    person.assert_well()
