"""The program's commands, as an operator calls them; and what a failed start tells."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from fhir.resources.R4B.auditevent import AuditEvent
from typer.testing import CliRunner, Result

from backend.adapters.data_directory import DataDirectory
from backend.adapters.process import free_port
from backend.cli import app
from scripts.generate_bundles import encode, generate
from tests.support.process_world import People, Program, running_program

PASSWORD = "a password that is long enough"
COMMANDS = [
    ["up"], ["demo"], ["deploy"], ["import"], ["fsck"], ["reindex"], ["users"], ["users", "add"],
    ["users", "list"], ["users", "disable"], ["users", "enable"], ["users", "set-roles"],
    ["users", "reset-password"], ["clients"], ["clients", "add"], ["clients", "list"],
    ["clients", "disable"], ["clients", "enable"], ["clients", "rotate-secret"], ["keys"],
    ["keys", "rotate"], ["keys", "list"], ["members"], ["members", "list"], ["members", "suspend"],
    ["members", "reinstate"], ["members", "remove"], ["audit"], ["audit", "verify"], ["audit", "fsck"],
    ["audit", "export"], ["audit", "compare"], ["audit", "rotate-key"], ["audit", "tiles"], ["witness"],
    ["witness-key"], ["audit", "replay"], ["audit", "affected"],
    ["ledger"], ["ledger", "show"], ["ledger", "watch"], ["ledger", "verify"],
]  # fmt: skip


class Usage(NamedTuple):
    """A disk's size in bytes."""

    total: int
    used: int
    free: int


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    with running_program(tmp_path_factory.mktemp("cli")) as running:
        yield running


def answer(*arguments: str | Path, stdin: str = "", status: int = 0) -> dict[str, Any]:
    done = invoke(*arguments, "--json", stdin=stdin)
    assert done.exit_code == status, done.output
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_command_help_is_there(command: list[str]) -> None:
    shown = CliRunner().invoke(app, [*command, "--help"])
    assert shown.exit_code == 0
    assert "Usage:" in shown.output


def test_accounts_added_while_the_service_runs_and_while_it_is_stopped_can_sign_in(program: Program) -> None:
    where = ("--data-directory", program.data)
    for name in ("running", "stopped"):
        if name == "stopped":
            assert program.stop() == 0
        made = answer("users", "add", f"desk-{name}", "--role", "identity_desk", "--password-stdin", *where,
                      stdin=PASSWORD + "\n")  # fmt: skip
        assert (made["username"], made["roles"]) == (f"desk-{name}", ["identity_desk"])
        drawn = answer("users", "add", f"drawn-{name}", "--role", "auditor", *where)
        first = answer("clients", "add", "one", "--role", "provider", "--new-member", "A Clinic", *where)
        second = answer("clients", "add", "two", "--role", "provider", "--member", first["member_id"], *where)
        assert second["member_id"] == first["member_id"]
        if name == "stopped":
            program.start()
        sign_in(program, {"username": f"desk-{name}", "password": PASSWORD})
        sign_in(program, {"username": f"drawn-{name}", "password": drawn["password"]})
        for client in (first, second):
            granted = program.http.post(
                "/oauth2/token",
                data={"grant_type": "client_credentials"},
                auth=(client["client_id"], client["client_secret"]),
            )
            assert granted.is_success, granted.text


def test_accounts_that_are_refused_say_why_running_or_not(program: Program) -> None:
    where = ["--data-directory", str(program.data)]
    refused(["users", "add", "no-role", "--role", "nonsense", *where], "invalid_input")
    weak = ["users", "add", "weak", "--role", "auditor", "--password-stdin", *where]
    refused(weak, "password", stdin="short\n")
    client = ["clients", "add", "x", "--role", "provider"]
    refused([*client, *where], "usage")
    refused([*client, "--member", "0x12", *where], "invalid_input")


def test_import_is_repeatable_and_says_what_it_refused(program: Program, tmp_path: Path) -> None:
    people = People(program)
    first, second = generate(2, 11)
    _identify(first, people.record_number)
    folder = tmp_path / "bundles"
    folder.mkdir()
    (folder / "a.json").write_bytes(encode(first))
    (folder / "b.json").write_bytes(encode(second))
    (folder / "c.json").write_bytes(b"{")
    refused(["import", str(folder), "--data-directory", str(program.data)], "data_directory_in_use")
    assert program.stop() == 0
    try:
        dry = answer("import", folder, "--dry-run", "--data-directory", program.data, status=1)
        assert dry["counts"] == {"would be stored": 1, "refused": 2}
        done = answer("import", folder, "--data-directory", program.data, status=1)
        assert [(file["file"], file["result"], file["code"]) for file in done["files"]] == [
            ("a.json", "stored", ""),
            ("b.json", "refused", "patient_not_enrolled"),
            ("c.json", "refused", done["files"][2]["code"]),
        ]
        assert done["files"][2]["code"]
        again = answer("import", folder, "--data-directory", program.data, status=1)
        assert again["counts"] == {"already stored": 1, "refused": 2}
        assert again["files"][0]["record_id"] == done["files"][0]["record_id"] == dry["files"][0]["record_id"]
        checked = answer("fsck", "--data-directory", program.data)
        assert checked["checked"]["record versions"] == 1
        assert answer("audit", "fsck", "--data-directory", program.data)["sound"]
        exported(program.data, people.patient.subject)
        assert answer("reindex", "--data-directory", program.data)["consents"] == 1
        deployed = answer("deploy", "--data-directory", program.data)
        assert deployed["ConsentRegistry"].startswith("0x")
        assert answer("deploy", "--data-directory", program.data) == deployed
    finally:
        program.start()
    people.reconnect()
    assert people.listed_records() == [done["files"][0]["record_id"]]


