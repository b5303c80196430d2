"""Legal holds: what must be kept is not destroyed, and its patient is told why and until when."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from backend.audit import codes
from backend.audit.entry import Agent, AuditEvent, DetailValue, Outcome
from backend.audit.log import AuditLog
from backend.erasure.errors import HoldPeriodInvalid, HoldUnknown, NothingToHold
from backend.erasure.ports import HoldRows
from backend.erasure.receipt import hold_document
from backend.erasure.types import HoldReason, HoldRow, Scope
from backend.idempotency import Attempt
from backend.interop.receipts.parties import Custodian
from backend.interop.receipts.signing import DocumentSigner
from backend.sealed import DocumentSealer
from backend.types import SubjectId, UnixSeconds


class LegalHolds:
    def __init__(
        self,
        *,
        rows: HoldRows,
        signer: DocumentSigner,
        sealer: DocumentSealer,
        custodian: Custodian,
        audit: AuditLog,
        is_erased: Callable[[Scope], bool],
        clock: Callable[[], int],
    ) -> None:
        self._rows = rows
        self._is_erased = is_erased
        self._signer = signer
        self._sealer = sealer
        self._custodian = custodian
        self._audit = audit
        self._clock = clock

    def place(
        self, scope: Scope, reason: HoldReason, until: UnixSeconds, *, by: Agent, attempt: Attempt
    ) -> HoldRow:
        """Keep what is in the scope until then. Raises HoldPeriodInvalid, NothingToHold."""
        hold_id = attempt.draw("hold", 16).hex()
        earlier = self._rows.get(hold_id)
        if earlier is None:
            if self._is_erased(scope):
                raise NothingToHold
            if until <= self._clock():
                raise HoldPeriodInvalid(field="until")
            row = HoldRow(hold_id, scope, reason, attempt.begun_at, until, signed=b"")
            document = self._signer.sign(hold_document(row, custodian=self._custodian))
            sealed = self._sealer.seal(
                json.dumps(document).encode(), subject=scope.subject, place=place_of(hold_id)
            )
            earlier = replace(row, signed=sealed)
            self._rows.insert(earlier)
            # An erasure looks for holds once more after it has begun: one of the two sees the other.
            if self._is_erased(scope):
                self._rows.lift(hold_id, UnixSeconds(self._clock()))
                raise NothingToHold
        self._say(
            codes.HOLD_PLACED, earlier, by, detail={"reason": reason.value, "until": until}, attempt=attempt
        )
        return earlier

    def lift(self, hold_id: str, *, by: Agent, attempt: Attempt) -> HoldRow:
        """Let go. Twice does nothing. Raises HoldUnknown."""
        row = self.get(hold_id)
        self._rows.lift(hold_id, UnixSeconds(self._clock()))
        self._say(codes.HOLD_LIFTED, row, by, detail={}, attempt=attempt)
        return self.get(hold_id)

    def get(self, hold_id: str) -> HoldRow:
        row = self._rows.get(hold_id)
        if row is None:
            raise HoldUnknown
        return row

    def of_subject(self, subject: SubjectId) -> Sequence[HoldRow]:
        return self._rows.of_subject(subject)

    def active(self, scope: Scope) -> HoldRow | None:
        """Return the hold that ends last of those that stand against an erasure of this scope."""
        return active_hold(self._rows, scope, now=self._clock())

    def document(self, row: HoldRow) -> Any:
        """Return the reason as it was signed, for the patient."""
        opened = self._sealer.open(row.signed, subject=row.scope.subject, place=place_of(row.hold_id))
        return json.loads(opened)

    def _say(
        self, kind: str, row: HoldRow, by: Agent, *, detail: dict[str, DetailValue], attempt: Attempt
    ) -> None:
        event = AuditEvent(
            type=kind,
            outcome=Outcome.CHANGED,
            occurred_at_ms=self._clock() * 1000,
            actor=by,
            subject=row.scope.subject,
            records=row.scope.records,
            detail={"hold": row.hold_id, **detail},
        )
        self._audit.append(event, act=attempt.draw(kind, 16))


def active_hold(rows: HoldRows, scope: Scope, *, now: int) -> HoldRow | None:
    """Return the hold that ends last of those that stand against an erasure of this scope."""
    standing = [row for row in rows.of_subject(scope.subject) if row.holds(now) and row.scope.touches(scope)]
    return max(standing, key=lambda row: row.until, default=None)


def place_of(hold_id: str) -> str:
    """Return where the signed reason of a hold is sealed for."""
    return f"legal_holds/{hold_id}"
