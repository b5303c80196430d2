"""What an operator types, read: roles, ids and states."""

from __future__ import annotations

import re
from typing import Final

from backend.api.schemas import account
from backend.errors import InvalidInput
from backend.identity.roles import Role
from backend.notices.types import DeliveryState
from backend.types import Address, MemberId

MAX_LISTED: Final = 1000
_ACCOUNT: Final = re.compile(r"0x[0-9a-fA-F]{40}")


def read_roles(names: list[str]) -> frozenset[Role]:
    """Raises InvalidInput naming the roles that there are."""
    try:
        return frozenset(Role(name) for name in names)
    except ValueError as failure:
        known = ", ".join(role.value for role in Role)
        raise InvalidInput(f"One of the roles is unknown. There are: {known}.", field="roles") from failure


def read_member(text: str) -> MemberId:
    """Raises InvalidInput unless it is 32 bytes in hex."""
    try:
        member = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        member = b""
    if len(member) != 32:
        raise InvalidInput("A member id is 32 bytes in hex.", field="member")
    return MemberId(member)


def read_account(text: str) -> Address:
    """Raises InvalidInput unless it is an account in hex, whose checksum is right where it has one."""
    if not _ACCOUNT.fullmatch(text):
        raise InvalidInput("An account is 0x and 40 hex digits.", field="account")
    return account(text, field="account")


def read_delivery_state(text: str) -> DeliveryState | None:
    """None for 'all'. Raises InvalidInput naming the states that there are."""
    if text == "all":
        return None
    try:
        return DeliveryState(text)
    except ValueError as failure:
        known = ", ".join(state.value for state in DeliveryState)
        raise InvalidInput(f"There is no such state. There are: {known}, all.", field="state") from failure
