"""Somebody in front of a browser, with a wallet in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request, expect

from tests.browser.wallet import PageWallet
from tests.integration.api.world import Service


@dataclass
class Person:
    """``strangers``: addresses outside the service that a page asked for; ``complaints``: what the browser
    said of the pages. Both stay empty. ``scripts``: the files of script that the pages loaded."""

    context: BrowserContext
    page: Page
    wallet: PageWallet
    service: Service
    subject: str = ""
    record_number: str = ""
    record_id: str = ""
    strangers: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    scripts: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.context.on("request", self._watch)
        self.watch(self.page)

    def watch(self, page: Page) -> Page:
        page.on("console", self._listen)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        return page

    def goes(self, path: str) -> Page:
        self.page.goto(f"/app{path}")
        return self.page

    def sign_in(self) -> None:
        """Through the page, as anybody does."""
        self.goes("/")
        self.page.get_by_role("button", name="Sign in with Test Wallet").click()
        expect(self.page.get_by_role("button", name="Sign out")).to_be_visible()

    def chooses(self, name: str) -> None:
        """Go to one of the pages by its link; what has no place in a phone's bar is behind "More"."""
        bar = self.page.get_by_role("navigation")
        expect(bar.get_by_role("link", name="More")).to_be_visible()
        if bar.get_by_role("link", name=name).is_visible():
            bar.get_by_role("link", name=name).click()
        else:
            bar.get_by_role("link", name="More").click()
            self.page.get_by_role("main").get_by_role("link", name=name).click()

    def last_shown(self) -> dict[str, Any]:
        """The typed data that the wallet showed last."""
        return self.wallet.shown[-1]

    def assert_well(self) -> None:
        """Nothing left the origin, and the browser had nothing to complain about."""
        assert self.strangers == []
        assert self.complaints == [], self.complaints

    def _watch(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https") and parts.netloc != urlsplit(self.service.url).netloc:
            self.strangers.append(request.url)
        if parts.path.endswith(".js"):
            self.scripts.add(parts.path)

    def _listen(self, message: ConsoleMessage) -> None:
        # Answers that are refusals are part of many stories; a violated policy or a broken script is not.
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            self.complaints.append(message.text)
