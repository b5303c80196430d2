"""SIGKILL of a service that keeps a backup, of a backup and of a restore: nothing half is taken for whole."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.process_world import People, run_cli, running_program

KILLS = int(os.environ.get("ASSENT_BACKUP_KILLS", "2"))


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recovery key, and the settings that make every program of the test keep a backup."""
    private = tmp_path / "recovery.key"
    made = run_cli("backup", "keygen", "--out", private)
    assert made.returncode == 0, made.stderr
    monkeypatch.setenv("ASSENT_BACKUP_DIRECTORY", str(tmp_path / "backups"))
    monkeypatch.setenv("ASSENT_BACKUP_RECOVERY_KEY", f"{private}.service")
    monkeypatch.setenv("ASSENT_BACKUP_INTERVAL_HOURS", "24")
    return private


def restore(data: Path, backups: Path, key: Path, *options: str) -> dict[str, Any]:
    done = run_cli(
        "restore", "--from", backups, "--recovery-key", key, "--data-directory", data, "--json", *options
    )
    assert done.returncode == 0, done.stderr + done.stdout
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def lose_all_but_the_chain(data: Path) -> None:
    kept = data.with_name("chain-kept")
    shutil.copytree(data / "chain", kept)
    shutil.rmtree(data)
    data.mkdir(mode=0o700)
    kept.rename(data / "chain")


@pytest.mark.parametrize("number", range(KILLS))
def test_service_killed_at_any_time_is_restored_up_to_its_last_anchor(
    tmp_path: Path, keys: Path, number: int
) -> None:
    """The chain survives, so a backup older than the last anchor would be refused: it never is."""
    pause = random.Random(number).uniform(2.5, 5.5)  # anchors come every 2 seconds
    with running_program(tmp_path) as program:
        people = People(program)
        begun, stored = time.monotonic(), 0
        while time.monotonic() - begun < pause:
            people.store(f"note-{stored}", f"note {stored}".encode())
            people.permit(people.other.member_id, days=100 + stored)
            stored += 1
        stop = people.stop_for(people.standing)
        people.patient.api.http.post("/v1/revocations", json=stop).raise_for_status()
        program.kill()
        time.sleep(0.5)  # its children end by themselves
        operator = (program.data / "operator.json").read_bytes()
        lose_all_but_the_chain(program.data)
        report = restore(program.data, tmp_path / "backups", keys, "--keep-chain")
        assert not report["damage"]
        assert {found["code"] for found in report["lost"]} <= {
            "record_missing", "consent_missing", "consents_incomplete",
        }  # fmt: skip
        print(f"{stored} records, {len(report['lost'])} findings of what came after the anchor")  # noqa: T201
        (program.data / "operator.json").write_bytes(operator)
        program.start()
        people.reconnect()
        for actor in (people.clinic, people.other, people.patient):
            actor.sign_in()
        assert (
            people.clinic.api.get(
                "/v1/records", purpose="TREAT", patient_ref=people.clinic.find(people.record_number)
            )["records"]
            == []
        )  # fmt: skip - revoked, on the chain or in the tail
        readable = people.other.api.get(
            "/v1/records", purpose="TREAT", patient_ref=people.other.find(people.record_number)
        )["records"]
        if any(found["code"] == "consents_incomplete" for found in report["lost"]):
            assert readable == []  # what is not all there permits nothing
        else:
            assert readable
            people.other.read(readable[0]["record_id"])


def test_backup_of_a_running_service_is_made_by_it(tmp_path: Path, keys: Path) -> None:
    backups = tmp_path / "backups"
    with running_program(tmp_path) as program:
        people = People(program)
        people.store("note", b"note")
        made = run_cli("backup", "--data-directory", program.data, "--json")
        assert made.returncode == 0, made.stderr
        generation = json.loads(made.stdout)["generation"]
        listed = json.loads(run_cli("backup", "list", "--from", backups, "--json").stdout)
        assert generation in {each["generation"] for each in listed}
        checked = run_cli(
            "backup", "verify", "--from", backups, "--recovery-key", keys, "--generation", generation
        )
        assert checked.returncode == 0, checked.stderr
        service_half = Path(f"{keys}.service")
        service_half.rename(service_half.with_suffix(".away"))
        refused = run_cli("backup", "--data-directory", program.data, "--json")
        assert refused.returncode == 2
        assert "recovery_key_unreadable" in refused.stderr


def test_backup_killed_at_any_time_leaves_the_one_before(tmp_path: Path, keys: Path) -> None:
    backups = tmp_path / "backups"
    with running_program(tmp_path) as program:
        people = People(program)
        for number in range(5):
            people.store(f"note-{number}", f"note {number}".encode())
        assert program.stop() == 0
        shutil.rmtree(backups)
        data = ("--data-directory", str(program.data))
        begun = time.monotonic()
        made = run_cli("backup", *data, "--json")
        assert made.returncode == 0, made.stderr
        whole = time.monotonic() - begun
        dice = random.Random(3)
        for _ in range(KILLS):
            kill_after(dice.uniform(0.3, 1.05) * whole, "backup", *data)
            listed = json.loads(run_cli("backup", "list", "--from", backups, "--json").stdout)
            assert listed
            for each in listed:
                checked = run_cli(
                    "backup", "verify", "--from", backups, "--recovery-key", keys,
                    "--generation", each["generation"],
                )  # fmt: skip
                assert checked.returncode == 0, checked.stderr
        assert run_cli("backup", *data, "--json").returncode == 0
        assert not [path for path in backups.iterdir() if path.name.startswith(".")]


def test_restore_killed_at_any_time_is_no_deployment_until_it_is_repeated(tmp_path: Path, keys: Path) -> None:
    backups, data = tmp_path / "backups", tmp_path / "restored"
    with running_program(tmp_path) as program:
        people = People(program)
        for number in range(5):
            people.store(f"note-{number}", f"note {number}".encode())
        assert program.stop() == 0
    arguments = (
        "restore", "--from", str(backups), "--recovery-key", str(keys), "--data-directory", str(data),
        "--json",
    )  # fmt: skip
    begun = time.monotonic()
    assert run_cli(*arguments).returncode == 0
    whole = time.monotonic() - begun
    dice = random.Random(4)
    ended = 0
    for _ in range(KILLS):
        shutil.rmtree(data, ignore_errors=True)
        kill_after(dice.uniform(0.3, 0.95) * whole, *arguments)
        time.sleep(0.5)
        mark = data / "restoring"
        if not data.exists() or (not mark.exists() and not (data / "keys").exists()):
            continue  # before its first write
        if not mark.exists():
            ended += 1
            continue
        refused = run_cli("fsck", "--data-directory", data)
        assert refused.returncode == 2
        assert "restore_unfinished" in refused.stderr or "no_deployment" in refused.stderr
        assert run_cli(*arguments).returncode == 0
        checked = run_cli("fsck", "--data-directory", data)
        assert checked.returncode == 0, checked.stdout
    assert ended < KILLS


def kill_after(seconds: float, *arguments: str) -> None:
    """Run a command and kill it after so long; one that has ended is left alone."""
    child = subprocess.Popen(
        [sys.executable, "-m", "backend.cli", *arguments],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        child.send_signal(signal.SIGKILL)
        child.wait(10)
