"""Which roles of the provider are which of ours, for which organisation; and which systems there are.

The file is the operator's. It is read at start and refused as a whole when one member is wrong: a line that
was skipped would take roles away, or leave the wrong ones, without anybody being told.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from backend.identity.openid.errors import OpenIdMappingInvalid, OpenIdNoRole, OpenIdSeveralOrganisations
from backend.identity.roles import CLIENT_ROLES, STAFF_ROLES, Role, known_roles
from backend.types import MemberId

_MEMBER: Final = re.compile(r"0x[0-9a-f]{64}")
_MAX_CHARACTERS: Final = 255
_MAX_CLAIMED: Final = 2_000  # roles in one token


@dataclass(frozen=True, slots=True)
class Position:
    """What somebody is here."""

    roles: frozenset[Role]
    member_id: MemberId


@dataclass(frozen=True, slots=True)
class MappedRole:
    name: str  # as the provider calls it
    position: Position


@dataclass(frozen=True, slots=True)
class MappedSystem:
    """``subject``: the ``sub`` of the tokens that it gets for itself, never that of a person."""

    client: str
    subject: str
    position: Position


@dataclass(frozen=True, slots=True)
class RoleMapping:
    staff: tuple[MappedRole, ...]
    systems: tuple[MappedSystem, ...]

    def position_of(self, claimed: object) -> Position:
        """Return what somebody with these roles of the provider is here; all lines that apply count.

        Raises OpenIdNoRole, OpenIdSeveralOrganisations.
        """
        names = _names(claimed)
        found = [line.position for line in self.staff if line.name in names]
        if not found:
            raise OpenIdNoRole
        if len({position.member_id for position in found}) > 1:
            raise OpenIdSeveralOrganisations
        return Position(frozenset().union(*(position.roles for position in found)), found[0].member_id)

    def system(self, *, client: str, subject: str) -> MappedSystem | None:
        return next((one for one in self.systems if (one.client, one.subject) == (client, subject)), None)


def read_mapping(text: str, *, custodian: MemberId) -> RoleMapping:
    """Read the file. ``custodian``: the organisation of lines that name none. Raises OpenIdMappingInvalid."""
    try:
        document = json.loads(text)
    except ValueError as failure:
        raise OpenIdMappingInvalid("The file is not JSON.", field="mapping") from failure
    whole = _members(document, "mapping", needed=(), optional=("staff", "systems"))
    staff = tuple(
        _role(line, f"staff[{number}]", custodian)
        for number, line in enumerate(_list(whole.get("staff", []), "staff"))
    )
    systems = tuple(
        _system(line, f"systems[{number}]", custodian)
        for number, line in enumerate(_list(whole.get("systems", []), "systems"))
    )
    if not staff and not systems:
        raise OpenIdMappingInvalid("The file maps nobody.", field="mapping")
    if len({line.subject for line in systems}) < len(systems):
        raise OpenIdMappingInvalid("Two systems have one subject.", field="systems")
    return RoleMapping(staff, systems)


def _role(line: object, place: str, custodian: MemberId) -> MappedRole:
    members = _members(line, place, needed=("role", "roles"), optional=("member",))
    name = _text(members["role"], f"{place}.role")
    return MappedRole(name, _position(members, place, STAFF_ROLES, custodian))


def _system(line: object, place: str, custodian: MemberId) -> MappedSystem:
    members = _members(line, place, needed=("client", "roles"), optional=("member", "subject"))
    client = _text(members["client"], f"{place}.client")
    # RFC 9068, 2.2: a client that asks for itself is the subject of its token.
    subject = _text(members.get("subject", client), f"{place}.subject")
    return MappedSystem(client, subject, _position(members, place, CLIENT_ROLES, custodian))


def _position(
    members: Mapping[str, Any], place: str, allowed: frozenset[Role], custodian: MemberId
) -> Position:
    names = [_text(name, f"{place}.roles") for name in _list(members["roles"], f"{place}.roles")]
    roles = known_roles(names)
    if not roles or len(roles) != len(set(names)) or not roles <= allowed:
        may = ", ".join(sorted(allowed))
        raise OpenIdMappingInvalid(f"Name roles of this service: {may}.", field=f"{place}.roles")
    member = members.get("member")
    if member is None:
        return Position(roles, custodian)
    if not isinstance(member, str) or _MEMBER.fullmatch(member.lower()) is None:
        raise OpenIdMappingInvalid("A member id is 0x and 64 hex digits.", field=f"{place}.member")
    return Position(roles, MemberId(bytes.fromhex(member[2:])))


def _members(
    value: object, place: str, *, needed: Collection[str], optional: Collection[str]
) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise OpenIdMappingInvalid("An object belongs here.", field=place)
    for name in value:
        if name not in needed and name not in optional:
            raise OpenIdMappingInvalid("Nothing has this name here.", field=f"{place}.{name}"[:200])
    for name in needed:
        if name not in value:
            raise OpenIdMappingInvalid("This member is missing.", field=f"{place}.{name}")
    return value


def _list(value: object, place: str) -> list[object]:
    if not isinstance(value, list):
        raise OpenIdMappingInvalid("A list belongs here.", field=place)
    return value


def _text(value: object, place: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_CHARACTERS:
        raise OpenIdMappingInvalid("A text of 1 to 255 characters belongs here.", field=place)
    return value


def _names(claimed: object) -> frozenset[str]:
    """Return the provider's roles of somebody: a list of texts, or one text. Anything else is no role."""
    if isinstance(claimed, str):
        return frozenset({claimed})
    if not isinstance(claimed, list) or len(claimed) > _MAX_CLAIMED:
        return frozenset()
    return frozenset(name for name in claimed if isinstance(name, str))
