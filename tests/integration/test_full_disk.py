"""A real disk that fills up under the running program: it is named, and stops go on to the last."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from backend.adapters.data_directory import MIN_FREE_BYTES
from backend.demo.actors import Refused
from tests.support.process_world import People, Program, eventually, run_cli

DISK_BYTES = MIN_FREE_BYTES + 64 * 1024 * 1024
LETTER = b"Letter. " * 100
MOST_READS = 180


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting a small disk needs the right to mount: run the tests as root in a container")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture
def program(disk: Path) -> Iterator[Program]:
    running = Program(disk)
    running.log = disk.parent / "program.log"
    running.start()
    yield running
    running.stop()
    running.http.close()


def fill(disk: Path, *, leave_bytes: int) -> None:
    """Take all of the disk but so much."""
    with (disk / "filler").open("ab") as file:
        free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
        os.posix_fallocate(file.fileno(), file.tell(), free - leave_bytes)


def code_of(act: Callable[[], object]) -> tuple[int, str]:
    with pytest.raises(Refused) as refusal:
        act()
    return refusal.value.status, refusal.value.code


def parts(program: Program) -> httpx.Response:
    return program.http.get("/health/ready")


def reads_until_refused(people: People, record: str) -> int:
    """Read until the log cannot take another entry; return how often the record was released."""
    for released in range(MOST_READS):
        try:
            people.clinic.read(record)
        except Refused as refusal:
            if refusal.status != 503:
                raise
            return released
    raise AssertionError("the disk is full, and the log goes on")


def logged_reads(people: People, record: str) -> int:
    """How many of the patient's newest 200 entries are releases of the record."""
    found = [entry for entry in people.entries() if entry["type"] == "record.read"]
    return sum(entry["records"] == [record] and entry["outcome"] == "permitted" for entry in found)


def test_disk_that_fills_up_is_named_loses_nothing_and_stops_no_stop(program: Program, disk: Path) -> None:
    people = People(program)
    record = people.store("before", LETTER)
    first, second = (people.permit(people.other.member_id, days=days) for days in (10, 20))
    stop_first, stop_second = people.stop_for(first), people.stop_for(second)

    # Little room: no new records, by name; what restricts goes on, and so do reads with their log entries.
    fill(disk, leave_bytes=32 * 1024 * 1024)
    ready = parts(program)
    assert ready.status_code == 503
    assert ready.json()["parts"] == {
        **dict.fromkeys(("ledger", "index", "blocks", "care teams", "log"), "up"),
        "disk": "disk_full",
    }
    assert code_of(lambda: people.store("during", LETTER)) == (503, "storage_full")
    assert list(people.clinic.read(record).values()) == [LETTER]
    assert program.http.post("/v1/revocations", json=stop_first).json()["state"] == "in_force"
    eventually(lambda: program.unfinished_acts() == 0, seconds=20, what="the stop is on the chain")

    # No room at all: nothing is released without its entry, and no stop is acknowledged that is not kept. The
    # index has files that it grew before and writes into, so that some reads are still logged and answered.
    fill(disk, leave_bytes=0)
    released = reads_until_refused(people, record)
    assert program.http.post("/v1/revocations", json=stop_second).status_code == 503
    assert parts(program).json()["parts"]["disk"] == "disk_full"

    # Room again: everything goes on without a restart.
    (disk / "filler").unlink()
    eventually(lambda: parts(program).is_success, seconds=20, what="the program is ready")
    assert logged_reads(people, record) >= released
    assert list(people.clinic.read(record).values()) == [LETTER]
    assert program.http.post("/v1/revocations", json=stop_second).json()["state"] == "in_force"
    people.store("during", LETTER)
    states = {consent["consent_id"]: consent["state"] for consent in people.consents()}
    assert (states[first], states[second]) == ("revoked", "revoked")
    eventually(lambda: program.unfinished_acts() == 0, seconds=40, what="the outbox drains")
    assert program.stop() == 0
    checked = run_cli("fsck", "--data-directory", program.data)
    assert checked.returncode == 0, checked.stdout + checked.stderr

    fill(disk, leave_bytes=0)
    refused = run_cli("up", "--port", str(program.port), "--data-directory", program.data)
    assert refused.returncode == 2
    assert "disk_full" in refused.stderr
    assert "Free some space" in refused.stderr
