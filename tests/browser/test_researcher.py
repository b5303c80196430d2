"""A researcher at a screen: from the catalogue to a proposal, the board's answer, a run and its results."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Page, expect

from backend.client import new_key, write_key
from backend.identity.roles import Role
from backend.types import MemberId
from tests.browser.conftest import DESKTOP, PAGES, ROOT
from tests.browser.person import Person
from tests.browser.test_looks import MOST_SCRIPT_BYTES, check, compressed
from tests.browser.test_staff import goes_to, sign_in
from tests.integration.api.study_world import StudyWorld, open_study_world
from tests.integration.api.world import PASSWORD, Service, raw
from tests.support.components import require

LAB: Final = "lab"
PAPER: Final = b"Protocol: how many people of each sex there are."
SEX: Final = {"name": "sex", "kind": "sex", "role": "quasi"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudyWorld]:
    """Six patients who consented to the institute and to be counted, an account of the institute, a key."""
    require((PAGES / "index.html").exists(), "the pages are not built", "make pages")
    directory = tmp_path_factory.mktemp("research")
    with open_study_world(directory, host="localhost", pages=PAGES) as opened:
        tenant = "0x" + opened.service.world.stores.tenant.hex()
        for patient in opened.patients:
            patient.permit(
                tenant,
                purposes=["HRESCH"],
                categories=["demographics", "conditions", "laboratory"],
                actions=["query"],
                research={"duo": ["DUO:0000042"], "minimum_cohort": 0, "epsilon_cap": 10},
            )
        opened.service.world.services.identity.add_user(
            username=LAB,
            password=PASSWORD,
            roles=frozenset({Role.RESEARCHER}),
            member_id=MemberId(bytes.fromhex(opened.researcher.member_id[2:])),
            by=None,
        )
        yield opened


@pytest.fixture(scope="module")
def service(world: StudyWorld) -> Service:
    """The pages are those of the study's service."""
    return world.service


def draw(world: StudyWorld) -> None:
    """Have the catalogue counted, as an operator does once."""
    world.operator.post("/v1/catalogue/draws")
    deadline = time.monotonic() + 60
    while world.researcher.api.get("/v1/catalogue")["standing"]["state"] != "drawn":
        assert time.monotonic() < deadline, "the catalogue was not drawn"
        time.sleep(0.1)


def next_step(page: Page, heading: str) -> None:
    page.get_by_role("button", name="Next", exact=True).click()
    expect(page.get_by_role("heading", level=2, name=heading, exact=True)).to_be_visible()


def study_of(page: Page) -> str:
    found = re.search("/studies/(0x[0-9a-f]{64})", page.url)
    assert found is not None, page.url
    return found.group(1)