def exported(data: Path, subject: str) -> None:
    """The log can be exported, whole and of one patient, and says so itself."""
    where = ("--data-directory", data)

    def events(*arguments: str) -> list[dict[str, Any]]:
        done = invoke("audit", "export", *arguments, *where)
        assert done.exit_code == 0, done.output
        found = [json.loads(line) for line in done.stdout.splitlines()]
        for event in found:
            AuditEvent.model_validate(event)
        return found

    whole, of_patient = events(), events("--subject", subject)
    ids = [event["id"] for event in whole]
    assert ids == [f"entry-{index}" for index in range(len(whole))]
    assert {event["id"] for event in of_patient} < set(ids)
    assert [event for event in whole if subject in json.dumps(event)] == of_patient
    last = events()[-2:]  # of the two exports before
    assert ["audit-export" in json.dumps(event) for event in last] == [True, True]
    refused(
        ["audit", "export", "--subject", "0x" + "0" * 23 + "1", "--data-directory", str(data)], "not_found"
    )
    refused(["audit", "export", "--subject", "Anna", "--data-directory", str(data)], "usage")


def test_import_of_an_empty_folder_is_named(tmp_path: Path) -> None:
    refused(["import", str(tmp_path), "--data-directory", str(tmp_path / "data")], "nothing_to_import")


@pytest.mark.parametrize(
    "command",
    [["fsck"], ["reindex"], ["audit", "fsck"], ["audit", "export"], ["audit", "replay", "0"]],
    ids=" ".join,
)
def test_checks_of_a_directory_without_deployment_make_none(command: list[str], tmp_path: Path) -> None:
    refused([*command, "--data-directory", str(tmp_path / "none")], "no_deployment")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_service_that_is_asked_to_end_closes_in_order(tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C sends the one, a supervisor or a container the other."""
    program = Program(tmp_path, ASSENT_ANCHOR_INTERVAL_SECONDS="3600")
    program.start()
    program.process.send_signal(number)
    status = program.process.wait(60)
    program.http.close()
    assert status == 0
    assert b"anchoring the audit log and stopping" in program.log.read_bytes()
    checked = answer("audit", "fsck", "--data-directory", program.data)["checked"]
    assert checked["checkpoints"] == 1, checked


def test_start_on_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        refused(
            ["up", "--port", port, "--data-directory", str(tmp_path / "data")],
            "port_taken",
            "assent up --port",
        )
    assert not (tmp_path / "data").exists()


def test_start_on_a_directory_in_use_is_named(tmp_path: Path) -> None:
    owner = DataDirectory(tmp_path / "data")
    owner.open()
    try:
        refused(up(tmp_path / "data"), "data_directory_in_use", "ASSENT_DATA_DIRECTORY")
    finally:
        owner.close()


def test_start_on_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "backend.adapters.data_directory.shutil.disk_usage", lambda _: Usage(10**9, 10**9 - 4096, 4096)
    )
    refused(up(tmp_path / "data"), "disk_full", "256 MiB")


def test_start_with_another_passphrase_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = tmp_path / "data"
    monkeypatch.setenv("ASSENT_PASSPHRASE", "the first passphrase")
    assert answer("deploy", "--data-directory", where)["chain_id"]
    monkeypatch.setenv("ASSENT_PASSPHRASE", "another passphrase")
    refused(up(where), "keystore_passphrase", "cannot be recovered")
    monkeypatch.delenv("ASSENT_PASSPHRASE")
    refused(up(where), "keystore_")


@pytest.mark.parametrize("kind", ["a file in the way", "no rights"])
def test_start_on_a_directory_that_cannot_be_written_is_named(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "data"
    if kind == "a file in the way":
        place.write_text("a file")
    else:  # said by the system, since a test that runs as root may write everywhere
        really = os.open

        def denied(path: Any, *args: Any, **kwargs: Any) -> int:
            if Path(path).parent == place:
                raise PermissionError(13, "Permission denied")
            return really(path, *args, **kwargs)

        monkeypatch.setattr("backend.adapters.data_directory.os.open", denied)
    refused(up(place), "data_directory_unusable", "rights")


def test_start_with_an_invalid_setting_is_named(tmp_path: Path) -> None:
    refused(["up", "--port", "0", "--data-directory", str(tmp_path / "data")], "settings_invalid", "ASSENT_")


def up(place: Path) -> list[str]:
    return ["up", "--port", str(free_port()), "--data-directory", str(place)]


def invoke(*arguments: str | Path, stdin: str = "") -> Result:
    """Run a command in this process, which keeps its own logging."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("backend.logs.configure", lambda: None)
        return CliRunner().invoke(app, [str(argument) for argument in arguments], input=stdin)


def refused(arguments: list[str], code: str, remedy: str = "", *, stdin: str = "") -> None:
    """The command ends with status 2 and tells the code and what to do."""
    done = invoke(*arguments, stdin=stdin)
    assert done.exit_code == 2, done.output
    assert code in done.stderr
    assert remedy in done.stderr


def sign_in(program: Program, account: Mapping[str, str]) -> None:
    response = program.http.post("/v1/auth/staff", json=dict(account))
    assert response.is_success, response.text


def _identify(bundle: dict[str, Any], record_number: str) -> None:
    person = next(
        entry["resource"] for entry in bundle["entry"] if entry["resource"]["resourceType"] == "Patient"
    )
    person["identifier"][0]["value"] = record_number
