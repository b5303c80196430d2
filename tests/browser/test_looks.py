"""What every page holds to: no violation that axe-core finds, a strict policy, nothing wider than the screen.

``ASSENT_SCREENSHOTS=FOLDER`` keeps a picture of each, to be looked at.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Page, expect

from backend.demo.actors import Provider
from tests.browser.conftest import DESKTOP, PAGES, PHONE, ROOT
from tests.browser.person import Person
from tests.browser.test_story import ask
from tests.integration.api.world import Service, raw

AXE: Final = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
MOST_SCRIPT_BYTES: Final = 200_000  # of all pages of one role together
SCREENS: Final = {
    "phone": PHONE,
    "narrow": {"viewport": {"width": 320, "height": 640}},
    "desktop": DESKTOP,
    "wall": {"viewport": {"width": 2560, "height": 1440}},
}


def check(page: Page, name: str) -> None:
    """Look at a page as axe-core and a ruler do, and keep a picture where one is asked for."""
    page.wait_for_load_state("networkidle")
    folder = os.environ.get("ASSENT_SCREENSHOTS")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"{name} is {wide} pixels wider than the screen"
    page.context.new_cdp_session(page).send("Page.setBypassCSP", {"enabled": True})
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']})")
    broken = [(one["id"], [node["target"] for node in one["nodes"]]) for one in found["violations"]]
    assert broken == [], f"{name}: {broken}"


# Each size and each scheme, not each pair: colours do not depend on the width, nor layout on colours.
@pytest.mark.parametrize(
    ("size", "scheme"), [("phone", "dark"), ("narrow", "light"), ("desktop", "light"), ("wall", "dark")]
)
def test_pages_are_readable_in_every_size_and_scheme(
    enrolled: Callable[..., Person],
    open_person: Callable[..., Person],
    clinic: Provider,
    other_clinic: Provider,
    size: str,
    scheme: str,
) -> None:
    looks = {**SCREENS[size], "color_scheme": scheme}
    stranger = open_person(looks)
    page = stranger.goes("/")
    expect(page.get_by_role("button", name="Sign in with Test Wallet")).to_be_visible()
    check(page, f"welcome-{size}-{scheme}")
    page.get_by_role("button", name="Sign in with Test Wallet").click()
    expect(page.get_by_role("heading", name="Connect your records")).to_be_visible()
    check(page, f"enrol-{size}-{scheme}")

    person = enrolled(looks)
    page = person.page
    expect(page.get_by_text("Nobody but you can see your records.")).to_be_visible()
    check(page, f"empty-{size}-{scheme}")
    first = ask(clinic, person.record_number)
    second = ask(other_clinic, person.record_number, sensitivities=["PSY"], max_uses=5)
    person.goes(f"/requests/{first['request_id']}")
    expect(page.get_by_text(re.compile("records? they would see something of"))).to_be_visible()
    check(page, f"request-{size}-{scheme}")
    page.get_by_role("button", name="Allow").click()
    expect(page.get_by_text("Final: it can be used from now")).to_be_visible()
    check(page, f"allowed-{size}-{scheme}")
    clinic.read(person.record_id)
    person.goes(f"/requests/{second['request_id']}")
    page.get_by_role("button", name="Allow").click()
    expect(page.get_by_text("Final: it can be used from now")).to_be_visible()
    ask(clinic, person.record_number)
    person.chooses("Home")
    expect(page.get_by_role("row", name=re.compile("Clinic"))).to_have_count(2)
    check(page, f"home-{size}-{scheme}")
    page.get_by_role("button", name="Stop", exact=True).first.click()
    expect(page.get_by_role("dialog")).to_be_visible()
    check(page, f"stop-{size}-{scheme}")
    page.keyboard.press("Escape")
    person.chooses("Requests")
    expect(page.get_by_text("waits for you").first).to_be_visible()
    check(page, f"requests-{size}-{scheme}")
    person.chooses("Decisions")
    expect(page.get_by_text("Permission: Lakeside Clinic")).to_be_visible()
    check(page, f"decisions-{size}-{scheme}")
    page.get_by_text("Permission: Lakeside Clinic").click()
    expect(page.get_by_text("What became of it")).to_be_visible()
    check(page, f"decision-{size}-{scheme}")
    person.chooses("Who looked")
    page.get_by_text("looked at a record for treatment").first.click()
    page.get_by_role("button", name="Check", exact=True).first.click()
    expect(page.get_by_text("Checked in this page")).to_be_visible()
    check(page, f"accesses-{size}-{scheme}")
    person.chooses("Records")
    page.get_by_role("main").get_by_role("link").first.click()
    expect(page.get_by_role("heading", name=re.compile("^Record of"))).to_be_visible()
    page.get_by_role("button", name=re.compile("^FHIR")).first.click()
    check(page, f"record-{size}-{scheme}")
    person.goes("/records")
    expect(page.get_by_role("main").get_by_role("link").first).to_be_visible()
    check(page, f"records-{size}-{scheme}")
    person.chooses("More")
    page.get_by_role("button", name="Sign a stop sheet").click()
    expect(page.get_by_role("heading", name="Stop everything")).to_be_visible()
    check(page, f"more-{size}-{scheme}")
    page.get_by_role("button", name="Erase everything of mine").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    check(page, f"erase-{size}-{scheme}")
    person.goes("/no-such-page")
    expect(page.get_by_role("heading", name="There is no such page.")).to_be_visible()
    check(page, f"lost-{size}-{scheme}")
    person.assert_well()
    assert compressed(person.scripts) <= MOST_SCRIPT_BYTES


def compressed(scripts: set[str]) -> int:
    """The bytes of these files with gzip; what is too small for that counts as it is."""
    files = [PAGES / path.lstrip("/") for path in scripts]
    beside = [file.with_name(f"{file.name}.gz") for file in files]
    return sum((gz if gz.exists() else file).stat().st_size for file, gz in zip(files, beside, strict=True))


def test_policy_takes_no_inline_script_and_no_other_origin(service: Service) -> None:
    page = raw(service.anyone(), "GET", "/app/")
    policy = page.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy


def test_script_in_a_page_does_not_run(open_person: Callable[..., Person]) -> None:
    person = open_person()
    page = person.goes("/")
    page.evaluate(
        """() => {
          const script = document.createElement("script");
          try { script.text = "window.broken = true"; document.body.append(script); } catch {}
        }"""
    )
    assert page.evaluate("window.broken") is None


@pytest.mark.parametrize("path", ["/", "/app", "/app/", "/app/requests"])
def test_every_address_of_the_pages_opens(open_person: Callable[..., Person], path: str) -> None:
    person = open_person()
    person.page.goto(path)
    expect(person.page.get_by_role("button", name="Sign in with Test Wallet")).to_be_visible()
    person.assert_well()


def test_keyboard_alone_signs_in(open_person: Callable[..., Person]) -> None:
    person: Any = open_person()
    page = person.goes("/")
    expect(page.get_by_role("button", name="Sign in with Test Wallet")).to_be_visible()
    for _ in range(5):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent.includes('Test Wallet')"):
            break
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Connect your records")).to_be_visible()
