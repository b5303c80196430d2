"""Errors of the release ledger. No text tells who was in a release, or how many."""

from __future__ import annotations

from backend.errors import IntegrityError, Unavailable


class ReleaseLedgerBusy(Unavailable):
    code = "release_ledger_busy"
    remedy = "Too many releases at once. Nothing was released; try again shortly."


class ReleaseLedgerDamaged(IntegrityError):
    code = "release_ledger_damaged"
    remedy = "The ledger of releases does not verify. No table is released; tell the operator."
