"""The pages in a browser: how soon each is interactive, and how long lists scroll.

The patient of the measurements before is the one who looks: with the reads that were made, thousands, and a
thousand records where pages are opened, more than ten thousand where lists scroll.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from bench import memory
from bench.results import Result, at_most, shown, skipped
from bench.scene import Scene
from scripts.chromium import run as chromium

INTERACTIVE_GOAL_SECONDS = 1.0
FRAME_GOAL_MS = 34.0  # thirty pictures a second
RECORDS = 1_000
LINES = 10_000
_TURNS = 5
_PATIENCE_MS = 60_000
_SCREEN: Final[ViewportSize] = {"width": 1280, "height": 900}

# A page is interactive once what it is for can be pressed or read, and the main thread answers.
_PAGES: Final = {
    "sign in": ("/app/", "main button"),
    "home": ("/app/", "main section.card"),
    "requests": ("/app/requests", "main h1"),
    "records": ("/app/records", "main li"),
    "who looked": ("/app/accesses", "main li"),
}
# A page that is not in front, as far as a browser without a screen can tell, is drawn at its full rate too.
_ARGUMENTS: Final = [
    "--no-sandbox",
    "--disable-renderer-backgrounding",
    "--disable-backgrounding-occluded-windows",
    "--disable-background-timer-throttling",
]
_INTERACTIVE: Final = """async (selector) => {
  while (document.querySelector(selector) === null) {
    await new Promise((next) => setTimeout(next, 2));
    if (performance.now() > 30_000) {
      throw new Error(`${selector} did not come: ${document.body.innerText}`);
    }
  }
  await new Promise((next) => setTimeout(next));
  return performance.now();
}"""
_SCROLL: Final = """async ([pixels, wanted, seconds]) => {
  const frames = [];
  const end = performance.now() + seconds * 1000;
  let before = performance.now();
  let seen = 0;
  let moved = before;
  while (seen < wanted && before < end && before - moved < 2_000) {
    const place = scrollY;
    scrollBy(0, pixels);
    moved = scrollY > place ? before : moved; // no further: all lines have passed, or more are on their way
    // A browser that draws nothing any more must not be waited for.
    const now = await new Promise((next) => {
      requestAnimationFrame(next);
      setTimeout(() => next(performance.now()), 2_000);
    });
    frames.push(now - before);
    before = now;
    for (const line of document.querySelectorAll("main li[aria-posinset]")) {
      seen = Math.max(seen, Number(line.getAttribute("aria-posinset")));
    }
  }
  return [frames, seen];
}"""


def measure(scene: Scene) -> list[Result]:
    """Store what lacks of a thousand records, then open the pages."""
    memory.store(scene, records=RECORDS)
    return _visited(scene, _interactive, "a page is interactive", "s")


def measure_scrolling(scene: Scene) -> list[Result]:
    """Scroll through the records that are there by now."""
    return _visited(scene, _scrolling, "scrolling", "ms")


def _visited(
    scene: Scene, measured: Callable[[_Visits], Iterator[Result]], name: str, unit: str
) -> list[Result]:
    found = chromium.find()
    if found is None:
        return [skipped(name, unit, "no Chromium here: make chromium")]
    program, environment = found
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=_ARGUMENTS, env={**os.environ, **environment}
        )
        try:
            visits = _Visits(browser, str(scene.http.base_url), json.dumps(_session(scene)))
            return list(measured(visits))
        finally:
            browser.close()


@dataclass(frozen=True, slots=True)
class _Visits:
    """``session``: what the pages keep of somebody who is signed in, as text."""

    browser: Browser
    address: str
    session: str

    @contextmanager
    def begun(self, *, signed_in: bool = True) -> Iterator[Page]:
        """A page in a browser that has nothing kept but the session."""
        context = self.browser.new_context(base_url=self.address, viewport=_SCREEN)
        context.set_default_timeout(_PATIENCE_MS)
        try:
            if signed_in:
                context.add_init_script(
                    f"localStorage.setItem('assent.session', {json.dumps(self.session)});"
                )
            yield context.new_page()
        finally:
            context.close()


def _interactive(visits: _Visits) -> Iterator[Result]:
    """Medians over loads with nothing in the browser's cache."""
    seconds = {
        name: statistics.median(_load(visits, path, selector, signed_in=name != "sign in"))
        for name, (path, selector) in _PAGES.items()
    }
    name = f"a page of somebody with {RECORDS:,} records is interactive, nothing cached"
    yield at_most(f"{name}: the slowest", max(seconds.values()), "s", INTERACTIVE_GOAL_SECONDS)
    for page, value in seconds.items():
        yield shown(f"{name}: {page}", value, "s")


def _load(visits: _Visits, path: str, selector: str, *, signed_in: bool) -> Iterator[float]:
    for _ in range(_TURNS):
        with visits.begun(signed_in=signed_in) as page:
            page.goto(path)
            yield page.evaluate(_INTERACTIVE, selector) / 1000


def _scrolling(visits: _Visits) -> Iterator[Result]:
    for name, path, pixels in (("entries", "/app/accesses", 700), ("records", "/app/records", 700)):
        with visits.begun() as page:
            page.goto(path)
            page.evaluate(_INTERACTIVE, "main li")
            frames, seen = page.evaluate(_SCROLL, [pixels, LINES, 60])
        what = f"scrolling through {name}"
        slow = statistics.quantiles(frames, n=20)[-1]
        yield at_most(f"{what}: 95th percentile of a frame", slow, "ms", FRAME_GOAL_MS)
        yield shown(f"{what}: lines passed", seen, "")


def _session(scene: Scene) -> dict[str, Any]:
    """What the pages keep of somebody who signed in with a wallet."""
    scene.patient.sign_in()
    return {
        "who": {"kind": "wallet", "account": scene.patient.address, "rdns": "test.bench"},
        "access": scene.patient.api.token,
        "refresh": None,
        "expiresAt": int((time.time() + 600) * 1000),
    }
