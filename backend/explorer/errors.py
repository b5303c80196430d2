"""Errors of ``assent ledger``."""

from __future__ import annotations

from backend.errors import NotFound, OperatorError


class LedgerIdUnknown(NotFound):
    """No contract of the deployment knows the id, as a key or as a value of an event (exit status 3)."""

    code = "ledger_id_unknown"
    remedy = "Check the id, the block and the deployment. What is not on this chain yet is not known either."


class NothingToWatch(OperatorError):
    """No service runs on the data directory, so its embedded chain makes no blocks."""

    code = "nothing_to_watch"
    remedy = "Start the service with 'assent up', or name a node with --rpc."
