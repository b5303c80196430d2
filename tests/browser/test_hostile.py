"""A service that says hostile or senseless things: nothing of it runs, and no page is left blank.

Every text in every answer of the API is replaced, some at a time. What a page makes of it is up to the page;
what it may not do is take a text for markup, run it, or show nothing at all.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any, Final

import pytest
from playwright.sync_api import Page, Route, expect

from backend.demo.actors import Provider
from tests.browser.person import Person
from tests.browser.test_story import ask

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
PLACES: Final = ("/", "/requests", "/consents", "/records", "/accesses", "/more")


class Hostile:
    """Answers as the service does, with a share of the texts replaced."""

    def __init__(self, seed: int, share: float) -> None:
        self._dice = random.Random(seed)
        self._share = share

    def __call__(self, route: Route) -> None:
        answer = route.fetch()
        if "json" not in answer.headers.get("content-type", "") or not answer.ok:
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


@pytest.mark.parametrize(("seed", "share"), [(2, 0.1), (1, 1.0)], ids=["some", "all"])
def test_hostile_answers_neither_run_nor_leave_a_page_blank(
    enrolled: Callable[..., Person], clinic: Provider, seed: int, share: float
) -> None:
    person = enrolled()
    request = ask(clinic, person.record_number)["request_id"]
    page = person.page
    page.context.route("**/v1/**", Hostile(seed, share))
    for place in (*PLACES, f"/requests/{request}", f"/records/{person.record_id}"):
        person.goes(place)
        page.wait_for_load_state("networkidle")
        expect(page.locator("main")).to_contain_text("a")
        nothing_ran(page)
