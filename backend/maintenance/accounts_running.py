"""Accounts through the service that runs."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from backend.consent.notices import Notice, check_notice
from backend.identity.roles import Role
from backend.maintenance.account_names import MAX_LISTED, read_delivery_state, read_member, read_roles
from backend.maintenance.running import RunningService
from backend.types import to_hex


class AccountsOfRunning:
    """Implements ``backend.maintenance.accounts.Accounts``."""

    def __init__(self, service: RunningService) -> None:
        self._service = service

    def add_user(self, username: str, password: str, roles: list[str]) -> dict[str, Any]:
        body = {"username": username, "password": password, "roles": _names(read_roles(roles))}
        return self._service.post("/v1/users", body)

    def users(self) -> list[dict[str, Any]]:
        return self._service.list("/v1/users")

    def set_user_disabled(self, staff_id: str, disabled: bool) -> dict[str, Any]:
        return self._service.put(f"/v1/users/{_path(staff_id)}/state", {"disabled": disabled})

    def set_user_roles(self, staff_id: str, roles: list[str]) -> dict[str, Any]:
        body = {"roles": _names(read_roles(roles))}
        return self._service.put(f"/v1/users/{_path(staff_id)}/roles", body)

    def reset_password(self, staff_id: str, password: str) -> None:
        self._service.put(f"/v1/users/{_path(staff_id)}/password", {"password": password})

    def add_member(self, name: str, roles: list[str]) -> dict[str, Any]:
        return self._service.post("/v1/members", {"name": name, "roles": _names(read_roles(roles))})

    def admit_custodian(self, name: str, member_id: str, account: str) -> dict[str, Any]:
        body = {"name": name, "member_id": to_hex(read_member(member_id)), "account": account}
        return self._service.post("/v1/members/custodians", body)

    def members(self) -> list[dict[str, Any]]:
        return self._service.list("/v1/members")

    def suspend_member(self, member_id: str) -> dict[str, Any]:
        return self._service.post(f"/v1/members/{to_hex(read_member(member_id))}/suspend", {})

    def reinstate_member(self, member_id: str) -> dict[str, Any]:
        return self._service.post(f"/v1/members/{to_hex(read_member(member_id))}/reinstate", {})

    def remove_member(self, member_id: str) -> dict[str, Any]:
        return self._service.post(f"/v1/members/{to_hex(read_member(member_id))}/remove", {})

    def add_client(self, name: str, roles: list[str], member_id: str) -> dict[str, Any]:
        member = to_hex(read_member(member_id))
        body = {"name": name, "roles": _names(read_roles(roles)), "member_id": member}
        return self._service.post("/v1/clients", body)

    def clients(self) -> list[dict[str, Any]]:
        return self._service.list("/v1/clients")

    def set_client_disabled(self, client_id: str, disabled: bool) -> dict[str, Any]:
        return self._service.put(f"/v1/clients/{_path(client_id)}/state", {"disabled": disabled})

    def rotate_secret(self, client_id: str, overlap_seconds: int) -> dict[str, Any]:
        body = {"overlap_seconds": overlap_seconds}
        return self._service.post(f"/v1/clients/{_path(client_id)}/secret", body)

    def deliveries(self, state: str) -> list[dict[str, Any]]:
        wanted = read_delivery_state(state)
        narrowed = "" if wanted is None else f"&state={wanted.value}"
        return self._service.list(f"/v1/webhook-deliveries?limit={MAX_LISTED}{narrowed}")

    def retry_delivery(self, message_id: str) -> dict[str, Any]:
        return self._service.post(f"/v1/webhook-deliveries/{_path(message_id)}/retry", {})

    def publish_notice(self, content: bytes, language: str, media_type: str) -> dict[str, Any]:
        notice = Notice(language, media_type, content)
        check_notice(notice)  # here, where an error can name the file's fault before anything is sent
        body = {"language": language, "media_type": media_type, "text": content.decode()}
        return self._service.post("/v1/notices", body)

    def notices(self) -> list[dict[str, Any]]:
        return self._service.list("/v1/notices")

    def rotate_signing_key(self, *, compromised: bool) -> dict[str, Any]:
        return self._service.post("/v1/signing-keys", {"compromised": compromised})

    def rotate_audit_keys(self) -> dict[str, Any]:
        return self._service.post("/v1/audit/key-epochs", {})


def _names(roles: frozenset[Role]) -> list[str]:
    return sorted(role.value for role in roles)


def _path(identifier: str) -> str:
    """An id as typed must not lead to another route."""
    return quote(identifier, safe="")
