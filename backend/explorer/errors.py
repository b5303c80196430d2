"""Errors of ``assent ledger``."""

from __future__ import annotations

from backend.errors import InvalidInput, NotFound, OperatorError


class LedgerIdUnknown(NotFound):
    """No contract of the deployment knows the id, as a key or as a value of an event (exit status 3)."""

    code = "ledger_id_unknown"
    remedy = "Check the id, the block and the deployment. What is not on this chain yet is not known either."


class NothingToWatch(OperatorError):
    """No service runs on the data directory, so its embedded chain makes no blocks."""

    code = "nothing_to_watch"
    remedy = "Start the service with 'assent up', or name a node with --rpc."


class StopUnreadable(InvalidInput):
    """A file that is to be a signed stop, and is not one that can be read."""

    code = "stop_unreadable"
    remedy = (
        "Give the JSON that was saved or would be sent to POST /v1/revocations, or type the lines of the "
        "stop sheet: subject, epoch, signature. docs/custodians.md shows each form."
    )


class NotAStop(InvalidInput):
    """Something that was signed, and that is no revocation: a grant, for one."""

    code = "not_a_stop"
    remedy = "Only what ends something is sent this way. Hand a grant in at a service: POST /v1/consents."


class StopWithoutContract(OperatorError):
    """The stop does not say for which chain and contract it was signed, and nothing else does."""

    code = "stop_without_contract"
    remedy = (
        "Name the contracts with --deployment FILE, which every custodian hands out, or the registry of "
        "consents with --contract ADDRESS; the stop sheet names it."
    )


class StopNotSent(OperatorError):
    """The node took no transaction from this account. Nothing was recorded."""

    code = "stop_not_sent"
    remedy = (
        "Name with --account the key file of an account that the network lets send, with what it takes to "
        "pay for gas (docs/testnet.md, fund), or another node with --rpc. Or hand the stop in at any "
        "custodian's service: POST /v1/revocations."
    )


class AccountFileInvalid(OperatorError):
    """The key file of the account cannot be opened: it is none, or the passphrase is another."""

    code = "account_file_invalid"
    remedy = "Name a key file as geth and wallets write it (version 3), and give its passphrase."
