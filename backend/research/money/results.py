"""A run's result is committed to on the chain before it is released, and who took part is kept with it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from backend.audit import codes
from backend.audit.entry import Agent
from backend.errors import Conflict
from backend.outbox.service import Outbox
from backend.outbox.types import DONE, FAILED, Act, Advance
from backend.research.money.entries import MoneyEntries, asked_by
from backend.research.money.errors import ResultUnknown
from backend.research.money.ports import MoneyLedger, ResultStore
from backend.research.money.rows import ResultRow
from backend.research.money.types import RunId
from backend.research.result import Commitment
from backend.research.study import Study
from backend.research.types import StudyId
from backend.types import Bytes32, UnixSeconds

ACT: Final = "study_result"


def late_result(base: Bytes32, number: int) -> Bytes32:
    """Under what the patients of a result who named a payee later are paid: the contract pays each result
    once. ``number`` from 1 on; 0 is the result itself."""
    if number == 0:
        return base
    return Bytes32(hashlib.sha256(b"assent-late-payees-1" + base + number.to_bytes(4)).digest())


class Results:
    """Build the steps once, with the constructor, before acts are driven."""

    def __init__(
        self,
        *,
        ledger: MoneyLedger,
        results: ResultStore,
        outbox: Outbox,
        entries: MoneyEntries,
        clock: Callable[[], int],
    ) -> None:
        self._ledger = ledger
        self._results = results
        self._outbox = outbox
        self._entries = entries
        self._clock = clock
        outbox.register(ACT, {"received": self._commit, "committed": self._keep, "kept": self._log})

    def commit(self, study: Study, result: Commitment, *, by: Agent) -> None:
        """Return once the chain has the result's hash; the same again does nothing.

        Raises a Conflict where the study is no longer permitted, and LedgerUnavailable: the result is not
        released then.
        """
        digest = result.digest
        data = {
            "digest": digest,
            "study": bytes(study.study_id),
            "rules": bytes(study.rules),
            "run": result.run_id,
            "snapshot": result.snapshot,
            "participants": result.participants,
            "published": result.published,
            "by": asked_by(by),
        }
        self._outbox.drive(self._outbox.begin(ACT, digest.hex(), state="received", data=data))

    def is_committed(self, study: Study, digest: bytes) -> bool:
        """Whether the chain has a result's hash, or will have it by itself. Raises LedgerUnavailable."""
        act = self._outbox.find(ACT, digest.hex())
        if act is None:
            return False
        if act.state != FAILED:
            return True
        # Of the two hashes that it commits to, one may have been taken before the other was refused.
        return bool(self._ledger.committed_at(Bytes32(study.study_id), Bytes32(digest)))

    def pays_for(self, study: StudyId, snapshot: bytes) -> bool:
        """Implements ``research.ports.ReleasedResults``. What a crash left is brought to its end first."""
        for act in self._outbox.unfinished(ACT):
            if bytes(act.data["study"]) == study and bytes(act.data["snapshot"]) == snapshot:
                with suppress(Conflict):  # refused by the contract: it pays nobody
                    self._outbox.drive(act)
        return any(row.snapshot == snapshot for row in self._results.of_study(Bytes32(study)))

    def get(self, result: Bytes32) -> ResultRow:
        """Raises ResultUnknown."""
        row = self._results.get(result)
        if row is None:
            raise ResultUnknown
        return row

    def of_study(self, study: Bytes32) -> list[ResultRow]:
        return list(self._results.of_study(study))

    def commit_late(self, row: ResultRow, number: int) -> Bytes32:
        """Commit to what late payees are paid under, unless that was done. Raises a Conflict where the study
        is no longer permitted."""
        result = late_result(row.result, number)
        if not self._ledger.committed_at(row.study, result):
            self._ledger.commit(row.study, row.rules, result)
        return result

    def _commit(self, act: Act) -> Advance:
        row = _row(act)
        # The late one too, while the study is permitted for sure.
        for number in (0, 1):
            self.commit_late(row, number)
        return Advance("committed", {"at": self._clock()})

    def _keep(self, act: Act) -> Advance:
        self._results.put(_row(act))
        return Advance("kept", {})

    def _log(self, act: Act) -> Advance:
        detail = {"study": act.data["study"], "result": act.data["digest"]}
        self._entries.append(act, codes.RESULT_COMMITTED, detail)
        return Advance(DONE, {})


def _row(act: Act) -> ResultRow:
    data = act.data
    return ResultRow(
        result=Bytes32(bytes(data["digest"])),
        study=Bytes32(bytes(data["study"])),
        rules=Bytes32(bytes(data["rules"])),
        run=RunId(bytes(data["run"])),
        snapshot=bytes(data["snapshot"]),
        participants=data["participants"],
        published=data["published"],
        at=UnixSeconds(data.get("at", act.created_at)),
    )
