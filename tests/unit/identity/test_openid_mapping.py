"""The operator's file: which roles of the provider are which of ours, and what is refused with its place."""

from __future__ import annotations

import json
from typing import Any

import pytest

from backend.identity.openid.errors import OpenIdMappingInvalid, OpenIdNoRole, OpenIdSeveralOrganisations
from backend.identity.openid.mapping import Position, RoleMapping, read_mapping
from backend.identity.roles import Role
from backend.types import MemberId
from tests.unit.identity.world import CLINIC, OTHER_CLINIC

CUSTODIAN = MemberId(b"\x0a" * 32)


def read(document: Any) -> RoleMapping:
    return read_mapping(json.dumps(document), custodian=CUSTODIAN)


@pytest.fixture
def mapping() -> RoleMapping:
    clinic, other = f"0x{CLINIC.hex()}", f"0x{OTHER_CLINIC.hex().upper()}"
    return read(
        {
            "staff": [
                {"role": "ops", "roles": ["operator"]},
                {"role": "audit", "roles": ["auditor", "privacy_officer"]},
                {"role": "doctors", "roles": ["provider"], "member": clinic},
                {"role": "others", "roles": ["provider"], "member": other},
            ],
            "systems": [
                {"client": "lab", "subject": "5bb0", "roles": ["provider"], "member": clinic},
                {"client": "gateway", "roles": ["device_gateway"]},
            ],
        }
    )


def test_line_without_a_member_is_the_custodians(mapping: RoleMapping) -> None:
    assert mapping.position_of(["ops"]) == Position(frozenset({Role.OPERATOR}), CUSTODIAN)
    assert mapping.position_of(["doctors", "unknown"]) == Position(frozenset({Role.PROVIDER}), CLINIC)
    assert mapping.position_of(["others"]).member_id == OTHER_CLINIC


def test_all_lines_that_apply_count(mapping: RoleMapping) -> None:
    both = mapping.position_of(["audit", "ops", "ops"])
    assert both.roles == {Role.OPERATOR, Role.AUDITOR, Role.PRIVACY_OFFICER}


def test_one_text_is_a_role_too(mapping: RoleMapping) -> None:
    assert mapping.position_of("ops").roles == {Role.OPERATOR}


@pytest.mark.parametrize(
    "claimed",
    [None, [], ["OPS"], ["operator"], [7, None, ["ops"]], {"ops": True}, 7, "", ["ops"] * 2001],
    ids=repr,
)
def test_nothing_that_is_mapped_is_no_role(mapping: RoleMapping, claimed: object) -> None:
    with pytest.raises(OpenIdNoRole):
        mapping.position_of(claimed)


def test_roles_of_two_organisations_are_refused_and_not_chosen_from(mapping: RoleMapping) -> None:
    for claimed in (["doctors", "others"], ["ops", "doctors"]):
        with pytest.raises(OpenIdSeveralOrganisations):
            mapping.position_of(claimed)


def test_system_is_found_by_client_and_subject_together(mapping: RoleMapping) -> None:
    found = mapping.system(client="lab", subject="5bb0")
    assert found is not None
    assert found.position == Position(frozenset({Role.PROVIDER}), CLINIC)
    assert mapping.system(client="gateway", subject="gateway") is not None
    for client, subject in (("lab", "lab"), ("lab", "a person"), ("gateway", "5bb0"), ("", "")):
        assert mapping.system(client=client, subject=subject) is None


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ([], "mapping"),
        ({}, "mapping"),
        ({"staff": [], "systems": []}, "mapping"),
        ({"staf": []}, "mapping.staf"),
        ({"staff": {}}, "staff"),
        ({"staff": ["ops"]}, "staff[0]"),
        ({"staff": [{"roles": ["operator"]}]}, "staff[0].role"),
        ({"staff": [{"role": "", "roles": ["operator"]}]}, "staff[0].role"),
        ({"staff": [{"role": "ops"}]}, "staff[0].roles"),
        ({"staff": [{"role": "ops", "roles": "operator"}]}, "staff[0].roles"),
        ({"staff": [{"role": "ops", "roles": []}]}, "staff[0].roles"),
        ({"staff": [{"role": "ops", "roles": ["root"]}]}, "staff[0].roles"),
        ({"staff": [{"role": "ops", "roles": ["operator", "root"]}]}, "staff[0].roles"),
        ({"staff": [{"role": "ops", "roles": ["patient"]}]}, "staff[0].roles"),
        ({"staff": [{"role": "ops", "roles": ["operator"], "membr": "0x"}]}, "staff[0].membr"),
        ({"staff": [{"role": "ops", "roles": ["operator"], "member": "0x12"}]}, "staff[0].member"),
        ({"systems": [{"client": "lab", "roles": ["operator"]}]}, "systems[0].roles"),
        ({"systems": [{"client": 7, "roles": ["provider"]}]}, "systems[0].client"),
        (
            {"systems": [{"client": name, "subject": "s", "roles": ["provider"]} for name in ("a", "b")]},
            "systems",
        ),
    ],
    ids=str,
)
def test_file_that_is_wrong_is_refused_with_the_place(document: Any, place: str) -> None:
    with pytest.raises(OpenIdMappingInvalid) as refusal:
        read(document)
    assert refusal.value.field == place


def test_file_that_is_not_json_is_refused() -> None:
    with pytest.raises(OpenIdMappingInvalid):
        read_mapping("{", custodian=CUSTODIAN)