def test_researcher_goes_from_the_catalogue_to_results(
    open_person: Callable[..., Person], world: StudyWorld, screen: dict[str, Any], tmp_path: Path
) -> None:
    draw(world)
    size = f"{screen['viewport']['width']}"
    person = open_person(screen)
    page = sign_in(person, LAB)
    expect(page.get_by_role("heading", name="Catalogue", exact=True)).to_be_visible()
    expect(page.get_by_text("All counts are protected.")).to_be_visible()
    expect(page.get_by_role("table", name="Administrative gender: patients by level")).to_be_visible()
    check(page, f"catalogue-{size}")
    page.get_by_label("Search").fill("59621000")
    expect(page.get_by_role("region", name="Hypertension")).to_be_visible()
    expect(page.get_by_role("region", name="Administrative gender")).to_be_hidden()
    page.get_by_role("region", name="Hypertension").get_by_role("button", name="Choose").click()
    page.get_by_label("Search").fill("gender")
    page.get_by_role("region", name="Administrative gender").get_by_role("button", name="Choose").click()
    with page.expect_download() as sample:
        page.get_by_role("button", name="1,000 rows as CSV").click()
    lines = sample.value.path().read_text().splitlines()
    assert (lines[0], len(lines)) == ("patient,hypertension,sex", 1001)

    page.get_by_role("link", name="Propose a study").click()
    page.get_by_label("Title").fill(f"Sex and blood pressure {size}")
    check(page, f"purpose-{size}")
    next_step(page, "Terms")
    page.get_by_role("radio", name="Health or medical or biomedical research").check()
    expect(page.get_by_role("button", name=re.compile(r"^\d+ fit$"))).to_be_visible()
    page.get_by_role("button", name=re.compile(r"^\d+ fit$")).click()
    expect(page.get_by_text("'general research use' covers")).to_be_visible()
    page.get_by_role("checkbox", name="Publication required").check()
    expect(page.get_by_text("the study states 'publication required'")).to_be_visible()
    expect(page.get_by_text("Protected ranges, right 19 times in 20.", exact=False)).to_be_visible()
    check(page, f"terms-{size}")
    next_step(page, "Variables")
    page.get_by_role("checkbox", name="Completed years", exact=False).check()
    page.get_by_label("Bins of Completed years", exact=False).fill("18, 65")
    check(page, f"variables-{size}")
    next_step(page, "Cohort")
    page.get_by_label("Count only patients with").select_option(label="Administrative gender")
    page.get_by_role("button", name="Next", exact=True).click()
    expect(page.get_by_text("Choose at least one level of each criterion")).to_be_visible()
    page.get_by_role("checkbox", name="female").check()
    page.get_by_role("checkbox", name="male", exact=True).check()
    check(page, f"cohort-{size}")
    next_step(page, "Results")
    page.get_by_role("button", name="+ Counts by level", exact=True).click()
    page.get_by_role("group", name="Counts by level").get_by_label("Variable").select_option("age")
    page.get_by_role("button", name="+ Counts of two variables", exact=True).click()
    pairs = page.get_by_role("group", name="Counts of two variables")
    pairs.get_by_label("Rows").select_option("sex")
    pairs.get_by_label("Columns").select_option("hypertension")
    page.get_by_role("button", name="+ Dataset (k-anonymous)").click()
    page.get_by_role("group", name="Columns").get_by_label("Administrative gender").check()
    check(page, f"outputs-{size}")
    next_step(page, "Budget and period")
    page.get_by_label("Privacy loss of the whole study").fill("0.4")
    page.get_by_label("Runs").fill("2")
    expect(page.get_by_role("heading", name="Error to expect")).to_be_visible()
    expect(page.get_by_text("histogram", exact=True)).to_be_visible()
    check(page, f"budget-step-{size}")
    page.get_by_role("button", name="Back", exact=True).click()
    expect(page.get_by_role("group", name="Counts by level").get_by_label("Variable")).to_have_value("age")
    page.reload()
    expect(page.get_by_role("heading", level=2, name="Check and propose")).to_be_visible()
    page.get_by_role("button", name="Papers", exact=True).click()
    file = {"name": "protocol.txt", "mimeType": "text/plain", "buffer": PAPER}
    page.get_by_label("Choose files").set_input_files([file])  # type: ignore[list-item]
    expect(page.get_by_text("0x" + hashlib.sha256(PAPER).hexdigest())).to_be_visible()
    check(page, f"papers-{size}")
    next_step(page, "Check and propose")
    check(page, f"review-{size}")
    page.get_by_role("button", name="Propose", exact=True).click()

    expect(page.get_by_text("The ethics board decides.")).to_be_visible()
    study = study_of(page)
    stored = world.researcher.api.get(f"/v1/studies/{study}")["proposal"]
    assert stored["duo"] == ["DUO:0000006", "DUO:0000019"]
    assert stored["runs"] == 2
    assert world.researcher.api.get(f"/v1/studies/{study}/documents")[0]["stored_at"] is not None
    check(page, f"study-proposed-{size}")
    world.board_api.post(f"/v1/board/studies/{study}/questions", {"text": "Why these two?"})
    page.get_by_role("link", name="Board", exact=True).click()
    page.reload()
    expect(page.get_by_text("Why these two?")).to_be_visible()
    check(page, f"board-{size}")
    page.get_by_label("Your answer").fill("They belong together.")
    page.get_by_role("button", name="Send the answer").click()
    expect(page.get_by_text("They belong together.")).to_be_visible()
    expect(page.get_by_role("button", name="Send the answer")).to_be_hidden()
    world.permit(study)
    page.get_by_role("link", name="Overview", exact=True).click()
    page.reload()
    expect(page.get_by_text("Permitted. The permit is on the ledger.")).to_be_visible()
    with page.expect_download() as letter:
        page.get_by_role("button", name="Decision letter").click()
    assert letter.value.path().read_bytes().startswith(b"%PDF")
    check(page, f"study-permitted-{size}")

    page.get_by_role("link", name="Results", exact=True).click()
    page.get_by_role("button", name="Run the study").click()
    expect(page.get_by_role("heading", name=re.compile("^Result of"))).to_be_visible(timeout=60_000)
    expect(page.get_by_role("table", name="histogram")).to_be_visible()
    expect(page.get_by_role("region", name="contingency").get_by_role("table")).to_be_visible()
    expect(page.get_by_role("heading", name="Risk report")).to_be_visible()
    check(page, f"results-{size}")
    shown = world.researcher.api.get(f"/v1/studies/{study}/runs")[0]["run_id"]
    result = world.researcher.api.get(f"/v1/studies/{study}/runs/{shown}")["result"]
    ages = next(answer for answer in result["answers"] if answer["name"] == "histogram")
    told = page.get_by_role("table", name="histogram").get_by_role("row").all_inner_texts()[1:]
    assert len(told) == len(ages["levels"])
    for line, value in zip(told, ages["values"], strict=True):
        assert f"{value:,} ± {ages['error_95']}" in line

    key = new_key()
    body = {"public_key": base64.b64encode(key.public.encoded).decode()}
    path = f"/v1/members/{world.researcher.member_id}/encryption-key"
    assert raw(world.operator, "PUT", path, json=body).is_success
    with page.expect_download() as sealed:
        page.get_by_role("button", name="Download the sealed file").click()
    assert f"assent open {sealed.value.suggested_filename}" in page.locator(".command").inner_text()
    write_key(key, tmp_path / "key.json")
    command = ["open", sealed.value.path(), "--key", tmp_path / "key.json", "--out", tmp_path / "dataset.zip"]
    program = [sys.executable, "-m", "backend.cli", *map(str, command), "--json"]
    opened = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert opened.returncode == 0, opened.stderr
    assert json.loads(opened.stdout)["study"] == study
    with zipfile.ZipFile(tmp_path / "dataset.zip") as archive:
        assert archive.read("data.csv").startswith(b"pseudonym,sex")
    page.get_by_role("link", name="Receipts", exact=True).click()
    expect(page.get_by_role("main").get_by_role("row")).to_have_count(2)
    check(page, f"receipts-{size}")
    goes_to(page, "Budget")
    expect(page.get_by_role("group", name="Your organisation, in this period")).to_be_visible()
    check(page, f"budget-{size}")

    goes_to(page, "Studies")
    page.get_by_role("link", name=f"Sex and blood pressure {size}").click()
    page.get_by_role("button", name="Write a new version").click()
    expect(page.get_by_role("heading", name="A new version of a study")).to_be_visible()
    page.get_by_role("button", name="Purpose", exact=True).click()
    page.get_by_label("Title").fill(f"Sex, age and blood pressure {size}")
    page.get_by_role("button", name="Check and propose").click()
    page.get_by_role("button", name="Propose", exact=True).click()
    changed = page.get_by_role("region", name="What this version changes").get_by_role("row")
    expect(changed).to_have_count(2)
    expect(changed.last).to_contain_text(f"Sex, age and blood pressure {size}")
    (paper,) = world.researcher.api.get(f"/v1/studies/{study_of(page)}/documents")
    assert paper["stored_at"] is not None  # taken over from the version before
    check(page, f"amendment-{size}")
    page.get_by_role("button", name="Withdraw the proposal").click()
    page.get_by_label("Why").fill("The first version does.")
    page.get_by_role("button", name="End it for good").click()
    expect(page.get_by_text("Closed for good.")).to_be_visible()
    person.assert_well()
    assert compressed(person.scripts) <= MOST_SCRIPT_BYTES


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_of_results_are_readable_at_320_pixels_and_in_the_dark(
    open_person: Callable[..., Person], world: StudyWorld, scheme: str
) -> None:
    draw(world)
    bounds = {"variable": "age", "lower": "0", "upper": "100"}
    study = world.approved_study(
        variables=[
            SEX,
            {**SEX, "name": "age", "kind": "age", "edges": ["18", "65"], "reference_date": "2026-01-01"},
        ],
        outputs=[
            {"kind": "histogram", "name": "sexes", "variable": "sex"},
            {"kind": "mean", "name": "mean_age", "of": bounds},
            {"kind": "threshold_count", "name": "exact_women", "where": []},
            {"kind": "table", "name": "people", "variables": ["sex"]},
        ],
    )
    world.run(study)
    person = open_person({"viewport": {"width": 320, "height": 640}, "color_scheme": scheme})
    page = sign_in(person, LAB)
    expect(page.get_by_role("heading", name="Catalogue", exact=True)).to_be_visible()
    check(page, f"catalogue-320-{scheme}")
    for part, seen in (
        ("overview", "What was proposed"),
        ("results", "Risk report"),
        ("board", "The board's questions"),
        ("receipts", "Receipts"),
    ):
        person.goes(f"/research/studies/{study}/{part}")
        expect(page.get_by_role("heading", name=seen)).to_be_visible()
        check(page, f"study-{part}-320-{scheme}")
    person.goes(f"/research/studies/{study}/results")
    expect(page.get_by_text("outside of the promise of ε").first).to_be_visible()
    for path in ("proposal", "studies", "budget"):
        person.goes(f"/research/{path}")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        check(page, f"{path}-320-{scheme}")
    person.assert_well()


