"""What an operator types, read: roles and ids."""

from __future__ import annotations

from backend.errors import InvalidInput
from backend.identity.roles import Role
from backend.types import MemberId


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
