"""Holds the chains of research that the audit log witnesses against what the log has of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from backend.adapters.index.joining_store import MongoJoinStore
from backend.adapters.index.release_store import MongoReleaseStore
from backend.audit.entry import AuditEvent
from backend.errors import IntegrityError
from backend.maintenance.report import Report
from backend.research.errors import PrivacyMarksDamaged, PrivacyMarksRolledBack
from backend.research.logged_chain import Link, LoggedChain
from backend.research.logged_heads import JOINING_HEADS, RELEASE_HEADS, HeadKind
from backend.research.releases.errors import ReleaseLedgerDamaged, ReleaseLedgerRolledBack
from backend.research.types import ChainHead
from backend.stores import Stores


@dataclass(slots=True)
class _Checked:
    """One kind of chain. ``note``: nothing, since a check writes nothing."""

    where: str
    kind: HeadKind[ChainHead]
    damaged: type[IntegrityError]
    rolled_back: type[IntegrityError]
    noted: dict[str, dict[int, ChainHead]] = field(default_factory=dict)

    def note(self, head: ChainHead) -> None:
        """Implements ``ChainLog``."""

    def check(self, ledger: str, entries: Iterator[Link], report: Report) -> None:
        try:
            found: Sequence[Link] = list(entries)
            chain = LoggedChain(ledger, self, damaged=self.damaged, rolled_back=self.rolled_back)
            chain.verified(found)
            for head in self.noted.get(ledger, {}).values():
                chain.open(found, head)
        except self.rolled_back as fault:
            report.damaged(fault.code, self.where)
        except IntegrityError:
            report.damaged(self.damaged.code, self.where)
        else:
            report.counts[self.where] += len(found)


class LoggedChains:
    """Give it every event of the log, then ``check``."""

    def __init__(self) -> None:
        self._releases = _Checked(
            "release ledger", RELEASE_HEADS, ReleaseLedgerDamaged, ReleaseLedgerRolledBack
        )
        self._joining = _Checked("privacy marks", JOINING_HEADS, PrivacyMarksDamaged, PrivacyMarksRolledBack)

    def note(self, event: AuditEvent) -> None:
        for each in (self._releases, self._joining):
            head = each.kind.head_of(event)
            if head is not None:
                each.noted.setdefault(head.ledger, {})[head.count] = head

    def check(self, stores: Stores, report: Report) -> None:
        """Find every head that the log has in the chains, and read all that hangs on them."""
        ledger = stores.settings.tenant
        releases = MongoReleaseStore(stores.database, stores.keys)
        joins = MongoJoinStore(stores.database, stores.keys)

        def released() -> Iterator[Link]:
            for entry in releases.entries(ledger):
                releases.members(entry)
                yield entry

        self._releases.check(ledger, released(), report)
        self._joining.check(ledger, (entry for entry, _ in joins.entries(ledger)), report)