def test_refused_proposal_says_which_step_it_is_about_and_makes_no_study(
    open_person: Callable[..., Person], world: StudyWorld
) -> None:
    page = sign_in(open_person(DESKTOP), LAB)
    expect(page.get_by_role("heading", name="Catalogue", exact=True)).to_be_visible()
    page.get_by_role("region", name="Administrative gender").get_by_role("button", name="Choose").click()
    page.get_by_role("link", name="Propose a study").click()
    page.get_by_label("Title").fill("More than this custodian lets one study spend")
    page.get_by_role("button", name="Results", exact=True).click()
    page.get_by_role("button", name="+ Count", exact=True).click()
    page.get_by_role("button", name="Budget and period").click()
    page.get_by_label("Privacy loss of the whole study").fill("9")
    page.get_by_role("button", name="Check and propose").click()
    before = len(world.researcher.api.get("/v1/studies", limit=100))
    page.get_by_role("button", name="Propose", exact=True).click()
    expect(
        page.get_by_role("alert").get_by_text("more than this custodian lets one study spend")
    ).to_be_visible()
    page.get_by_role("button", name="Go to Budget and period").click()
    expect(page.get_by_label("Privacy loss of the whole study")).to_have_value("9")
    assert len(world.researcher.api.get("/v1/studies", limit=100)) == before


