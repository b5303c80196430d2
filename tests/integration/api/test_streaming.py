"""Attachments of any size: taken and given in pieces, and cut when their reader may not go on."""

from __future__ import annotations

import base64
import hashlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from backend.demo.actors import Provider
from backend.records.storage_ports import StorageFull
from backend.records.streaming import CHECK_EVERY_BYTES
from tests.integration.api.world import MAX_ATTACHMENT_BYTES, Patient, Service, assert_problem, in_days, raw

MIB = 1 << 20
LARGE = 40 * MIB
MEDIA_TYPE = "application/dicom"


def pieces(size: int, *, seed: bytes = b"") -> Iterator[bytes]:
    block = hashlib.shake_256(seed).digest(MIB)
    for _ in range(size // MIB):
        yield block


def sha256(size: int, *, seed: bytes = b"") -> bytes:
    digest = hashlib.sha256()
    for piece in pieces(size, seed=seed):
        digest.update(piece)
    return digest.digest()


def upload(hospital: Provider, patient: Patient, content: Any, **headers: str) -> httpx.Response:
    return raw(
        hospital.api,
        "POST",
        "/v1/records",
        params={"subject": patient.subject, "categories": "laboratory", "sensitivities": "N"},
        content=content,
        headers={"Content-Type": MEDIA_TYPE, **headers},
    )


@pytest.fixture(scope="module")
def large(hospital: Provider, patient: Patient) -> str:
    """An attachment of 40 MiB, sent without a length; the record's id."""
    stored = upload(hospital, patient, pieces(LARGE))
    assert stored.status_code == 201, stored.text
    return str(stored.json()["record_id"])


@pytest.fixture
def permit(clinic: Provider, patient: Patient) -> Iterator[str]:
    consent = patient.permit(clinic.member_id)
    yield consent
    patient.end(consent)


class Download:
    """A read under way, in the reader's hands."""

    def __init__(self, reader: Provider, record: str) -> None:
        self._stream = reader.api.http.stream(
            "GET",
            f"/v1/records/{record}/segments/s0000",
            params={"purpose": "TREAT"},
            headers={"Authorization": f"Bearer {reader.api.token}"},
        )
        self.response = self._stream.__enter__()
        self._pieces = self.response.iter_bytes()
        self.digest = hashlib.sha256()
        self.received = 0

    def take(self, size: int) -> None:
        """Receive at least so many bytes more; raises what httpx raises for a connection that is cut."""
        end = self.received + size
        while self.received < end:
            piece = next(self._pieces)
            self.digest.update(piece)
            self.received += len(piece)

    def rest(self) -> None:
        for piece in self._pieces:
            self.digest.update(piece)
            self.received += len(piece)

    def close(self) -> None:
        self._stream.__exit__(None, None, None)


@pytest.fixture
def download(clinic: Provider, large: str) -> Iterator[Callable[[], Download]]:
    opened: list[Download] = []

    def start() -> Download:
        opened.append(Download(clinic, large))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


def scratch(service: Service) -> list[Path]:
    return list(service.world.stores.directory.scratch.iterdir())


def test_large_attachment_comes_back_as_it_was_with_digest_and_length_before_it(
    permit: str, download: Callable[[], Download], patient: Patient, large: str
) -> None:
    got = download()
    got.rest()
    assert (got.received, got.digest.digest()) == (LARGE, sha256(LARGE))
    headers = got.response.headers
    wanted = f"sha-256=:{base64.b64encode(sha256(LARGE)).decode()}:"
    assert (headers["repr-digest"], headers["content-digest"]) == (wanted, wanted)
    assert (headers["content-length"], headers["content-type"]) == (str(LARGE), MEDIA_TYPE)
    entry = patient.accesses()[0]
    assert (entry["type"], entry["outcome"], entry["records"]) == ("record.read", "permitted", [large])


def test_record_read_whole_names_a_large_attachment_and_leaves_its_content_out(
    permit: str, clinic: Provider, large: str
) -> None:
    (part,) = clinic.api.get(f"/v1/records/{large}", purpose="TREAT")["segments"]
    assert (part["content"], part["size_bytes"], part["sha256"]) == (None, LARGE, sha256(LARGE).hex())


def test_retry_of_an_upload_gives_the_same_record_and_other_content_is_refused(
    hospital: Provider, patient: Patient
) -> None:
    key = {"Idempotency-Key": os.urandom(8).hex()}
    first, again = (upload(hospital, patient, pieces(3 * MIB), **key) for _ in range(2))
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    assert_problem(upload(hospital, patient, pieces(3 * MIB, seed=b"x"), **key), 409, "version_taken")


@pytest.mark.parametrize("declared", [True, False])
def test_upload_over_the_limit_leaves_nothing(
    service: Service, hospital: Provider, patient: Patient, *, declared: bool
) -> None:
    size = MAX_ATTACHMENT_BYTES + MIB
    headers = {"Content-Length": str(size)} if declared else {}
    before = blocks(service)
    try:
        response = upload(hospital, patient, pieces(size), **headers)
    except httpx.WriteError:  # the answer came, and the connection was closed, before all was sent
        pass
    else:
        assert_problem(response, 413, "too_large")
    assert (scratch(service), blocks(service)) == ([], before)


def blocks(service: Service) -> int:
    return sum(1 for path in service.world.stores.directory.blocks.rglob("*") if path.is_file())


def _send(
    service: Service, hospital: Provider, patient: Patient, *headers: str, media_type: str = MEDIA_TYPE
) -> socket.socket:
    address = urlsplit(service.url)
    connection = socket.create_connection((str(address.hostname), address.port or 80), timeout=20)
    query = f"subject={patient.subject}&categories=laboratory&sensitivities=N"
    lines = [
        f"POST /v1/records?{query} HTTP/1.1",
        f"Host: {address.netloc}",
        f"Authorization: Bearer {hospital.api.token}",
        f"Content-Type: {media_type}",
        *headers,
    ]
    connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
    return connection


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def open_scratch_bytes(service: Service) -> int:
    """Bytes of scratch files that have lost their names and are still open."""
    below = str(service.world.stores.directory.scratch)
    found = 0
    for link in Path("/proc/self/fd").iterdir():
        try:
            if link.readlink().as_posix().startswith(below):
                found += link.stat().st_size
        except OSError:
            continue
    return found


def test_upload_that_is_cut_leaves_nothing(service: Service, hospital: Provider, patient: Patient) -> None:
    before = blocks(service)
    with _send(service, hospital, patient, f"Content-Length: {8 * MIB}") as connection:
        for piece in pieces(5 * MIB):
            connection.sendall(piece)
        eventually(lambda: open_scratch_bytes(service) > 3 * MIB)
        assert scratch(service) == []
    eventually(lambda: open_scratch_bytes(service) == 0)
    assert blocks(service) == before


def test_upload_that_stalls_is_given_up(
    service: Service, hospital: Provider, patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service.world.services.uploads, "_stall_seconds", 0.3)
    with _send(service, hospital, patient, f"Content-Length: {8 * MIB}") as connection:
        for piece in pieces(3 * MIB):
            connection.sendall(piece)
        answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 422 ")
    assert b'"upload_cut"' in answer
    eventually(lambda: open_scratch_bytes(service) == 0)


def test_upload_that_is_refused_whatever_it_holds_is_not_asked_for(
    service: Service, hospital: Provider, patient: Patient
) -> None:
    headers = (f"Content-Length: {8 * MIB}", "Expect: 100-continue")
    with _send(service, hospital, patient, *headers, media_type="text") as connection:
        answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 4")  # and no "100 Continue" before it
    with _send(service, hospital, patient, "Content-Length: 2", "Expect: 100-continue") as connection:
        assert connection.recv(65536).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"ok")
        assert connection.recv(65536).startswith(b"HTTP/1.1 201 ")


