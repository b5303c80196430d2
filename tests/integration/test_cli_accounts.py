"""Accounts kept by commands, while the service runs and while it is stopped: with the same effect."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from backend.cli import app
from tests.support.process_world import Program, running_program

PASSWORD = "a password that is long enough"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    with running_program(tmp_path_factory.mktemp("cli-accounts")) as running:
        yield running


@pytest.fixture(params=["running", "stopped"])
def state(request: pytest.FixtureRequest, program: Program) -> Iterator[str]:
    """Whether the service runs while the commands do; it runs again afterwards."""
    if request.param == "stopped":
        assert program.stop() == 0
    yield request.param
    if program.process.poll() is not None:
        program.start()


def invoke(program: Program, *arguments: str, stdin: str = "") -> Result:
    """Run a command in this process, which keeps its own logging."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("backend.logs.configure", lambda: None)
        where = ["--data-directory", str(program.data)]
        return CliRunner().invoke(app, [*arguments, *where], input=stdin)


def answer(program: Program, *arguments: str, stdin: str = "") -> Any:
    done = invoke(program, *arguments, "--json", stdin=stdin)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout.splitlines()[-1])


def refused(program: Program, *arguments: str, code: str) -> None:
    done = invoke(program, *arguments)
    assert done.exit_code == 2, done.output
    assert code in done.stderr


def signs_in(program: Program, username: str, password: str) -> bool:
    body = {"username": username, "password": password}
    return program.http.post("/v1/auth/staff", json=body).is_success


def gets_token(program: Program, client_id: str, secret: str) -> bool:
    form = {"grant_type": "client_credentials"}
    return program.http.post("/oauth2/token", data=form, auth=(client_id, secret)).is_success


def running(program: Program) -> None:
    """Start the service again if the test stopped it, to see the effect."""
    if program.process.poll() is not None:
        program.start()


def test_users_are_closed_opened_and_mended(program: Program, state: str) -> None:
    name = f"person-{state}"
    add = ("users", "add", name, "--role", "auditor", "--password-stdin")
    made = answer(program, *add, stdin=PASSWORD + "\n")
    assert made in answer(program, "users", "list")
    assert name in invoke(program, "users", "list").stdout
    assert answer(program, "users", "disable", name)["disabled"] is True
    refused(program, "users", "disable", "nobody-at-all", code="staff_unknown")
    assert answer(program, "users", "enable", made["staff_id"])["disabled"] is False
    roles = answer(program, "users", "set-roles", name, "--role", "researcher")["roles"]
    assert roles == ["researcher"]
    drawn = answer(program, "users", "reset-password", name)
    assert drawn["operator_file"] is False
    running(program)
    assert not signs_in(program, name, PASSWORD)
    assert signs_in(program, name, drawn["password"])


def test_disabled_user_cannot_sign_in(program: Program, state: str) -> None:
    name = f"gone-{state}"
    answer(program, "users", "add", name, "--role", "auditor", "--password-stdin", stdin=PASSWORD + "\n")
    answer(program, "users", "disable", name)
    running(program)
    assert not signs_in(program, name, PASSWORD)


def test_last_operator_stays_and_its_new_password_is_kept_for_the_commands(
    program: Program, state: str
) -> None:
    refused(program, "users", "disable", "operator", code="last_operator")
    refused(program, "users", "set-roles", "operator", "--role", "auditor", code="last_operator")
    before = operator_file(program)
    reset = answer(program, "users", "reset-password", "operator")
    assert reset["operator_file"] is True
    assert operator_file(program) == {"username": "operator", "password": reset["password"]} != before
    assert answer(program, "users", "list")
    running(program)
    assert signs_in(program, "operator", reset["password"])
    assert not signs_in(program, "operator", before["password"])
    assert (program.data / "operator.json").stat().st_mode & 0o077 == 0


def test_clients_are_closed_opened_and_given_new_secrets(program: Program, state: str) -> None:
    made = answer(program, "clients", "add", "one", "--role", "provider", "--new-member", f"Clinic {state}")
    client_id = made["client_id"]
    assert client_id in [client["client_id"] for client in answer(program, "clients", "list")]
    assert made["client_secret"] not in invoke(program, "clients", "list").stdout
    assert answer(program, "clients", "disable", client_id)["disabled"] is True
    assert answer(program, "clients", "enable", client_id)["disabled"] is False
    kept = answer(program, "clients", "rotate-secret", client_id, "--overlap-seconds", "600")
    running(program)
    assert gets_token(program, client_id, made["client_secret"])
    assert gets_token(program, client_id, kept["client_secret"])
    if state == "stopped":
        assert program.stop() == 0
    last = answer(program, "clients", "rotate-secret", client_id, "--overlap-seconds", "0")
    refused(program, "clients", "rotate-secret", "0" * 32, code="client_unknown")
    running(program)
    assert not gets_token(program, client_id, kept["client_secret"])
    assert gets_token(program, client_id, last["client_secret"])


