"""A running service with the built pages, a browser, and people in front of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from backend.demo.actors import Api, Provider, Wallet
from scripts.chromium import run as chromium
from tests.browser.person import Person
from tests.browser.wallet import PageWallet
from tests.integration.api import conftest as people
from tests.integration.api.world import Service, bundle_of, open_service, store
from tests.support.components import require

ROOT: Final = Path(__file__).resolve().parents[2]
PAGES: Final = ROOT / "web" / "dist"
PHONE: Final = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
DESKTOP: Final = {"viewport": {"width": 1280, "height": 900}}
PATIENCE_MS: Final = 20_000
expect.set_options(timeout=PATIENCE_MS)

sign_ins, signed_in, operator, desk = people.sign_ins, people.signed_in, people.operator, people.desk
hospital, clinic, other_clinic = people.hospital, people.clinic, people.other_clinic


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    require((PAGES / "index.html").exists(), "the pages are not built", "make pages")
    directory = tmp_path_factory.mktemp("service")
    with open_service(directory, host="localhost", pages=PAGES) as running:
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    found = chromium.find()
    require(found, "no Chromium on this machine", "make chromium")
    assert found is not None
    program, environment = found
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox"], env={**os.environ, **environment}
        )
        yield launched
        launched.close()


@pytest.fixture(params=[PHONE, DESKTOP], ids=["phone", "desktop"])
def screen(request: pytest.FixtureRequest) -> dict[str, Any]:
    found: dict[str, Any] = request.param
    return found


@pytest.fixture
def open_person(browser: Browser, service: Service) -> Iterator[Callable[..., Person]]:
    """Open a browser context with a wallet of its own. Whatever a page loads must come from the service."""
    opened: list[BrowserContext] = []

    def opens(screen: dict[str, Any] | None = None, wallet: PageWallet | None = None) -> Person:
        context = browser.new_context(**(screen or DESKTOP), base_url=service.url, reduced_motion="reduce")
        context.set_default_timeout(PATIENCE_MS)
        opened.append(context)
        found = Person(context, context.new_page(), wallet or PageWallet(), service)
        found.wallet.install(context)
        return found

    yield opens
    for context in opened:
        context.close()


@pytest.fixture(scope="session")
def numbers() -> Iterator[int]:
    return count(5000)


@pytest.fixture
def enrolled(
    open_person: Callable[..., Person],
    service: Service,
    desk: Api,
    hospital: Provider,
    numbers: Iterator[int],
) -> Callable[..., Person]:
    """Open a person who has signed in and whose records the hospital has stored. Enrolled by the API."""

    def opens(screen: dict[str, Any] | None = None) -> Person:
        person = open_person(screen)
        record_number, bundle = bundle_of(next(numbers))
        issued = desk.post("/v1/enrolments", {"record_number": record_number, "name": "Test Person"})
        own = Wallet(service.anyone(), person.wallet.account)
        person.subject = own.claim(issued["code"])
        person.record_number = record_number
        stored = store(hospital, person.subject, bundle)
        assert stored.status_code == 201, stored.text
        person.record_id = stored.json()["record_id"]
        person.sign_in()
        return person

    return opens


@pytest.fixture
def page(open_person: Callable[..., Person]) -> Page:
    return open_person().page