def test_upload_without_room_for_it_is_refused_before_it_is_sent(
    service: Service, hospital: Provider, patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = service.world.services.uploads._scratch

    def full(size_bytes: int) -> None:
        raise StorageFull

    monkeypatch.setattr(room, "require_room", full)
    assert_problem(upload(hospital, patient, b"x" * 5), 503, "storage_full")


def stopped(download: Download) -> None:
    """The stream ends as a connection that is cut, never as a complete answer."""
    with pytest.raises(httpx.RemoteProtocolError):
        download.rest()
    assert download.received < LARGE


def newest(patient: Patient) -> dict[str, Any]:
    """The newest entry of the patient's list, once it tells of a stream that was cut."""
    eventually(lambda: "stream_cut" in patient.accesses()[0]["reasons"])
    return patient.accesses()[0]


def test_stream_is_cut_when_the_consent_is_revoked_on_the_way(
    clinic: Provider, patient: Patient, large: str, download: Callable[[], Download]
) -> None:
    consent = patient.permit(clinic.member_id)
    got = download()
    got.take(MIB)
    patient.wallet.revoke(consent)
    stopped(got)
    assert got.received <= 2 * CHECK_EVERY_BYTES
    entry = newest(patient)
    assert (entry["outcome"], entry["records"]) == ("denied", [large])
    assert set(entry["reasons"]) == {"stream_cut", "consent_required"}
    assert entry["detail"]["released_bytes"] < LARGE


def test_stream_is_cut_when_the_consent_expires_on_the_way(
    service: Service,
    clinic: Provider,
    patient: Patient,
    download: Callable[[], Download],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    consent = patient.permit(clinic.member_id, not_after=in_days(1))
    got = download()
    got.take(MIB)
    decisions = service.world.services.decisions
    monkeypatch.setattr(decisions, "_clock", lambda: int(time.time()) + 2 * 86_400)
    stopped(got)
    monkeypatch.undo()
    assert newest(patient)["outcome"] == "denied"
    patient.end(consent)


def test_stream_is_cut_when_the_record_is_to_be_erased(
    hospital: Provider, clinic: Provider, new_patient: Callable[[], Patient]
) -> None:
    patient = new_patient()
    record = upload(hospital, patient, pieces(LARGE)).json()["record_id"]
    patient.permit(clinic.member_id)
    got = Download(clinic, record)
    got.take(MIB)
    patient.api.post("/v1/erasures", {"subject": patient.subject, "record_id": record})
    stopped(got)
    got.close()
    eventually(lambda: any("stream_cut" in entry["reasons"] for entry in patient.accesses()))


def test_stream_on_the_last_permitted_use_goes_on_to_its_end(
    clinic: Provider, patient: Patient, download: Callable[[], Download]
) -> None:
    consent = patient.permit(clinic.member_id, max_uses=1)
    got = download()
    got.rest()
    assert got.received == LARGE
    assert download().response.status_code == 403
    patient.end(consent)


@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_damaged_block_never_ends_as_a_complete_answer(
    service: Service, permit: str, patient: Patient, large: str, download: Callable[[], Download], place: str
) -> None:
    path = block_of(service, large, place)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    try:
        got = download()
        if place == "first":
            assert got.response.status_code == 502
        else:
            stopped(got)
            assert "block_corrupt" in newest(patient)["reasons"]
    finally:
        path.write_bytes(whole)


def block_of(service: Service, record: str, place: str) -> Path:
    """The file of a block of an attachment."""
    book = service.world.services.reading._manifests
    row = book.row(bytes.fromhex(record), None)  # type: ignore[arg-type]
    assert row is not None
    (part,) = book.manifest(row).segments
    number = {"first": 0, "middle": len(part.address.blocks) // 2, "last": -1}[place]
    (found,) = service.world.stores.directory.blocks.rglob(part.address.blocks[number])
    return found


def test_readers_that_stream_do_not_hold_up_others(
    permit: str, clinic: Provider, patient: Patient, download: Callable[[], Download]
) -> None:
    """A reader that stops receiving keeps a stream open, and no thread."""
    slow = [download() for _ in range(60)]
    answered = threading.Event()

    def read() -> None:
        clinic.read(patient.record_id)
        answered.set()

    threading.Thread(target=read, daemon=True).start()
    assert answered.wait(20)
    assert all(one.response.status_code == 200 for one in slow)
