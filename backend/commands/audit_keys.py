"""``assent audit rotate-keys``: new audit keys for everybody."""

from __future__ import annotations

from backend.commands.terminal import AsJson, DataDirectory, named_errors, read_settings, show


def rotate_keys(data_directory: DataDirectory = None, as_json: AsJson = False) -> None:
    """Give every patient, and the system, a new audit key for entries from now on, also while the service
    runs."""
    from backend.maintenance.accounts import open_accounts

    with named_errors(), open_accounts(read_settings(data_directory=data_directory)) as accounts:
        show(accounts.rotate_audit_keys(), as_json=as_json)