def test_draft_is_discarded_only_when_confirmed(
    open_person: Callable[..., Person], world: StudyWorld
) -> None:
    person = open_person(DESKTOP)
    page = sign_in(person, LAB)
    goes_to(page, "Propose")
    page.get_by_label("Title").fill("A draft")
    page.get_by_role("button", name="Start over").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(page.get_by_label("Title")).to_have_value("A draft")
    # Another tab writes another proposal.
    other = person.watch(person.context.new_page())
    other.goto("/app/research/proposal")
    expect(other.get_by_label("Title")).to_have_value("")
    other.get_by_label("Title").fill("Another draft")
    page.reload()
    page.get_by_role("button", name="Purpose", exact=True).click()
    expect(page.get_by_label("Title")).to_have_value("A draft")
    page.get_by_role("button", name="Start over").click()
    page.get_by_role("dialog").get_by_role("button", name="Discard the draft").click()
    expect(page.get_by_label("Title")).to_have_value("")
    page.reload()
    expect(page.get_by_label("Title")).to_have_value("")
    person.assert_well()


def test_suspended_study_is_told_and_does_not_run(
    open_person: Callable[..., Person], world: StudyWorld
) -> None:
    study = world.approved_study()
    draft = world.board_api.get(f"/v1/board/studies/{study}/suspension")["typed_data"]
    body = {
        "signature": world.board.sign_typed(draft),
        "round": int(draft["message"]["round"]),
        "reason": "a complaint",
    }
    world.board_api.post(f"/v1/board/studies/{study}/suspension", body)
    person = open_person(DESKTOP)
    page = sign_in(person, LAB)
    expect(page.get_by_role("heading", name="Catalogue", exact=True)).to_be_visible()
    person.goes(f"/research/studies/{study}")
    expect(page.get_by_text("Nothing runs until the board resumes it.")).to_be_visible()
    expect(page.get_by_text("a complaint")).to_be_visible()
    page.get_by_role("link", name="Results", exact=True).click()
    expect(page.get_by_text("It can be run once the board has permitted it")).to_be_visible()
    expect(page.get_by_role("button", name="Run the study")).to_be_hidden()


def test_study_of_another_organisation_looks_like_none(
    open_person: Callable[..., Person], world: StudyWorld
) -> None:
    person = open_person(DESKTOP)
    page = sign_in(person, LAB)
    expect(page.get_by_role("heading", name="Catalogue", exact=True)).to_be_visible()
    person.goes(f"/research/studies/0x{'00' * 32}")
    expect(page.get_by_text("study_not_found")).to_be_visible()