def test_members_are_stopped_and_come_back(program: Program, state: str) -> None:
    made = answer(program, "clients", "add", "one", "--role", "provider", "--new-member", f"Practice {state}")
    member = made["member_id"]
    assert (made["standing"], made["effective_from"]) == ("active", None)

    def listed() -> dict[str, Any]:
        (found,) = [each for each in answer(program, "members", "list") if each["member_id"] == member]
        return found

    assert (listed()["name"], listed()["standing"]) == (f"Practice {state}", "active")
    assert f"Practice {state}" in invoke(program, "members", "list").stdout
    assert answer(program, "members", "suspend", member)["standing"] == "suspended"
    assert listed()["standing"] == "suspended"
    assert "suspended" in invoke(program, "members", "suspend", member).stdout
    assert answer(program, "members", "reinstate", member.removeprefix("0x"))["standing"] == "active"
    assert listed()["standing"] == "active"
    assert answer(program, "members", "remove", member)["standing"] == "removed"
    refused(program, "members", "reinstate", member, code="member_removed")
    refused(program, "members", "suspend", "0x" + "cd" * 32, code="member_unknown")
    refused(program, "members", "suspend", "../users", code="invalid_input")
    tenant = next(
        each["member_id"] for each in answer(program, "members", "list") if "custodian" in each["roles"]
    )
    refused(program, "members", "remove", tenant, code="custodian_itself")


def test_signing_keys_are_rotated(program: Program, state: str) -> None:
    running(program)
    token = program.operator().token
    if state == "stopped":
        assert program.stop() == 0
    newest = answer(program, "keys", "rotate", "--compromised")["key_id"]
    running(program)
    keys = program.http.get("/.well-known/jwks.json").json()["keys"]
    assert [key["kid"] for key in keys] == [newest]
    listed = program.http.get("/v1/users", headers={"Authorization": f"Bearer {token}"})
    assert (listed.status_code, listed.json()["code"]) == (401, "token_invalid")
    if state == "stopped":
        assert program.stop() == 0
    waiting = answer(program, "keys", "rotate")["key_id"]
    assert answer(program, "keys", "rotate")["key_id"] == waiting != newest


def test_notices_are_published_and_listed(program: Program, state: str, tmp_path: Path) -> None:
    text = tmp_path / "notice.md"
    text.write_text(f"# Hinweis\n\nWiderruf ist jederzeit möglich ({state}).\n", encoding="utf-8")
    made = answer(program, "notices", "add", str(text), "--language", "de")
    assert (made["language"], made["media_type"], made["current"]) == ("de", "text/markdown", True)
    listed = answer(program, "notices", "list")
    assert made in listed
    assert sorted(view["language"] for view in listed if view["current"]) == ["de", "en"]
    refused(program, "notices", "add", str(text), "--language", "fr", code="notice_invalid")
    text.write_bytes(b"\xff")
    refused(program, "notices", "add", str(text), "--language", "de", code="notice_invalid")
    running(program)
    served = program.http.get(f"/v1/notices/{made['notice']}")
    assert served.text.startswith("# Hinweis")


def test_commands_without_the_operator_file_say_what_to_do(program: Program, tmp_path: Path) -> None:
    place = program.data / "operator.json"
    kept = place.read_bytes()
    place.unlink()
    try:
        refused(program, "users", "list", code="operator_file_missing")
    finally:
        place.write_bytes(kept)


def test_id_typed_as_a_path_reaches_no_other_route(program: Program) -> None:
    refused(program, "clients", "disable", "../users", code="service_refused")


def operator_file(program: Program) -> dict[str, str]:
    found: dict[str, str] = json.loads((program.data / "operator.json").read_text())
    return found


def test_forwarded_address_is_believed_of_nobody_by_default(program: Program) -> None:
    """The server's own reading of the header believes this machine, and would give new allowances to all."""
    with httpx.Client(base_url=program.url) as http:
        statuses = {
            http.post(
                "/v1/auth/refresh",
                json={"refresh_token": "none"},
                headers={"X-Forwarded-For": f"198.51.{number >> 8}.{number & 255}"},
            ).status_code
            for number in range(2600)  # more than two windows allow
        }
    assert statuses == {401, 429}


def test_another_custodian_is_admitted_under_its_own_id(program: Program, state: str) -> None:
    digit = "a" if state == "stopped" else "b"
    member, account = "0x" + f"5{digit}" * 32, "0x" + f"6{digit}" * 20
    named = ("--name", f"Lakeside {state}")
    made = answer(program, "members", "admit-custodian", member, "--account", account, *named)
    assert (made["member_id"], made["name"], made["standing"]) == (member, f"Lakeside {state}", "active")
    assert made["roles"] == ["custodian", "provider", "relayer"]
    assert made["account"].lower() == account
    assert answer(program, "members", "admit-custodian", member, "--account", account, *named) == made
    other = "0x" + f"7{digit}" * 20
    admit = ("members", "admit-custodian")
    refused(program, *admit, member, "--account", other, *named, code="member_differs")
    refused(program, *admit, "0x" + "9c" * 32, "--account", account, *named, code="account_held")
    refused(program, *admit, member, "--account", "0x12", *named, code="invalid_input")
