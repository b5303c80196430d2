"""A service that says hostile or senseless things: nothing of it runs, and no page is left blank.

Every text in every answer of the API is replaced, some at a time. What a page makes of it is up to the page;
what it may not do is take a text for markup, run it, or show nothing at all.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable
from typing import Any, Final

import pytest
from playwright.sync_api import Page, Route, expect

from backend.demo.actors import Provider
from backend.identity.roles import STAFF_ROLES
from tests.browser.person import Person
from tests.browser.test_staff import sign_in
from tests.browser.test_story import ask
from tests.integration.api.world import PASSWORD, Service

HOSTILE: Final = (
    '<img src=x onerror="window.broken=1">',
    "<script>window.broken=1</script>",
    '"><svg onload=window.broken=1>',
    "javascript:window.broken=1",
    "{{constructor.constructor('window.broken=1')()}}",
    "\u202eeman\u0000\ufeff",
    "",
    "9" * 400,
    "2026-99-99T99:99:99Z",
    "../" * 40,
)
PLACES: Final = (
    "/",
    "/requests",
    "/consents",
    "/records",
    "/accesses",
    "/studies",
    "/people",
    "/devices",
    "/more",
)
STAFF_PLACES: Final = (
    "/patients", "/asked", "/obligations", "/desk", "/system", "/messages", "/members", "/accounts",
    "/research/catalogue", "/research/proposal", "/research/studies", "/research/budget",
    "/board/studies", "/board/seat", "/audit/log", "/audit/checkpoints", "/audit/export",
)  # fmt: skip
EVERYTHING: Final = "does-everything"


SHARES: Final = pytest.mark.parametrize(("seed", "share"), [(2, 0.1), (1, 1.0)], ids=["some", "all"])


class Hostile:
    """Answers as the service does, with a share of the texts replaced."""

    def __init__(self, seed: int, share: float, *, but: str = "/no-such-route") -> None:
        self._dice = random.Random(seed)
        self._share = share
        self._but = but  # without it there would be no pages

    def __call__(self, route: Route) -> None:
        answer = route.fetch()
        is_json = "json" in answer.headers.get("content-type", "")
        if not is_json or not answer.ok or self._but in route.request.url:
            route.fulfill(response=answer)
            return
        route.fulfill(response=answer, body=json.dumps(self._changed(answer.json())))

    def _changed(self, value: Any) -> Any:
        match value:
            case str():
                return self._dice.choice(HOSTILE) if self._dice.random() < self._share else value
            case list():
                return [self._changed(each) for each in value]
            case dict():
                return {name: self._changed(each) for name, each in value.items()}
            case _:
                return value


def nothing_ran(page: Page) -> None:
    assert page.evaluate("window.broken") is None
    assert page.evaluate("document.querySelectorAll('main img, main script, main iframe').length") == 0


def looked_at(person: Person, places: Iterable[str], hostile: Hostile) -> None:
    person.page.context.route("**/v1/**", hostile)
    for place in places:
        person.goes(place)
        person.page.wait_for_load_state("networkidle")
        expect(person.page.locator("main")).to_contain_text("a")
        nothing_ran(person.page)


@SHARES
def test_hostile_answers_neither_run_nor_leave_a_page_blank(
    enrolled: Callable[..., Person], clinic: Provider, seed: int, share: float
) -> None:
    person = enrolled()
    request = ask(clinic, person.record_number)["request_id"]
    places = (*PLACES, f"/requests/{request}", f"/records/{person.record_id}")
    looked_at(person, places, Hostile(seed, share))


@pytest.fixture(scope="session")
def everybody(service: Service) -> None:
    """One account that has the pages of all staff."""
    service.world.services.identity.add_user(
        username=EVERYTHING,
        password=PASSWORD,
        roles=STAFF_ROLES,
        member_id=service.world.stores.tenant,
        by=None,
    )


@SHARES
@pytest.mark.usefixtures("everybody")
def test_hostile_answers_do_as_little_in_the_pages_of_staff(
    open_person: Callable[..., Person], seed: int, share: float
) -> None:
    person = open_person()
    sign_in(person, EVERYTHING)
    expect(person.page.get_by_role("link", name="Checkpoints")).to_be_visible()
    looked_at(person, STAFF_PLACES, Hostile(seed, share, but="/v1/auth/session"))
