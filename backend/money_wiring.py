"""Builds what pays: escrows, payouts and claims."""

from __future__ import annotations

from collections.abc import Callable

from backend.adapters.index.member_names import SealedMemberNames
from backend.adapters.index.money_store import (
    MongoFundingStore,
    MongoPayeeStore,
    MongoPayoutStore,
    MongoResultStore,
    MongoShareStore,
)
from backend.audit.log import AuditLog
from backend.consent.evidence import EvidenceBook
from backend.erasure.authority import MayErase
from backend.outbox.driver import Driver
from backend.outbox.service import Outbox
from backend.research.money.claims import Claims
from backend.research.money.entries import MoneyEntries
from backend.research.money.escrow_book import EscrowBook
from backend.research.money.funding import Funding
from backend.research.money.payees import Payees
from backend.research.money.payouts import Payouts
from backend.research.money.results import Results
from backend.research.money.services import MoneyServices
from backend.research.money.settling import Settling
from backend.sealed import DocumentSealer
from backend.stores import Stores
from backend.types import MemberId


def open_money(
    stores: Stores,
    *,
    evidence: EvidenceBook,
    sealer: DocumentSealer,
    outbox: Outbox,
    driver: Driver,
    log: AuditLog,
    clock: Callable[[], int],
) -> MoneyServices:
    """Return the services, whose steps the outbox then knows."""
    ledger, members = stores.money, stores.participants
    entries = MoneyEntries(audit=log, clock=clock)
    fundings = MongoFundingStore(stores.database, stores.keys)
    result_rows = MongoResultStore(stores.database, stores.keys)
    shares = MongoShareStore(stores.database, stores.keys)
    payout_rows = MongoPayoutStore(stores.database, stores.keys)
    payee_rows = MongoPayeeStore(stores.database, stores.keys)
    results = Results(ledger=ledger, results=result_rows, outbox=outbox, entries=entries, clock=clock)
    payees = Payees(
        ledger=ledger,
        members=members,
        payees=payee_rows,
        shares=shares,
        may_decide=MayErase(evidence=evidence, clock=clock),
        contracts=stores.ledger,
        sealer=sealer,
        account_key=stores.keys.get_or_create("salt", "payee-accounts").reveal(),
        outbox=outbox,
        entries=entries,
    )
    payouts = Payouts(
        ledger=ledger,
        results=results,
        shares=shares,
        payouts=payout_rows,
        payee_rows=payee_rows,
        payees=payees,
        sealer=sealer,
        outbox=outbox,
        entries=entries,
        clock=clock,
    )
    return MoneyServices(
        ledger=ledger,
        book=EscrowBook(ledger=ledger, members=members, fundings=fundings, custodian=stores.tenant),
        funding=Funding(
            ledger=ledger,
            members=members,
            names=SealedMemberNames(stores.database, sealer),
            fundings=fundings,
            office=MemberId(stores.keys.get_or_create("salt", "payments-office").reveal()),
            outbox=outbox,
            driver=driver,
            entries=entries,
            clock=clock,
        ),
        results=results,
        payees=payees,
        payouts=payouts,
        claims=Claims(
            ledger=ledger,
            results=result_rows,
            shares=shares,
            payouts=payouts,
            payout_rows=payout_rows,
            payee_rows=payee_rows,
            sealer=sealer,
            outbox=outbox,
            driver=driver,
            entries=entries,
        ),
        settling=Settling(
            ledger=ledger, results=results, payouts=payouts, outbox=outbox, driver=driver, entries=entries
        ),
    )
