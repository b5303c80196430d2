"""Accounts that an operator makes: in the stores when the service is stopped, through it when it runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, Protocol

from backend.adapters.data_directory import DataDirectoryInUse
from backend.audit import codes
from backend.audit.entry import Agent, AgentKind, AuditEvent, Outcome
from backend.bootstrap import World, open_world
from backend.errors import InvalidInput
from backend.identity.roles import Role
from backend.maintenance.running import RunningService
from backend.settings import Settings
from backend.types import MemberId, to_hex

MEMBER_DAYS = 365


class Accounts(Protocol):
    def add_user(self, username: str, password: str, roles: list[str]) -> dict[str, Any]: ...

    def add_member(self, name: str, roles: list[str]) -> str:
        """Return the new member's id as 0x hex."""
        ...

    def add_client(self, name: str, roles: list[str], member_id: str) -> dict[str, Any]: ...


class _Stopped:
    def __init__(self, world: World) -> None:
        self._world = world

    def add_user(self, username: str, password: str, roles: list[str]) -> dict[str, Any]:
        made = self._world.services.identity.add_user(
            username=username,
            password=password,
            roles=_roles(roles),
            member_id=self._world.stores.tenant,
            by=None,
        )
        return {
            "staff_id": made.staff_id,
            "username": made.username,
            "roles": sorted(role.value for role in made.roles),
        }

    def add_member(self, name: str, roles: list[str]) -> str:
        services = self._world.services
        member = services.admit(name, roles=_roles(roles), account=None, days=MEMBER_DAYS)
        services.audit.append(
            AuditEvent(
                type=codes.PARTICIPANT_CHANGED,
                outcome=Outcome.CHANGED,
                occurred_at_ms=services.clock() * 1000,
                actor=Agent(AgentKind.SERVICE, "operator"),
                organisation=member,
            )
        )
        return to_hex(member)

    def add_client(self, name: str, roles: list[str], member_id: str) -> dict[str, Any]:
        client_id, secret = self._world.services.identity.add_client(
            name=name, roles=_roles(roles), member_id=_member(member_id), by=None
        )
        return {"client_id": client_id, "client_secret": secret, "member_id": member_id}


class _Running:
    def __init__(self, service: RunningService) -> None:
        self._service = service

    def add_user(self, username: str, password: str, roles: list[str]) -> dict[str, Any]:
        return self._service.post(
            "/v1/users", {"username": username, "password": password, "roles": _names(roles)}
        )

    def add_member(self, name: str, roles: list[str]) -> str:
        answer = self._service.post("/v1/members", {"name": name, "roles": _names(roles)})
        return str(answer["member_id"])

    def add_client(self, name: str, roles: list[str], member_id: str) -> dict[str, Any]:
        body = {"name": name, "roles": _names(roles), "member_id": to_hex(_member(member_id))}
        return self._service.post("/v1/clients", body)


@contextmanager
def open_accounts(settings: Settings) -> Iterator[Accounts]:
    """Open the stores, or talk to the service that has them open."""
    try:
        world = open_world(settings)
    except DataDirectoryInUse:
        with closing(RunningService(settings.data_directory)) as service:
            yield _Running(service)
        return
    with closing(world):
        yield _Stopped(world)


def _roles(names: list[str]) -> frozenset[Role]:
    try:
        return frozenset(Role(name) for name in names)
    except ValueError as failure:
        known = ", ".join(role.value for role in Role)
        raise InvalidInput(f"One of the roles is unknown. There are: {known}.", field="roles") from failure


def _names(names: list[str]) -> list[str]:
    return sorted(role.value for role in _roles(names))


def _member(text: str) -> MemberId:
    try:
        member = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        member = b""
    if len(member) != 32:
        raise InvalidInput("A member id is 32 bytes in hex.", field="member")
    return MemberId(member)
