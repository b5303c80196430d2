"""Errors of the release ledger. No text tells who was in a release, or how many."""

from __future__ import annotations

from backend.errors import IntegrityError, Unavailable


class ReleaseLedgerBusy(Unavailable):
    code = "release_ledger_busy"
    remedy = "Too many releases at once. Nothing was released; try again shortly."


class ReleaseLedgerDamaged(IntegrityError):
    code = "release_ledger_damaged"
    remedy = (
        "A row of the ledger of releases is not what was written, or is missing. No table is released. Stop "
        "the service, have 'assent fsck' name what is damaged, and put the newest copy of the index back "
        "('assent restore')."
    )


class ReleaseLedgerRolledBack(IntegrityError):
    """The ledger lacks a release that the audit log or the entry after it knows."""

    code = "release_ledger_rolled_back"
    remedy = (
        "The ledger of releases lacks a release that the audit log knows. No table is released. Stop the "
        "service and put the newest copy of the index back ('assent restore')."
    )
