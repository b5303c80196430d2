"""Checks that what patients are owed is there: each result and payout that the chain has, each share."""

from __future__ import annotations

from typing import Final

from backend.adapters.index.act_store import MongoActStore
from backend.adapters.index.money_store import MongoPayoutStore, MongoResultStore, MongoShareStore
from backend.errors import IntegrityError
from backend.maintenance.erasures import Gone
from backend.maintenance.report import Report
from backend.research.money import results
from backend.research.money.results import late_result
from backend.research.money.rows import ResultRow
from backend.research.money.tree import Tree
from backend.stores import Stores
from backend.types import Bytes32

_MOST_LATE: Final = 100  # payouts of one result that are looked for


def check_payments(stores: Stores, gone: Gone, report: Report) -> None:
    """Add to the report. Raises Unavailable errors only; what is forged is named with the documents."""
    try:
        _check_results(stores, gone, report)
        _check_payouts(stores, report)
    except IntegrityError:
        return


def _check_results(stores: Stores, gone: Gone, report: Report) -> None:
    rows = MongoResultStore(stores.database, stores.keys)
    known: dict[Bytes32, set[Bytes32]] = {}
    for study, result in stores.money.committed():
        if study not in known:
            found = rows.of_study(study)
            for row in found:
                report.counts["results"] += 1
                _check_shares(stores, row, gone, report)
            known[study] = {late_result(row.result, late) for row in found for late in range(_MOST_LATE)}
            known[study] |= _under_way(stores)
        if result not in known[study]:
            report.damaged("result_missing", f"result {result.hex()} of study {study.hex()}")


def _under_way(stores: Stores) -> set[Bytes32]:
    """Results that are on the chain before their row is kept."""
    acts = MongoActStore(stores.database, stores.keys).sound_unfinished([results.ACT])
    bases = [Bytes32(bytes(act.data["digest"])) for act in acts]
    return {late_result(base, late) for base in bases for late in (0, 1)}


def _check_shares(stores: Stores, row: ResultRow, gone: Gone, report: Report) -> None:
    shares = MongoShareStore(stores.database, stores.keys).of_run(row.run)
    missing = row.participants - len(shares)
    if missing > len(gone.subjects):
        report.damaged("payment_shares_missing", f"{missing} of result {row.result.hex()}")


def _check_payouts(stores: Stores, report: Report) -> None:
    rows = MongoPayoutStore(stores.database, stores.keys)
    for round_, attempt, root in stores.money.proposed():
        report.counts["payouts"] += 1
        tree = rows.tree(round_, attempt)
        if tree is None or Tree(tree.hashes()).root != root:
            report.damaged("payout_missing", f"payout {round_.hex()} attempt {attempt}")
