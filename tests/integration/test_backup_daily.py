"""The backup of a service whose operator set nothing: made, read back and told by itself, and restorable."""

from __future__ import annotations

import json
import re
import shutil
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from backend.audit import codes
from backend.audit.access import AccessEntry
from backend.audit.entry import Outcome
from backend.backup.daily import DailyBackup
from backend.bootstrap import World
from tests.integration.api.world import open_service
from tests.support.process_world import People, Program, eventually, run_cli, running_program

PATIENCE_SECONDS = 120.0


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ASSENT_BACKUP_INTERVAL_HOURS", raising=False)


def verified_at(program: Program) -> float:
    """As Prometheus sees it; 0 for never."""
    text = program.http.get("/metrics").text
    (found,) = re.findall(r"^assent_backup_verified_timestamp_seconds (\S+)$", text, re.MULTILINE)
    return float(found)


def listed(backups: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run_cli("backup", "list", "--from", backups, "--json").stdout)
    return found


def key_of(tmp_path: Path) -> Path:
    (key,) = (tmp_path / "data-backup-keys").glob("*.key")
    return key


def test_service_on_its_defaults_keeps_a_verified_backup_that_brings_it_back(tmp_path: Path) -> None:
    data, backups = tmp_path / "data", tmp_path / "data-backup"
    with running_program(tmp_path) as program:
        people = People(program)
        record = people.store("note", b"note")
        eventually(lambda: verified_at(program) > 0, seconds=PATIENCE_SECONDS, what="one was read back")
        found = program.operator().get("/v1/operations")
        assert found["backup_configured"]
        assert [alarm["code"] for alarm in found["alarms"]] == []
        # The last part is written before the last anchor, when the service ends.
        assert program.stop() == 0
        assert all(each["verified"] for each in listed(backups))
        operator = (data / "operator.json").read_bytes()
        shutil.rmtree(data)
        restored = run_cli(
            "restore",
            "--from",
            backups,
            "--recovery-key",
            key_of(tmp_path),
            "--data-directory",
            data,
            "--json",
        )
        assert restored.returncode == 0, restored.stderr + restored.stdout
        assert json.loads(restored.stdout)["lost"] == []
        (data / "operator.json").write_bytes(operator)
        program.start()
        people.reconnect()
        for actor in (people.clinic, people.patient):
            actor.sign_in()
        assert people.listed_records() == [record]


def test_command_has_the_running_service_make_one_and_read_it_back(tmp_path: Path) -> None:
    with running_program(tmp_path) as program:
        made = run_cli("backup", "--data-directory", program.data, "--json")
        assert made.returncode == 0, made.stderr
        told = json.loads(made.stdout)
        assert told["verified_at"] is not None
        (mine,) = [
            each for each in listed(tmp_path / "data-backup") if each["generation"] == told["generation"]
        ]
        assert mine["verified"] is not None


def test_killed_in_the_middle_nothing_half_is_left_and_the_age_is_known_again(tmp_path: Path) -> None:
    backups = tmp_path / "data-backup"
    with running_program(tmp_path) as program:
        eventually(lambda: verified_at(program) > 0, seconds=PATIENCE_SECONDS, what="one was read back")
        known = verified_at(program)
        program.kill()
        time.sleep(0.5)  # its children end by themselves
        # What a kill leaves of a base that was being made.
        (half := backups / ".20990101T000000Z-00000000").mkdir()
        (half / "index").write_bytes(b"half")
        before = {each["generation"] for each in listed(backups)}
        program.start()
        assert verified_at(program) >= known
        eventually(
            lambda: bool({each["generation"] for each in listed(backups) if each["verified"]} - before),
            seconds=PATIENCE_SECONDS,
            what="the next start made one of its own",
        )
        assert not half.exists()


def test_process_that_stands_by_makes_none_until_it_serves(tmp_path: Path) -> None:
    backups = tmp_path / "data-backup"
    with running_program(tmp_path) as program:
        eventually(lambda: verified_at(program) > 0, seconds=PATIENCE_SECONDS, what="one was read back")
        waiting = Program(tmp_path, name="waiting", options=("--stand-by",))
        waiting.launch()
        try:
            eventually(lambda: answers(waiting), seconds=PATIENCE_SECONDS, what="it stands by")
            assert verified_at(waiting) == 0
            assert len(listed(backups)) == 1
            program.kill()
            eventually(lambda: verified_at(waiting) > 0, seconds=PATIENCE_SECONDS, what="it serves")
            eventually(
                lambda: len([each for each in listed(backups) if each["verified"]]) == 2,
                seconds=PATIENCE_SECONDS,
                what="it made one of its own",
            )
        finally:
            waiting.stop()
            waiting.http.close()


def answers(program: Program) -> bool:
    try:
        return program.http.get("/health/live").is_success
    except httpx.TransportError:
        return False


def test_check_is_in_the_audit_log_whatever_it_came_to(tmp_path: Path) -> None:
    with open_service(tmp_path / "data") as service:
        backups = service.world.services.backups
        assert isinstance(backups, DailyBackup)
        backups.make()
        eventually(
            lambda: checks(service.world) == [Outcome.CHANGED], seconds=PATIENCE_SECONDS, what="it is told"
        )
        backups._notes.refused("20270101T000000Z-00000000", 1_800_000_000, "backup_damaged")
        assert checks(service.world) == [Outcome.CHANGED, Outcome.DENIED]


def checks(world: World) -> list[Outcome]:
    search = world.services.log_search

    def keep(entry: AccessEntry) -> bool:
        return entry.event is not None and entry.event.type == codes.BACKUP_CHECKED

    found = search.scan(None, search.span(), newest_first=False, keep=keep, limit=100, most=100_000)
    return [entry.event.outcome for entry in found.entries if entry.event is not None]


@pytest.mark.parametrize("environment", ["production", "development"])
def test_backup_that_could_not_be_kept_is_told_at_the_start(tmp_path: Path, environment: str) -> None:
    (tmp_path / "data-backup").touch()  # a file where the directory should be
    refused = run_cli(
        "up", "--data-directory", tmp_path / "data", "--no-samples",
        ASSENT_ENVIRONMENT=environment,
        ASSENT_PUBLIC_URL="https://assent.example" if environment == "production" else "http://localhost:8000",
        ASSENT_PASSPHRASE="Vu7-kkd9-0xmq-zzPl",
        ASSENT_PORT="8000",
    )  # fmt: skip
    assert refused.returncode == 2
    expected = "backup_key_needed" if environment == "production" else "backup_folder_unusable"
    assert expected in refused.stderr
    assert "ASSENT_BACKUP_INTERVAL_HOURS=0" in refused.stderr
