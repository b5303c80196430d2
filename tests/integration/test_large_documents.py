"""What the real program takes of memory for a large document, and what a kill on the way leaves."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.machine import peak_resident_mib, reset_peak, resident_mib
from tests.support.process_world import People, Program, eventually, running_program

MIB = 1 << 20
SIZE = 256 * MIB
ALLOWED_MIB = 64


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    with running_program(tmp_path_factory.mktemp("large")) as program:
        yield program


@pytest.fixture(scope="module")
def people(program: Program) -> People:
    return People(program)


def pieces() -> Iterator[bytes]:
    block = os.urandom(MIB)
    for number in range(SIZE // MIB):
        yield number.to_bytes(8, "big") + block[8:]


def test_256_mib_are_stored_and_read_with_64_mib_of_memory_above_idle(
    program: Program, people: People
) -> None:
    people.store("warm-up", b"x")
    digest = hashlib.sha256()

    def sent() -> Iterator[bytes]:
        for piece in pieces():
            digest.update(piece)
            yield piece

    idle = resident_mib(program.process.pid)
    reset_peak(program.process.pid)
    stored = people.hospital.api.call(
        "POST",
        "/v1/records",
        params={"subject": people.patient.subject, "categories": ["laboratory"], "sensitivities": ["N"]},
        content=sent(),
        headers={"Content-Type": "application/dicom"},
        timeout=300,
    )
    received, size = hashlib.sha256(), 0
    with program.http.stream(
        "GET",
        f"/v1/records/{stored.json()['record_id']}/segments/s0000",
        params={"purpose": "TREAT"},
        headers={"Authorization": f"Bearer {people.clinic.api.token}"},
        timeout=300,
    ) as response:
        assert response.status_code == 200
        for piece in response.iter_bytes():
            received.update(piece)
            size += len(piece)
    assert (size, received.digest()) == (SIZE, digest.digest())
    assert peak_resident_mib(program.process.pid) - idle <= ALLOWED_MIB


def test_kill_during_an_upload_leaves_no_scratch_file_and_no_record(program: Program, people: People) -> None:
    before = people.listed_records()
    query = f"subject={people.patient.subject}&categories=laboratory&sensitivities=N"
    head = [
        f"POST /v1/records?{query} HTTP/1.1",
        "Host: localhost",
        f"Authorization: Bearer {people.hospital.api.token}",
        "Content-Type: application/dicom",
        f"Content-Length: {SIZE}",
    ]
    with socket.create_connection(("127.0.0.1", program.port), timeout=20) as connection:
        connection.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + bytes(8 * MIB))
        eventually(lambda: _scratch_bytes(program) > MIB, seconds=10, what="the upload waits on the disk")
        program.kill()
    assert list((program.data / "scratch").iterdir()) == []
    program.start()
    people.reconnect()
    assert people.listed_records() == before


def _scratch_bytes(program: Program) -> int:
    """Bytes of nameless files that the program has open below its scratch directory."""
    found = 0
    for link in Path(f"/proc/{program.process.pid}/fd").iterdir():
        try:
            if "/scratch/" in str(link.readlink()):
                found += link.stat().st_size
        except OSError:
            continue  # closed meanwhile
    return found
