"""Accounts of people: made, listed, closed and mended by operators."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from backend.api.idempotent import Key, attempt
from backend.api.schemas import AccountText, Body, Hex16, Hex32, account, bytes32, moment
from backend.api.security import Caller, needs
from backend.identity.roles import Role, Scope
from backend.identity.types import StaffAccount
from backend.types import MemberId, to_hex

router = APIRouter(prefix="/v1/users", tags=["participants and accounts"])
Accounts = Annotated[Caller, Depends(needs(Scope.ACCOUNT_MANAGE))]
Roles = Annotated[list[Role], Field(min_length=1, max_length=8)]


class UserBody(Body):
    username: str = Field(min_length=1, max_length=64)
    password: str = Field(min_length=1, max_length=1024)
    roles: Roles
    member_id: Hex32 | None = Field(default=None, description="default: this custodian")
    account: AccountText | None = None


class RolesBody(Body):
    roles: Roles


class NewPasswordBody(Body):
    password: str = Field(min_length=1, max_length=1024)


class StateBody(Body):
    """Of an account or a client."""

    disabled: bool


class UserView(BaseModel):
    staff_id: str
    username: str
    roles: list[str]
    member_id: str | None
    account: str | None = Field(description="the wallet with which this person signs on chain")
    by_provider: bool = Field(description="an identity provider vouches for it, and manages it")
    disabled: bool
    created_at: datetime | None


@router.post("", status_code=201, response_model=UserView)
def add_user(body: UserBody, caller: Accounts, idempotency_key: Key = None) -> UserView:
    """Add a staff account."""
    services, principal = caller
    with attempt(caller, "users", idempotency_key, body, without=frozenset({"password"})) as act:
        staff = services.identity.add_user(
            username=body.username,
            password=body.password,
            roles=frozenset(body.roles),
            member_id=services.tenant if body.member_id is None else MemberId(bytes32(body.member_id)),
            account=None if body.account is None else account(body.account, field="account"),
            by=principal,
            attempt=act,
        )
    return user_view(staff)


@router.get("", response_model=list[UserView])
def list_users(caller: Accounts) -> list[UserView]:
    """All staff accounts, by user name."""
    return [user_view(staff) for staff in caller.services.identity.staff.all()]


@router.get("/{user}", response_model=UserView)
def get_user(user: Hex16, caller: Accounts) -> UserView:
    """One staff account, by its id."""
    return user_view(caller.services.identity.staff.get(user))


@router.put("/{user}/state", response_model=UserView)
def set_user_state(user: Hex16, body: StateBody, caller: Accounts) -> UserView:
    """Disable or enable an account. Its sessions end. The last enabled operator cannot be disabled."""
    services, principal = caller
    change = services.identity.staff.disable if body.disabled else services.identity.staff.enable
    return user_view(change(user, by=principal.name))


@router.put("/{user}/roles", response_model=UserView)
def set_user_roles(user: Hex16, body: RolesBody, caller: Accounts) -> UserView:
    """Replace the roles of an account. Its sessions end. The last enabled operator remains one."""
    services, principal = caller
    return user_view(services.identity.staff.set_roles(user, frozenset(body.roles), by=principal.name))


@router.put("/{user}/password", status_code=204, response_class=Response)
def reset_password(user: Hex16, body: NewPasswordBody, caller: Accounts) -> Response:
    """Set a new password for somebody who forgot it, and lift a lock. The account's sessions end."""
    services, principal = caller
    services.identity.staff.reset_password(user, body.password, by=principal.name)
    return Response(status_code=204)


def user_view(staff: StaffAccount) -> UserView:
    return UserView(
        staff_id=staff.staff_id,
        username=staff.username,
        roles=sorted(role.value for role in staff.roles),
        member_id=None if staff.member_id is None else to_hex(staff.member_id),
        account=staff.account,
        by_provider=staff.by_provider,
        disabled=staff.disabled,
        created_at=moment(staff.created_at),
    )
