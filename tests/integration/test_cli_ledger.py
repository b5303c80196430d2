"""``assent ledger`` beside a service: while it runs, while its chain is replaced, and while it is stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.support.process_world import Program, eventually, run_cli, running_program


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    with running_program(tmp_path_factory.mktemp("ledger")) as running:
        yield running


class Watching:
    """``assent ledger watch --json`` in its own process; what it said so far, in order."""

    def __init__(self, data: Path, *options: str) -> None:
        command = [sys.executable, "-m", "backend.cli", "ledger", "watch", "--json", *options]
        self._process = subprocess.Popen(
            [*command, "--data-directory", str(data)],
            env={**os.environ, "NO_COLOR": "1"}, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.said: list[dict[str, Any]] = []
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.said.append(json.loads(line))

    def events(self, name: str) -> list[dict[str, Any]]:
        return [each for each in self.said if each.get("event") == name]

    def notices(self) -> list[str]:
        return [each["notice"] for each in self.said if "notice" in each]

    def stop(self) -> int:
        """Press Ctrl-C."""
        self._process.send_signal(signal.SIGINT)
        status = self._process.wait(20)
        self._reader.join(5)
        if self._process.stdout is not None:
            self._process.stdout.close()
        return status


def ledger(program: Program, *arguments: str) -> tuple[int, dict[str, Any]]:
    done = run_cli("ledger", *arguments, "--json", "--data-directory", program.data)
    return done.returncode, json.loads(done.stdout) if done.stdout else {"error": done.stderr.split(":")[0]}


def admit(program: Program, name: str) -> str:
    """Admit a member and return its id."""
    done = run_cli(
        "clients", "add", name, "--role", "provider", "--new-member", name, "--json",
        "--data-directory", program.data,
    )  # fmt: skip
    return str(json.loads(done.stdout)["member_id"])


def test_running_service_is_verified_shown_and_watched_through_the_loss_of_its_chain(
    program: Program,
) -> None:
    status, report = ledger(program, "verify")
    assert (status, report["equal"], report["complete"], report["differences"]) == (0, True, True, [])
    watching = Watching(program.data)
    everything = Watching(program.data, "--from", "0", "--filter", "MemberAdmitted")
    try:
        eventually(lambda: bool(everything.events("MemberAdmitted")), seconds=30, what="the past is shown")
        first = admit(program, "one")
        eventually(lambda: bool(watching.events("MemberAdmitted")), seconds=30, what="the event is shown")
        os.kill(program.child("anvil"), signal.SIGKILL)
        eventually(lambda: watching.notices() == ["silent", "back"], seconds=60, what="the chain is back")
        second = admit(program, "two")
        eventually(lambda: len(watching.events("MemberAdmitted")) == 2, seconds=30, what="it goes on")
    finally:
        assert [watching.stop(), everything.stop()] == [0, 0]
    assert [each["arguments"]["member"] for each in watching.events("MemberAdmitted")] == [first, second]
    names = [each["arguments"]["member"] for each in everything.events("MemberAdmitted")]
    assert names[-2:] == [first, second]
    assert len(names) == 3  # the custodian's own admission came first
    assert {each["event"] for each in everything.said if "event" in each} == {"MemberAdmitted"}
    status, found = ledger(program, "show", first)
    assert (status, found["things"][0]["kind"], found["things"][0]["state"]) == (0, "member", "active")
    assert found["storage"] == {"words": 3, "agrees": True}


def test_stopped_service_is_verified_and_shown_and_there_is_nothing_to_watch(program: Program) -> None:
    member = admit(program, "three")
    assert program.stop() == 0
    try:
        status, report = ledger(program, "verify")
        assert (status, report["equal"], report["complete"]) == (0, True, True)
        status, found = ledger(program, "show", member)
        assert (status, found["things"][0]["kind"], found["storage"]["agrees"]) == (0, "member", True)
        assert ledger(program, "watch") == (2, {"error": "nothing_to_watch"})
    finally:
        program.start()


def test_directory_without_deployment_is_named_and_stays_empty(tmp_path: Path) -> None:
    for command in (["verify"], ["show", "0x01"], ["watch"]):
        done = run_cli("ledger", *command, "--data-directory", tmp_path / "none")
        assert (done.returncode, done.stderr.split(":")[0]) == (2, "no_deployment")
    assert not (tmp_path / "none").exists()


def test_accounts_of_a_service_that_never_started_are_those_it_will_send_from(tmp_path: Path) -> None:
    told = [
        json.loads(run_cli("ledger", "accounts", "--data-directory", tmp_path / "data", "--json").stdout)
        for _ in range(2)
    ]
    assert told[0] == told[1]
    assert set(told[0]) == {"relayer", "custodian", "operator", "payments"}
    deployed = run_cli("deploy", "--data-directory", tmp_path / "data", "--json")
    assert json.loads(deployed.stdout)["deployer"] == told[0]["operator"]


def test_contracts_are_succeeded_and_an_old_deployment_file_is_refused(tmp_path: Path) -> None:
    data = tmp_path / "data"

    def run(*arguments: str) -> Any:
        done = run_cli(*arguments, "--json", "--data-directory", data)
        return json.loads(done.stdout) if done.returncode == 0 else done.stderr.split(":")[0]

    first, file = run("deploy"), data / "chain" / "deployment.json"
    assert run("ledger", "succeed", "--abandon") == "no_succession"
    dry = run("ledger", "succeed", "--dry-run")
    assert (dry["subjects"], dry["consent_registry"], dry["changed"]) == (0, first["ConsentRegistry"], False)
    assert run("deploy") == first
    before = file.read_bytes()

    done = run("ledger", "succeed")
    second = run("deploy")
    assert done["consent_registry"] == second["ConsentRegistry"] != first["ConsentRegistry"]
    assert {name for name in first if first[name] != second[name]} == {
        "ConsentRegistry", "Recovery", "KeyRegistry", "EmergencyAccess",
    }  # fmt: skip
    report = run("ledger", "verify")
    assert (report["equal"], report["complete"], len(report["contracts"])) == (True, True, len(first) - 2 + 4)
    after = file.read_bytes()

    file.write_bytes(before)
    assert run("deploy") == "deployment_succeeded"
    assert run("ledger", "succeed") == "deployment_succeeded"
    (tmp_path / "newer.json").write_bytes(after)
    assert run("ledger", "succeed", "--with", str(tmp_path / "newer.json")) == done
    assert run("deploy") == second
    file.with_name("succession.json").write_bytes(after)
    assert run("deploy") == "succession_under_way"
    assert run("ledger", "succeed", "--abandon") == {"abandoned": True}
    assert run("deploy") == second
