"""A service whose ledger of spent privacy budget was put back to before does not start, and fsck says so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backend.audit import codes
from backend.audit.search import Span
from backend.bootstrap import open_world
from backend.identity.roles import Role
from backend.maintenance.fsck import check_everything
from backend.maintenance.privacy_ledger import mend_ledger
from backend.research.errors import BudgetLedgerDamaged, PrivacyLedgerRolledBack
from backend.research.logged_heads import LOOKED_AT_ONCE
from backend.research.types import Charge, NanoRho, StudyId
from backend.settings import Settings
from backend.stores import open_stores
from backend.types import MemberId
from tests.integration.api.world import Service, assert_problem, open_service, raw, staff
from tests.support.ledger_copies import Copy, copy_of, put_back

COLLECTIONS = ("privacy_balances", "privacy_charges")
STUDY, LAB = StudyId(b"\x01" * 32), MemberId(b"\x02" * 32)


def debit(service: Service, number: int) -> Charge:
    budget = service.world.services.privacy_budget
    return budget.debit(bytes([number]) * 32, STUDY, LAB, NanoRho(7), study_limit=NanoRho(10**6))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Copy, Copy]:
    """A deployment with three charges; the ledger after the first, and as it is."""
    directory = tmp_path_factory.mktemp("privacy") / "data"
    with open_service(directory) as service:
        debit(service, 1)
        older = copy_of(service.world.stores.database, COLLECTIONS)
        debit(service, 2)
        debit(service, 3)
        now = copy_of(service.world.stores.database, COLLECTIONS)
        search = service.world.services.log_search
        span = Span(0, service.world.services.audit.state.size)
        found = search.scan(
            None,
            span,
            newest_first=False,
            keep=lambda entry: entry.event is not None and entry.event.type == codes.PRIVACY_CHARGED,
            limit=10,
            most=LOOKED_AT_ONCE,
        )
        events = [entry.event for entry in found.entries]
        assert [event.detail["count"] for event in events if event is not None] == [1, 2, 3]
    return directory, older, now


@pytest.fixture
def put(site: tuple[Path, Copy, Copy]) -> Iterator[Any]:
    """Put documents in the place of the ledger's, as somebody with the index's files can."""
    directory, _, now = site

    def replace(copy: Copy) -> set[str]:
        return put_back(directory, copy)

    yield replace
    assert replace(now) == set()


def test_older_copy_is_refused_at_start_and_named(site: tuple[Path, Copy, Copy], put: Any) -> None:
    directory, older, _ = site
    assert put(older) == {"privacy_ledger_rolled_back"}
    with pytest.raises(PrivacyLedgerRolledBack):
        open_world(Settings(data_directory=directory))


def test_ledger_that_is_gone_is_refused_at_start_and_named(site: tuple[Path, Copy, Copy], put: Any) -> None:
    directory, _, _ = site
    assert put({name: [] for name in COLLECTIONS}) == {"privacy_ledger_rolled_back"}
    with pytest.raises(PrivacyLedgerRolledBack):
        open_world(Settings(data_directory=directory))


def test_damaged_history_stops_answers_and_not_the_service(site: tuple[Path, Copy, Copy], put: Any) -> None:
    directory, _, now = site
    changed = [
        {**row, "charges": [{**row["charges"][0], "rho": 1}]} if row["_id"].endswith("1") else row
        for row in now["privacy_charges"]
    ]
    assert "privacy_ledger_damaged" in put({**now, "privacy_charges": changed})
    with open_service(directory) as service:
        with pytest.raises(BudgetLedgerDamaged):
            debit(service, 9)
        researcher = staff(service, "researcher", Role.RESEARCHER)
        assert_problem(raw(researcher, "GET", "/v1/privacy-budget"), 502, "privacy_ledger_damaged")


def test_crash_between_charge_and_log_is_made_good_at_start(site: tuple[Path, Copy, Copy], put: Any) -> None:
    directory, _, now = site
    # What only the ledger's document has: the history's last charge was not written.
    assert put({**now, "privacy_charges": now["privacy_charges"][:2]}) == set()
    with open_service(directory) as service:
        assert service.world.services.privacy_budget.balance().spent == 21
        assert debit(service, 3).place == 2


def test_restored_history_that_is_ahead_of_its_head_is_counted(
    site: tuple[Path, Copy, Copy], put: Any
) -> None:
    directory, older, now = site
    put({**now, "privacy_balances": older["privacy_balances"]})  # read before the charges were
    stores = open_stores(Settings(data_directory=directory))
    try:
        assert mend_ledger(stores) == 3
        assert not check_everything(stores).damage
    finally:
        stores.closing.close()
    with open_service(directory) as service:
        assert service.world.services.privacy_budget.balance().spent == 21


def test_restored_head_that_is_ahead_of_its_history_goes_back_to_what_there_is(
    site: tuple[Path, Copy, Copy], put: Any
) -> None:
    directory, older, now = site
    put({**now, "privacy_charges": older["privacy_charges"]})
    stores = open_stores(Settings(data_directory=directory))
    try:
        assert mend_ledger(stores) == 1
        # Here the log knows better, and says so.
        assert {finding.code for finding in check_everything(stores).damage} == {"privacy_ledger_rolled_back"}
    finally:
        stores.closing.close()


def test_budget_is_shown_to_patients_and_researchers_with_receipts(site: tuple[Path, Copy, Copy]) -> None:
    directory, _, _ = site
    with open_service(directory) as service:
        tenant = service.world.stores.tenant
        budget = service.world.services.privacy_budget
        own = budget.debit(b"\x09" * 32, STUDY, tenant, NanoRho(5), study_limit=NanoRho(10**6))
        researcher = staff(service, "asks", Role.RESEARCHER)
        view = researcher.get("/v1/privacy-budget")
        assert view["total_epsilon"] == pytest.approx(4.0, abs=1e-5)
        assert view["period_end"] - view["period_start"] == 365 * 24 * 3600
        assert view["spent_rho"] == 26e-9
        assert "epsilon 4 at delta 1e-06" in view["promise"]
        mine = researcher.get("/v1/privacy-budget/own")
        assert [receipt["digest"] for receipt in mine["receipts"]] == ["0x" + own.digest.hex()]
        assert mine["spent_rho"] == 5e-9
