"""Accounts in the stores themselves, while no service has them open."""

from __future__ import annotations

from typing import Any, Final, Protocol

from backend.api.clients import client_view
from backend.api.members import member_view, standing_view
from backend.api.notices import notice_views
from backend.api.users import user_view
from backend.api.webhooks import delivery_view
from backend.audit.entry import Agent, AgentKind
from backend.bootstrap import World
from backend.consent.notices import Notice
from backend.idempotency import Attempt
from backend.identity.types import Client
from backend.maintenance.account_names import (
    MAX_LISTED,
    read_account,
    read_delivery_state,
    read_member,
    read_roles,
)
from backend.types import MemberId, to_hex

MEMBER_DAYS: Final = 365
CUSTODIAN_DAYS: Final = 1826
_BY: Final = ""  # the operator's own program, which needs no account
_OPERATOR: Final = Agent(AgentKind.SERVICE, "operator")  # the same, in the log of participants


class ChangeOfMember(Protocol):
    def __call__(self, member: MemberId, *, by: Agent) -> None: ...


class AccountsOfStopped:
    """Implements ``backend.maintenance.accounts.Accounts``."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._services = world.services
        self._identity = world.services.identity

    def add_user(self, username: str, password: str, roles: list[str]) -> dict[str, Any]:
        made = self._identity.add_user(
            username=username,
            password=password,
            roles=read_roles(roles),
            member_id=self._world.stores.tenant,
            by=None,
        )
        return user_view(made).model_dump(mode="json")

    def users(self) -> list[dict[str, Any]]:
        return [user_view(staff).model_dump(mode="json") for staff in self._identity.staff.all()]

    def set_user_disabled(self, staff_id: str, disabled: bool) -> dict[str, Any]:
        change = self._identity.staff.disable if disabled else self._identity.staff.enable
        return user_view(change(staff_id, by=_BY)).model_dump(mode="json")

    def set_user_roles(self, staff_id: str, roles: list[str]) -> dict[str, Any]:
        changed = self._identity.staff.set_roles(staff_id, read_roles(roles), by=_BY)
        return user_view(changed).model_dump(mode="json")

    def reset_password(self, staff_id: str, password: str) -> None:
        self._identity.staff.reset_password(staff_id, password, by=_BY)

    def add_member(self, name: str, roles: list[str]) -> dict[str, Any]:
        member = self._services.admissions.admit(
            name,
            roles=read_roles(roles),
            account=None,
            days=MEMBER_DAYS,
            attempt=Attempt.only(now=self._services.clock()),
            by=_OPERATOR,
        )
        return member_view(self._services.member_book.get(member)).model_dump(mode="json")

    def admit_custodian(self, name: str, member_id: str, account: str) -> dict[str, Any]:
        member = read_member(member_id)
        self._services.admissions.admit_custodian(
            name,
            member=member,
            account=read_account(account),
            days=CUSTODIAN_DAYS,
            begun_at=self._services.clock(),
            by=_OPERATOR,
        )
        return member_view(self._services.member_book.get(member)).model_dump(mode="json")

    def members(self) -> list[dict[str, Any]]:
        return [member_view(entry).model_dump(mode="json") for entry in self._services.member_book.all()]

    def suspend_member(self, member_id: str) -> dict[str, Any]:
        return self._changed(self._services.member_stops.suspend, member_id)

    def reinstate_member(self, member_id: str) -> dict[str, Any]:
        return self._changed(self._services.admissions.reinstate, member_id)

    def remove_member(self, member_id: str) -> dict[str, Any]:
        return self._changed(self._services.member_stops.remove, member_id)

    def add_client(self, name: str, roles: list[str], member_id: str) -> dict[str, Any]:
        client_id, secret = self._identity.add_client(
            name=name, roles=read_roles(roles), member_id=read_member(member_id), by=None
        )
        return {"client_id": client_id, "client_secret": secret, "member_id": member_id}

    def clients(self) -> list[dict[str, Any]]:
        return [self._view(client) for client in self._identity.clients.all()]

    def set_client_disabled(self, client_id: str, disabled: bool) -> dict[str, Any]:
        change = self._identity.clients.disable if disabled else self._identity.clients.enable
        return self._view(change(client_id, by=_BY))

    def rotate_secret(self, client_id: str, overlap_seconds: int) -> dict[str, Any]:
        secret = self._identity.clients.rotate_secret(client_id, overlap_seconds=overlap_seconds, by=_BY)
        member_id = to_hex(self._identity.clients.get(client_id).member_id)
        return {"client_id": client_id, "client_secret": secret, "member_id": member_id}

    def deliveries(self, state: str) -> list[dict[str, Any]]:
        found = self._services.deliveries.listed(read_delivery_state(state), receiver=None, limit=MAX_LISTED)
        return [delivery_view(delivery).model_dump(mode="json") for delivery in found]

    def retry_delivery(self, message_id: str) -> dict[str, Any]:
        return delivery_view(self._services.deliveries.again(message_id)).model_dump(mode="json")

    def publish_notice(self, content: bytes, language: str, media_type: str) -> dict[str, Any]:
        name = to_hex(self._services.notices.publish(Notice(language, media_type, content), by=_OPERATOR))
        return next(view for view in self.notices() if view["notice"] == name)

    def notices(self) -> list[dict[str, Any]]:
        return [view.model_dump(mode="json") for view in notice_views(self._services.notices.all())]

    def rotate_signing_key(self, *, compromised: bool) -> dict[str, Any]:
        return {"key_id": self._identity.ring.rotate(by=_BY, compromised=compromised)}

    def rotate_audit_keys(self) -> dict[str, Any]:
        return {"raised": self._services.audit_keys.rotate(by=_OPERATOR)}

    def _changed(self, change: ChangeOfMember, member_id: str) -> dict[str, Any]:
        member = read_member(member_id)
        change(member, by=_OPERATOR)
        return standing_view(member, self._services).model_dump(mode="json")

    def _view(self, client: Client) -> dict[str, Any]:
        return client_view(client, now=self._services.clock()).model_dump(mode="json")
