"""What patients need seldom: a stop on paper, everything as one file, erasure and its end."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from backend.demo.actors import Provider, Refused
from backend.explorer.stop_file import read_stop
from tests.browser.person import Person
from tests.browser.test_story import ask
from tests.integration.api.world import Service


def test_stop_sheet_stops_everything_in_anybodys_hands(
    enrolled: Callable[..., Person], clinic: Provider, service: Service
) -> None:
    person = enrolled()
    page = person.page
    request = ask(clinic, person.record_number)
    person.goes(f"/requests/{request['request_id']}")
    page.get_by_role("button", name="Allow").click()
    expect(page.get_by_text("Final: it can be used from now")).to_be_visible()
    assert clinic.read(person.record_id)
    person.chooses("More")
    page.get_by_role("button", name="Sign a stop sheet").click()
    expect(page.get_by_role("heading", name="Stop everything")).to_be_visible()
    assert person.last_shown()["primaryType"] == "RevokeAll"
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as a file").click()
    sheet = json.loads(download.value.path().read_bytes())
    typed = read_stop(page.locator("article.paper").inner_text())  # as 'assent ledger stop' takes it
    assert typed.stop == read_stop(json.dumps(sheet)).stop
    assert (typed.chain_id, typed.contract) == (
        service.world.services.domain.chain_id,
        service.world.services.domain.verifying_contract,
    )
    assert clinic.read(person.record_id)  # a sheet that nobody handed in stops nothing
    assert service.anyone().post("/v1/revocations", sheet)["state"] == "in_force"
    with pytest.raises(Refused):
        clinic.read(person.record_id)
    person.assert_well()


def test_everything_is_taken_along_as_one_file(enrolled: Callable[..., Person]) -> None:
    person = enrolled()
    page = person.page
    person.chooses("More")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download everything").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        assert archive.testzip() is None
        assert any(name.endswith(".json") for name in archive.namelist())
    person.assert_well()


def test_erasure_locks_at_once_and_can_be_taken_back(enrolled: Callable[..., Person]) -> None:
    person = enrolled()
    page = person.page
    person.chooses("More")
    page.get_by_role("button", name="Erase everything of mine").click()
    sheet = page.get_by_role("dialog")
    expect(sheet.get_by_role("button", name="Erase", exact=True)).to_be_disabled()
    sheet.get_by_label("Type erase to go on").fill("Erase")
    sheet.get_by_role("button", name="Erase", exact=True).click()
    expect(page.get_by_text("Write this code down.")).to_be_visible()
    expect(page.get_by_text("locked, waits")).to_be_visible()
    person.chooses("Records")
    expect(page.get_by_text("Nothing is stored of you yet.")).to_be_visible()
    person.chooses("More")
    page.get_by_role("button", name="Keep it after all").click()
    expect(page.get_by_text("taken back")).to_be_visible()
    page.reload()
    person.chooses("Records")
    expect(page.get_by_role("main").get_by_role("link")).to_have_count(1)
    person.assert_well()


def test_record_is_shown_by_kind_with_the_resource_one_click_away(enrolled: Callable[..., Person]) -> None:
    person = enrolled()
    page = person.page
    person.chooses("Records")
    page.get_by_role("main").get_by_role("link").first.click()
    page.get_by_role("button", name=re.compile("^Vital signs")).click()
    expect(page.get_by_role("heading", level=2)).to_have_text(["Vital signs"])
    expect(page.get_by_role("img", name=re.compile("Heart rate: .* values from"))).to_be_visible()
    page.get_by_role("button", name=re.compile("^FHIR Heart rate")).first.click()
    expect(page.get_by_text('"resourceType": "Observation"')).to_be_visible()
    person.assert_well()
