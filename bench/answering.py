"""A protected answer over a million patients, and the ledger that every answer is charged to."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pymongo.database import Database

from backend.adapters.index.research_store import MongoBudgetStore
from backend.adapters.index.server import EmbeddedIndex, connect
from backend.research.budget import PrivacyBudget
from backend.research.figures import tallies
from backend.research.figures.base import gaussian
from backend.research.figures.counting import CELL_BOUND
from backend.research.policy import BudgetPolicy
from backend.research.types import LedgerHead, NanoRho, StudyId
from backend.types import MemberId, SubjectId
from bench.results import Result, ratio_at_least, ratio_at_most, shown

ROWS: Final = 1_000_000
# Levels of the eight quasi-identifiers of the Adult census table.
LEVELS: Final = (2, 74, 5, 7, 16, 41, 7, 2)
ROUNDS: Final = 7
GOAL_OF_PASS: Final = 0.15
CLIENTS: Final = 16
DEBITS_EACH: Final = 40
GOAL_OF_LEDGER: Final = 0.8
_RHO: Final = NanoRho(1_000_000)


def measure(directory: Path) -> list[Result]:
    index = EmbeddedIndex(directory / "budget-index")
    index.start()
    try:
        return [*_aggregate(), *_ledger(index)]
    finally:
        index.stop()


def _aggregate() -> list[Result]:
    """A histogram, a two-way table and a centred sum, each with noise, against one pass over the table."""
    drawn = np.random.default_rng(1)
    columns = [drawn.integers(0, size, ROWS) for size in LEVELS]
    key = np.zeros(ROWS, np.int64)
    for column, size in zip(columns, LEVELS, strict=True):
        key = key * size + column
    passes, histograms, pairs, sums = [], [], [], []
    for _ in range(ROUNDS):
        passes.append(_milliseconds(lambda: np.unique(key, return_inverse=True, return_counts=True)))
        histograms.append(_milliseconds(lambda: _histogram(columns[1], LEVELS[1])))
        pairs.append(_milliseconds(lambda: _pairs(columns[3], columns[4])))
        sums.append(_milliseconds(lambda: _sum(columns[1])))
    reference = statistics.median(passes)
    name = f"protected histogram over {ROWS:,} patients, noise included, against one numpy.unique pass"
    return [
        ratio_at_most(name, statistics.median(histograms), "ms", reference=reference, limit=GOAL_OF_PASS),
        shown(f"{name}: two-way table of 7 x 16", statistics.median(pairs), "ms", reference=reference),
        shown(f"{name}: number and centred sum", statistics.median(sums), "ms", reference=reference),
    ]


def _histogram(codes: NDArray[np.int64], size: int) -> None:
    gaussian(tallies.counted(codes, size), CELL_BOUND, _RHO)


def _pairs(rows: NDArray[np.int64], columns: NDArray[np.int64]) -> None:
    gaussian(tallies.pairs(rows, columns, (LEVELS[3], LEVELS[4])), CELL_BOUND, _RHO)


def _sum(values: NDArray[np.int64]) -> None:
    gaussian(list(tallies.total(values, LEVELS[1] // 2)), LEVELS[1] ** 2, _RHO)


class _Heads:
    """The audit log's append is measured by itself."""

    def note(self, head: LedgerHead) -> None:
        pass


class _Nobody:
    """No patient takes part."""

    def join(self, subjects: Sequence[SubjectId], spent: NanoRho) -> dict[SubjectId, NanoRho]:
        return dict.fromkeys(subjects, spent)


def _ledger(index: EmbeddedIndex) -> list[Result]:
    """Debits of as many clients as make single durable updates, of a document of the same size."""
    database = connect(index.uri, database="budget", timeout_ms=30_000)
    policy = BudgetPolicy("bench", 10_000_000, 6, 365 * 86_400)
    budget = PrivacyBudget(
        store=MongoBudgetStore(database),
        joining=_Nobody(),
        log=_Heads(),
        policy=policy,
        clock=lambda: 1_790_000_000,
    )
    study, researcher = StudyId(bytes(32)), MemberId(b"r" * 32)

    def debit(number: int) -> None:
        charge = number.to_bytes(32, "big")
        budget.debit(charge, study, researcher, NanoRho(1), study_limit=NanoRho(2**40))

    debit(0)
    template = database["privacy_balances"].find_one({"_id": "bench"}) or {}
    for client in range(CLIENTS):
        database["single"].insert_one({**template, "_id": f"client {client}"})
    ours, theirs = [], []
    for turn in range(3):
        first = 1 + turn * CLIENTS * DEBITS_EACH
        theirs.append(_rate(partial(_update, database)))
        ours.append(_rate(partial(_debit, debit, first)))
    return [
        ratio_at_least(
            f"debits of the privacy ledger, {CLIENTS} clients, against single durable updates",
            statistics.median(ours),
            "1/s",
            reference=statistics.median(theirs),
            limit=GOAL_OF_LEDGER,
        )
    ]


def _debit(debit: Callable[[int], None], first: int, client: int, number: int) -> None:
    debit(first + client * DEBITS_EACH + number)


def _update(database: Database[dict[str, Any]], client: int, number: int) -> None:
    database["single"].update_one({"_id": f"client {client}"}, {"$set": {"count": number}})


def _rate(work: Callable[[int, int], object]) -> float:
    start = threading.Barrier(CLIENTS + 1)

    def client(number: int) -> None:
        start.wait()
        for turn in range(DEBITS_EACH):
            work(number, turn)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    start.wait()
    started = time.perf_counter()
    for thread in threads:
        thread.join()
    return CLIENTS * DEBITS_EACH / (time.perf_counter() - started)


def _milliseconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1_000
