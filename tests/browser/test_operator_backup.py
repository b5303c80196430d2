"""The backup as an operator sees it: how far it reaches, when its key ends, a new one on demand."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import expect

from backend.backup.recovery_key import generate, service_path
from backend.identity.roles import Role
from backend.operations.types import Counted
from tests.browser.conftest import PAGES
from tests.browser.person import Person
from tests.browser.test_looks import check
from tests.browser.test_staff import sign_in
from tests.integration.api.world import PASSWORD, Service, open_service
from tests.support.components import require


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that keeps a backup, whose key ends within days."""
    require((PAGES / "index.html").exists(), "the pages are not built", "make pages")
    directory = tmp_path_factory.mktemp("backed-up")
    generate(directory / "recovery.key", now=int(time.time()), days=5)
    with open_service(
        directory / "data",
        host="localhost",
        pages=PAGES,
        backup_directory=directory / "backups",
        backup_recovery_key=service_path(directory / "recovery.key"),
        backup_interval_hours=24,
    ) as running:
        running.world.services.watching._counted = lambda: Counted(0, 0, 0, False, 0)
        running.world.services.identity.add_user(
            username="keeper",
            password=PASSWORD,
            roles=frozenset({Role.OPERATOR}),
            member_id=running.world.stores.tenant,
            by=None,
        )
        yield running


def test_backup_is_made_on_demand_and_its_key_is_told_before_it_ends(
    open_person: Callable[..., Person],
) -> None:
    person = open_person()
    page = sign_in(person, "keeper")
    alarm = page.get_by_role("alert").filter(has_text="The backup's recovery key ends soon")
    expect(alarm).to_contain_text("assent backup keygen")
    expect(page.get_by_text("nothing yet")).to_be_visible()
    page.get_by_role("button", name="Make a new backup").click()
    storage = page.get_by_role("region", name="Storage and backup")
    expect(storage.get_by_text("Generation")).to_be_visible()
    expect(storage.get_by_text("nothing yet")).to_be_hidden()
    expect(storage.get_by_text("A new backup is being made and read back.")).to_be_hidden()
    expect(storage.get_by_text("not yet")).to_be_hidden()
    expect(storage.get_by_text("Read back and found right")).to_be_visible()
    expect(page.get_by_role("region", name="Keys that fall due")).to_contain_text("Recovery key of backups")
    check(page, "operator-backup")
    person.assert_well()
