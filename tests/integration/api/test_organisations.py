"""The names of those who take part, for everybody who is signed in, and nothing more than names."""

from __future__ import annotations

from typing import Any

from backend.demo.actors import Api, Provider, Wallet
from tests.integration.api.world import Service


def organisations(api: Api) -> dict[str, dict[str, Any]]:
    return {row["member_id"]: row for row in api.get("/v1/organisations")}


def test_organisations_have_names_and_standing_for_anybody_signed_in(
    service: Service, clinic: Provider, hospital: Provider, stranger: Wallet
) -> None:
    found = organisations(stranger.api)
    assert found[clinic.member_id] == {
        "member_id": clinic.member_id,
        "name": "Lakeside Clinic",
        "standing": "active",
        "roles": ["provider"],
        "custodian": False,
    }
    own = found[hospital.member_id]
    assert (own["name"], own["custodian"]) == (service.world.services.custodian.name, True)


def test_organisations_that_were_removed_keep_their_names(operator: Api, stranger: Wallet) -> None:
    admitted = operator.post("/v1/members", {"name": "Closed Practice", "roles": ["provider"]})
    operator.post(f"/v1/members/{admitted['member_id']}/remove", {})
    row = organisations(stranger.api)[admitted["member_id"]]
    assert (row["name"], row["standing"]) == ("Closed Practice", "removed")


def test_organisations_are_those_that_operators_see_without_accounts_or_credentials(
    operator: Api, clinic: Provider, stranger: Wallet
) -> None:
    members = operator.get("/v1/members")
    account = "0x" + "5a" * 20
    operator.post("/v1/members", {"name": "With an account", "roles": ["researcher"], "account": account})
    rows = stranger.api.get("/v1/organisations")
    assert [row["member_id"] for row in members] == [row["member_id"] for row in rows][: len(members)]
    assert {name for row in rows for name in row} == {"member_id", "name", "standing", "roles", "custodian"}
    assert account not in str(rows).lower()
