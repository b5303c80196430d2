"""Errors of ``assent ledger``."""

from __future__ import annotations

from backend.errors import NotFound


class LedgerIdUnknown(NotFound):
    """No contract of the deployment knows the id, as a key or as a value of an event (exit status 3)."""

    code = "ledger_id_unknown"
    remedy = "Check the id, the block and the deployment. What is not on this chain yet is not known either."
