"""Holds the privacy ledger against its own chain and against the log, and mends it after a restore."""

from __future__ import annotations

from backend.adapters.index.research_store import MongoBudgetStore
from backend.audit.entry import AuditEvent
from backend.maintenance.report import Report
from backend.research.charges import Chain
from backend.research.errors import BudgetLedgerDamaged
from backend.research.logged_heads import PRIVACY_HEADS
from backend.research.types import Charge, LedgerDocument, LedgerHead
from backend.stores import Stores

_WHERE = "privacy ledger"


class LoggedLedger:
    """Give it every event of the log, then ``check``."""

    def __init__(self) -> None:
        self._noted: dict[int, LedgerHead] = {}

    def note(self, event: AuditEvent) -> None:
        head = PRIVACY_HEADS.head_of(event)
        if head is not None:
            self._noted[head.count] = head

    def check(self, stores: Stores, report: Report) -> None:
        """Recompute the chain of charges and find in it every head that the log has."""
        store, ledger = MongoBudgetStore(stores.database), stores.settings.tenant
        noted = {count: head for count, head in self._noted.items() if head.ledger == ledger}
        chain = Chain(ledger)
        try:
            document = store.document(ledger)
            self._compare(chain, noted, report)
            for charge in _charges(store, ledger, document):
                chain.apply(charge)
                report.counts["privacy charges"] += 1
                self._compare(chain, noted, report)
            if document is not None and any(
                chain.known.get(charge.charge_id) != charge for charge in document.recent
            ):
                raise BudgetLedgerDamaged
            if chain.head != (Chain(ledger).head if document is None else document.head):
                raise BudgetLedgerDamaged
        except BudgetLedgerDamaged:
            report.damaged("privacy_ledger_damaged", f"{_WHERE}: charge {chain.count}")
        if any(count > chain.count for count in noted):
            report.damaged("privacy_ledger_rolled_back", f"{_WHERE}: {chain.count} of {max(noted)} charges")

    @staticmethod
    def _compare(chain: Chain, noted: dict[int, LedgerHead], report: Report) -> None:
        expected = noted.get(chain.count)
        if expected is not None and expected != chain.head:
            report.damaged("privacy_ledger_rolled_back", f"{_WHERE}: another charge {chain.count}")


def mend_ledger(stores: Stores) -> int:
    """Let the ledger's head follow from the charges that a restore brought back; return their number.

    A copy is made while charges are made: the history may have more than the head knew, or lack some that
    came after the log's head was read. The longest chain that verifies holds all that the log knows of.
    """
    store, ledger = MongoBudgetStore(stores.database), stores.settings.tenant
    document = store.document(ledger)
    chain = Chain(ledger)
    last: LedgerDocument | None = None
    try:
        for charge in _charges(store, ledger, document):
            chain.apply(charge)
            last = LedgerDocument(chain.head, (charge,))
    except BudgetLedgerDamaged:
        pass  # what stands behind a gap
    store.cut(ledger, chain.count)
    if last is not None:
        store.put(last)
    return chain.count


def _charges(store: MongoBudgetStore, ledger: str, document: LedgerDocument | None) -> list[Charge]:
    """The history, and behind it what only the ledger's document has."""
    found = list(store.charges(ledger))
    return found + [each for each in (document.recent if document else ()) if each.place >= len(found)]
