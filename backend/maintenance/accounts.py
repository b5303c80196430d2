"""Accounts that an operator keeps: in the stores when the service is stopped, through it when it runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, Protocol

from backend.adapters.data_directory import DataDirectoryInUse
from backend.adapters.durable import write_file
from backend.bootstrap import open_world
from backend.identity.errors import StaffUnknown
from backend.maintenance.accounts_running import AccountsOfRunning
from backend.maintenance.accounts_stopped import AccountsOfStopped
from backend.maintenance.running import RunningService
from backend.samples import OPERATOR_FILE
from backend.settings import Settings


class Accounts(Protocol):
    """Answers are as the API's. ``staff_id`` and ``client_id``: 32 hex digits."""

    def add_user(self, username: str, password: str, roles: list[str]) -> dict[str, Any]: ...

    def users(self) -> list[dict[str, Any]]: ...

    def set_user_disabled(self, staff_id: str, disabled: bool) -> dict[str, Any]: ...

    def set_user_roles(self, staff_id: str, roles: list[str]) -> dict[str, Any]: ...

    def reset_password(self, staff_id: str, password: str) -> None: ...

    def add_member(self, name: str, roles: list[str]) -> dict[str, Any]: ...

    def admit_custodian(self, name: str, member_id: str, account: str) -> dict[str, Any]: ...

    def members(self) -> list[dict[str, Any]]: ...

    def suspend_member(self, member_id: str) -> dict[str, Any]: ...

    def reinstate_member(self, member_id: str) -> dict[str, Any]: ...

    def remove_member(self, member_id: str) -> dict[str, Any]: ...

    def add_client(self, name: str, roles: list[str], member_id: str) -> dict[str, Any]: ...

    def clients(self) -> list[dict[str, Any]]: ...

    def set_client_disabled(self, client_id: str, disabled: bool) -> dict[str, Any]: ...

    def rotate_secret(self, client_id: str, overlap_seconds: int) -> dict[str, Any]: ...

    def deliveries(self, state: str) -> list[dict[str, Any]]: ...

    def retry_delivery(self, message_id: str) -> dict[str, Any]: ...

    def publish_notice(self, content: bytes, language: str, media_type: str) -> dict[str, Any]: ...

    def notices(self) -> list[dict[str, Any]]: ...

    def rotate_signing_key(self, *, compromised: bool) -> dict[str, Any]: ...

    def rotate_audit_keys(self) -> dict[str, Any]: ...


@contextmanager
def open_accounts(settings: Settings) -> Iterator[Accounts]:
    """Open the stores, or talk to the service that has them open."""
    try:
        world = open_world(settings)
    except DataDirectoryInUse:
        with closing(RunningService(settings.data_directory)) as service:
            yield AccountsOfRunning(service)
        return
    with closing(world):
        yield AccountsOfStopped(world)


def find_user(accounts: Accounts, name: str) -> dict[str, Any]:
    """Return the account with this user name or staff id. Raises StaffUnknown."""
    wanted = name.strip().lower()
    for user in accounts.users():
        if wanted in (user["username"], user["staff_id"]):
            return user
    raise StaffUnknown(f"There is no account {name}.")


def keep_operator_file_true(settings: Settings, username: str, password: str) -> bool:
    """Write a new password into ``operator.json`` if it is of this account: the commands sign in with it."""
    path = settings.data_directory / OPERATOR_FILE
    if not path.exists() or json.loads(path.read_bytes()).get("username") != username:
        return False
    write_file(path, json.dumps({"username": username, "password": password}).encode())
    return True
