"""Settings of the identity provider: what is refused at start, with the setting and the reason."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from backend.errors import OperatorError
from backend.openid_wiring import open_openid
from backend.settings import Settings
from tests.unit.identity.world import CLINIC, World

ISSUER = "https://sso.hospital.example/realms/staff"
MAPPING = {"staff": [{"role": "ops", "roles": ["operator"]}]}


@pytest.fixture
def given(tmp_path: Path) -> dict[str, Any]:
    path = tmp_path / "mapping.json"
    path.write_text(json.dumps(MAPPING))
    return {"openid_issuer": ISSUER, "openid_client_id": "assent", "openid_mapping": path}


def opened(**given: Any) -> Any:
    world = World()
    with ExitStack() as closing:
        return open_openid(
            Settings(_env_file=None, **given),
            custodian=CLINIC,
            keys=world.keys,
            used=world.stores.single_use,
            staff=world.staff,
            clients=world.clients,
            audit=world.audit,
            closing=closing,
            clock=world.clock,
        )


def test_without_an_issuer_nothing_is_offered(given: dict[str, Any]) -> None:
    assert opened() is None
    assert opened(openid_client_id="assent") is None


def test_provider_is_not_asked_at_start(given: dict[str, Any]) -> None:
    openid = opened(**given, public_url="https://assent.example/")
    assert openid.terms.redirect_uri == "https://assent.example/app/openid"
    assert openid.terms.after_sign_out == "https://assent.example/app/"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"openid_client_id": None}, "ASSENT_OPENID_CLIENT_ID"),
        ({"openid_mapping": None}, "ASSENT_OPENID_MAPPING"),
        ({"openid_issuer": "sso.hospital.example"}, "https://NAME/PATH"),
        ({"openid_issuer": "http://sso.hospital.example"}, "needs https"),
        ({"openid_issuer": "https://sso.hospital.example?x=1"}, "nothing but scheme"),
        ({"openid_issuer": "https://me@sso.hospital.example"}, "nothing but scheme"),
        ({"openid_roles_claim": "a..b"}, "openid_roles_claim"),
        ({"openid_roles_claim": ""}, "openid_roles_claim"),
        ({"openid_subject_claim": "two words"}, "openid_subject_claim"),
        ({"openid_session_minutes": 0}, "openid_session_minutes"),
    ],
    ids=str,
)
def test_setting_that_is_wrong_is_refused(
    given: dict[str, Any], changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ValidationError, match=reason):
        opened(**{**given, **changes})


@pytest.mark.parametrize(
    "issuer", ["http://127.0.0.1:8080/realms/a", "http://localhost:8080", "http://[::1]:1/r"]
)
def test_provider_on_this_machine_needs_no_tls(given: dict[str, Any], issuer: str) -> None:
    assert opened(**{**given, "openid_issuer": issuer}) is not None


def test_files_that_cannot_be_used_are_refused_by_name(given: dict[str, Any], tmp_path: Path) -> None:
    empty, binary = tmp_path / "empty", tmp_path / "binary"
    empty.write_text(" \n")
    binary.write_bytes(b"\xff\xfe")
    for setting, path in (
        ("openid_mapping", tmp_path / "nowhere"),
        ("openid_mapping", binary),
        ("openid_client_secret_file", tmp_path / "nowhere"),
        ("openid_client_secret_file", empty),
        ("openid_client_secret_file", binary),
        ("openid_ca_file", empty),
        ("openid_ca_file", tmp_path / "nowhere"),
    ):
        with pytest.raises(OperatorError) as refusal:
            opened(**{**given, setting: path})
        assert refusal.value.field == f"ASSENT_{setting.upper()}"


def test_line_of_the_mapping_that_is_wrong_is_named(given: dict[str, Any]) -> None:
    given["openid_mapping"].write_text(json.dumps({"staff": [{"role": "ops", "roles": ["root"]}]}))
    with pytest.raises(OperatorError, match=r"staff\[0\]\.roles"):
        opened(**given)
