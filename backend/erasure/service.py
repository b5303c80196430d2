"""Erasures: locked when they are acknowledged, cancellable while the grace time lasts, then carried out.

One act of the outbox carries an erasure from its request to its receipt, through any crash. Its row is the
judge between cancelling and destroying: whoever first moves it out of ``locked`` has its way.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from backend.audit import codes
from backend.audit.entry import Agent, AgentKind, AuditEvent, DetailValue, Outcome
from backend.audit.log import AuditLog
from backend.consent.restrictions import RestrictionQueue
from backend.erasure.destruction import Destruction
from backend.erasure.errors import ErasureBegun, ErasureUnderWay, ErasureUnknown, ErasureWaits
from backend.erasure.holds import LegalHolds
from backend.erasure.ports import ErasureRows, RecordRows
from backend.erasure.receipt import code_hash, logged_detail, receipt_code
from backend.erasure.types import Cause, ErasureRow, Plan, Scope, State, Wish
from backend.errors import AssentError, Unavailable
from backend.idempotency import Attempt
from backend.keystore import KeyName
from backend.outbox.driver import Driver
from backend.outbox.errors import NotYet
from backend.outbox.service import Outbox
from backend.outbox.types import DONE, Act, Advance, Step
from backend.records.blocks import parse_cid
from backend.records.storing import RecordUnknown
from backend.types import Bytes32, RecordId, SubjectId, UnixSeconds

_LOG = logging.getLogger("assent.erasure")
ACT: Final = "erasure"
SWEPT_SECONDS: Final = 24 * 3600
POLL_SECONDS: Final = 60  # in which a cancelled erasure, or one whose hold was lifted, is looked at again
_SYSTEM: Final = Agent.service("erasure")


@dataclass(frozen=True, slots=True)
class Requested:
    """``receipt_code`` gives the receipt, also when nobody knows the patient any more. It is not kept.

    ``row`` is as it stands now: without a grace time it may have gone on already. ``begun``: by this request.
    """

    row: ErasureRow
    receipt_code: str
    begun: bool


class Erasures:
    """``restore`` before the first decision. The steps are registered by the constructor."""

    def __init__(
        self,
        *,
        rows: ErasureRows,
        records: RecordRows,
        holds: LegalHolds,
        destruction: Destruction,
        restrictions: RestrictionQueue,
        outbox: Outbox,
        driver: Driver,
        audit: AuditLog,
        code_key: bytes,
        clock: Callable[[], int],
    ) -> None:
        self._rows = rows
        self._records = records
        self._holds = holds
        self._destruction = destruction
        self._restrictions = restrictions
        self._outbox = outbox
        self._driver = driver
        self._audit = audit
        self._code_key = code_key
        self._clock = clock
        steps: dict[str, Step] = {
            "requested": self._announce,
            "locked": self._await_time,
            "due": self._plan,
            "planned": self._erase_rows,
            "rowless": self._erase_keys,
            "keyless": self._erase_blocks,
            "blockless": self._withdraw,
            "withdrawn": self._log,
            "logged": self._finish,
        }
        outbox.register(ACT, {state: _never_over(step) for state, step in steps.items()})

    def request(self, wish: Wish, attempt: Attempt) -> Requested:
        """Lock what is to be erased and return: from now on nobody gets it.

        Raises RecordUnknown for a record that is not this person's, ErasureUnderWay.
        """
        erasure_id = attempt.draw("erasure", 16).hex()
        code = receipt_code(attempt.draw("receipt"))
        earlier = self._rows.get(erasure_id)
        if earlier is not None and earlier.state is not State.LOCKED:
            return Requested(earlier, code, begun=False)
        if earlier is None:
            self._require_free(wish.scope, erasure_id)
        act = self._outbox.begin(
            ACT, erasure_id, state="requested", data=self._data(wish, erasure_id, code, attempt)
        )
        self._lock(wish.scope, self._restrictions.accept_erasure)
        act = self._outbox.drive(act, until="locked")
        if not act.is_over:
            self._driver.hand_over(act)
        return Requested(self.get(erasure_id), code, begun=earlier is None)

    def cancel(self, erasure_id: str, *, by: Agent) -> ErasureRow:
        """Unlock it again. Twice does nothing. Raises ErasureUnknown, ErasureBegun."""
        row = self.get(erasure_id)
        now = UnixSeconds(self._clock())
        if not self._rows.move(erasure_id, before=State.LOCKED, after=State.CANCELLED, at=now):
            row = self.get(erasure_id)
            if row.state is not State.CANCELLED:
                raise ErasureBegun
        self._say_cancelled(row, by)
        return self.get(erasure_id)

    def get(self, erasure_id: str) -> ErasureRow:
        """Raises ErasureUnknown."""
        row = self._rows.get(erasure_id)
        if row is None:
            raise ErasureUnknown
        return row

    def of_subject(self, subject: SubjectId) -> Sequence[ErasureRow]:
        return self._rows.of_subject(subject)

    def restore(self) -> None:
        """At start-up, before the first decision: hide again what is locked or gone."""
        for act in self._outbox.unfinished(ACT):
            row = self._rows.get(act.act_id)
            if row is None or row.state is not State.CANCELLED:
                self._lock(_scope(act.data), self._restrictions.restore_erasure)
        for row in self._rows.all():
            if row.state is not State.CANCELLED:
                self._lock(row.scope, self._restrictions.restore_erasure)

    def replay(self, row: ErasureRow) -> Mapping[str, int]:
        """Destroy again what a restored backup brought back; return how much of each class there was.

        For stores that nobody else writes to. Safe to repeat; does nothing for an erasure that is not done.
        """
        return replay(row, self._destruction)

    def sweep(self) -> None:
        """Erase once more what was erased today: a document may have been sealed all the while, and refused
        only then, when its keys were made anew."""
        since = self._clock() - SWEPT_SECONDS
        for row in self._rows.all():
            if row.state is State.ERASED and (row.ended_at or 0) > since:
                self.replay(row)

    def _require_free(self, scope: Scope, erasure_id: str) -> None:
        for row in self._rows.of_subject(scope.subject):
            under_way = row.state is not State.CANCELLED and row.erasure_id != erasure_id
            if under_way and row.scope.covers(scope):
                raise ErasureUnderWay
        stored = {version.record_id for version in self._records.versions(scope)}
        if not stored.issuperset(scope.records):
            raise RecordUnknown(field="record_id")

    def _data(self, wish: Wish, erasure_id: str, code: str, attempt: Attempt) -> dict[str, Any]:
        scope = wish.scope
        stated = repr((scope, wish.cause, wish.grace_seconds, wish.evidence, wish.rule))
        return {
            "digest": hashlib.sha256(stated.encode()).digest(),
            "subject": scope.subject_hex,
            "records": [record.hex() for record in scope.records],
            "cause": wish.cause.value,
            "evidence": wish.evidence,
            "rule": wish.rule,
            "actor": [wish.by.kind.value, wish.by.id],
            "requested_at": attempt.begun_at,
            "due_at": attempt.begun_at + wish.grace_seconds,
            "receipt": code_hash(self._code_key, erasure_id, code),
        }

    def _lock(self, scope: Scope, hide: Callable[[SubjectId, RecordId | None], object]) -> None:
        for record in scope.locks:
            hide(scope.subject, record)

    # --- the steps of the act

    def _announce(self, act: Act) -> Advance:
        data, scope = act.data, _scope(act.data)
        self._rows.insert(
            ErasureRow(
                erasure_id=act.act_id,
                scope=scope,
                cause=Cause(data["cause"]),
                state=State.LOCKED,
                requested_at=UnixSeconds(data["requested_at"]),
                due_at=UnixSeconds(data["due_at"]),
                receipt_hash=data["receipt"],
                evidence=data["evidence"],
                rule=data["rule"],
            )
        )
        kind, name = data["actor"]
        detail: dict[str, DetailValue] = {"cause": data["cause"], "due_at": data["due_at"]}
        if data["evidence"]:
            detail["request"] = data["evidence"]
        if data["rule"]:
            detail["rule"] = data["rule"]
        at = data["requested_at"] * 1000
        self._say(
            codes.ERASURE_REQUESTED, act.act_id, scope, Agent(AgentKind(kind), name), at=at, detail=detail
        )
        # The row tells the rest; who asked goes with the person.
        return Advance("locked", {"actor": []})

    def _await_time(self, act: Act) -> Advance:
        row = self.get(act.act_id)
        now = self._clock()
        if row.state is State.CANCELLED:
            self._say_cancelled(row, _SYSTEM)
            return Advance(DONE, {})
        if row.state is State.LOCKED:
            hold = self._holds.active(row.scope)
            if hold is not None:
                detail: dict[str, DetailValue] = {"hold": hold.hold_id, "reason": hold.reason.value}
                self._say(
                    codes.ERASURE_HELD, act.act_id, row.scope, _SYSTEM, detail=detail, about=hold.hold_id
                )
                raise NotYet(UnixSeconds(min(hold.until, now + POLL_SECONDS)))
            if now < row.due_at:
                raise NotYet(UnixSeconds(min(row.due_at, now + POLL_SECONDS)))
            if not self._rows.move(act.act_id, before=State.LOCKED, after=State.DESTROYING):
                raise NotYet(UnixSeconds(now))  # cancelled at this moment
            if self._holds.active(row.scope) is not None:  # placed at this moment: see ``LegalHolds.place``
                self._rows.move(act.act_id, before=State.DESTROYING, after=State.LOCKED)
                raise NotYet(UnixSeconds(now))
        return Advance("due", {})

    def _plan(self, act: Act) -> Advance:
        plan = self._destruction.plan(_scope(act.data))
        return Advance("planned", {"plan": _encoded(plan)})

    def _erase_rows(self, act: Act) -> Advance:
        self._destruction.erase_rows(_scope(act.data))
        return Advance("rowless", {})

    def _erase_keys(self, act: Act) -> Advance:
        self._destruction.erase_keys(_decoded(act.data["plan"]))
        return Advance("keyless", {})

    def _erase_blocks(self, act: Act) -> Advance:
        self._destruction.erase_blocks(_decoded(act.data["plan"]))
        return Advance("blockless", {})

    def _withdraw(self, act: Act) -> Advance:
        self._destruction.withdraw(_decoded(act.data["plan"]))
        return Advance("withdrawn", {})

    def _log(self, act: Act) -> Advance:
        row = self.get(act.act_id)
        counts = _decoded(act.data["plan"]).counts
        event = AuditEvent(
            type=codes.ERASURE_DONE,
            outcome=Outcome.CHANGED,
            occurred_at_ms=self._clock() * 1000,
            actor=_SYSTEM,
            records=row.scope.records,
            detail=logged_detail(row, counts),
        )
        entry = self._audit.append(event, act=_identity(act.act_id, codes.ERASURE_DONE))
        if not row.scope.is_person:
            self._say(codes.RECORD_ERASED, act.act_id, row.scope, _SYSTEM)
        return Advance("logged", {"entry": entry.index})

    def _finish(self, act: Act) -> Advance:
        row = self.get(act.act_id)
        self._destruction.erase_rows(row.scope)  # what was written while the rows were being erased
        counts = _decoded(act.data["plan"]).counts
        self._rows.finish(
            act.act_id, at=UnixSeconds(self._clock()), destroyed=counts, entry=act.data["entry"]
        )
        return Advance(DONE, {"plan": {}})

    def _say_cancelled(self, row: ErasureRow, by: Agent) -> None:
        self._say(codes.ERASURE_CANCELLED, row.erasure_id, row.scope, by)
        others = [
            other.scope
            for other in self._rows.of_subject(row.scope.subject)
            if other.state is not State.CANCELLED
        ]
        for record in row.scope.locks:
            if not any(record in other.locks for other in others):
                self._restrictions.lift_erasure(row.scope.subject, record)

    def _say(
        self,
        kind: str,
        erasure_id: str,
        scope: Scope,
        by: Agent,
        *,
        at: int | None = None,
        detail: Mapping[str, DetailValue] | None = None,
        about: str = "",
    ) -> None:
        """Tell the patient, once, in their part of the log."""
        event = AuditEvent(
            type=kind,
            outcome=Outcome.CHANGED,
            occurred_at_ms=self._clock() * 1000 if at is None else at,
            actor=by,
            subject=scope.subject,
            records=scope.records,
            detail={"erasure": erasure_id, **(detail or {})},
        )
        self._audit.append(event, act=_identity(erasure_id, kind, about))


def replay(row: ErasureRow, destruction: Destruction) -> Mapping[str, int]:
    """``Erasures.replay`` without the rest of the service: for a restore."""
    if row.state not in (State.DESTROYING, State.ERASED):
        return {}
    return destruction.again(row.scope)


def destroyed(scope: Scope, rows: ErasureRows) -> bool:
    """Whether all of the scope is being destroyed, or is erased."""
    return any(
        row.state in (State.DESTROYING, State.ERASED) and row.scope.covers(scope)
        for row in rows.of_subject(scope.subject)
    )


def _never_over(step: Step) -> Step:
    """What was acknowledged is never given up: a step that fails is tried again, and the operator told."""

    def run(act: Act) -> Advance:
        try:
            return step(act)
        except Unavailable:
            raise
        except AssentError as failure:
            _LOG.error("an erasure cannot go on", extra={"code": failure.code, "act": act.act_id})
            raise ErasureWaits from failure

    return run


def _identity(erasure_id: str, kind: str, about: str = "") -> bytes:
    """The 16 bytes by which the audit log recognises an entry that is written again."""
    return hashlib.sha256(f"{ACT}:{erasure_id}:{kind}:{about}".encode()).digest()[:16]


def _scope(data: Mapping[str, Any]) -> Scope:
    records: Iterable[str] = data["records"]
    return Scope(
        SubjectId(int(data["subject"], 16)), tuple(RecordId(bytes.fromhex(record)) for record in records)
    )


def _encoded(plan: Plan) -> dict[str, Any]:
    return {
        "keys": [list(name) for name in plan.keys],
        "commitments": [bytes(commitment) for commitment in plan.commitments],
        "roots": [str(root) for root in plan.roots],
        "counts": [[name, count] for name, count in plan.counts.items()],
    }


def going_keys(acts: Iterable[Act]) -> frozenset[KeyName]:
    """Return the keys that erasures under way destroy: what is made beside them now would outlive them."""
    return frozenset[KeyName]().union(*map(_planned_keys, acts))


def _planned_keys(act: Act) -> frozenset[KeyName]:
    """Return the keys that an erasure under way destroys; none until it has planned what goes."""
    return frozenset(_decoded(act.data["plan"]).keys if "plan" in act.data else ())


def _decoded(plan: Mapping[str, Any]) -> Plan:
    names: tuple[KeyName, ...] = tuple((kind, name) for kind, name in plan["keys"])
    return Plan(
        keys=names,
        commitments=tuple(Bytes32(commitment) for commitment in plan["commitments"]),
        roots=tuple(parse_cid(root) for root in plan["roots"]),
        counts=dict(plan["counts"]),
    )
