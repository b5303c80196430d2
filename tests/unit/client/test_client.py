"""The client library: key files, opening, and encrypting what the service cannot read."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from backend.client import (
    AssentClient,
    KeyRefused,
    RequestRefused,
    is_release,
    new_key,
    open_file,
    open_release_file,
    prepare,
    read_key,
    share_key,
    write_key,
)
from backend.client.end_to_end import Chain, segment_key
from backend.client.keys import PrivateKey
from backend.errors import IntegrityError
from backend.keystore import Secret
from backend.records import canonical
from backend.records.context import ContentContext
from backend.records.delivery import MEDIA_TYPE, Origin, deliver, deliver_end_to_end
from backend.records.envelope_errors import NotCanonical, WrapRefused
from backend.records.frame import describe
from backend.records.sealing import seal_share
from backend.records.slots import decode_sealed
from backend.research.datasets.sealed import seal_release
from backend.types import ConsentId, MemberId, RecordId, UnixSeconds

CONTEXT = ContentContext(
    tenant=MemberId(b"\x01" * 32), record_id=RecordId(b"\x02" * 16), version=1, segment="s0000"
)
CHAIN = Chain(31_337, b"\x0d" * 20)
SHARE = Secret(b"\x04" * 32)
REPORT = b"a report " * 3000


@pytest.fixture(scope="module")
def anna() -> PrivateKey:
    return new_key()


def draft(key: PrivateKey, slot: bytes | None = None, **changes: Any) -> dict[str, Any]:
    found = {
        "tenant": "0x" + CONTEXT.tenant.hex(),
        "record_id": CONTEXT.record_id.hex(),
        "version": 1,
        "segment": "s0000",
        "suite": 1,
        "subject": f"0x{77:024x}",
        "kind": "e2e:3:1",
        "epoch": 0,
        "slot": None if slot is None else base64.b64encode(slot).decode(),
        "sealed_share": base64.b64encode(seal_share(SHARE, key.public, CONTEXT)).decode(),
    }
    return {**found, **changes}


@pytest.mark.parametrize("passphrase", [None, "a long passphrase"])
def test_key_written_is_the_key_read(tmp_path: Path, anna: PrivateKey, passphrase: str | None) -> None:
    file = tmp_path / "key.json"
    write_key(anna, file, passphrase=passphrase)
    assert read_key(file, passphrase=passphrase) == anna
    assert file.stat().st_mode & 0o077 == 0
    assert (anna.seed.reveal().hex() in file.read_text()) is False


def test_key_file_under_another_passphrase_or_none_is_refused(tmp_path: Path, anna: PrivateKey) -> None:
    file = tmp_path / "key.json"
    write_key(anna, file, passphrase="right")
    for passphrase in ("wrong", None):
        with pytest.raises(KeyRefused):
            read_key(file, passphrase=passphrase)
    with pytest.raises(KeyRefused):
        write_key(anna, file)


def test_key_file_that_is_none_or_was_changed_is_refused(tmp_path: Path, anna: PrivateKey) -> None:
    file = tmp_path / "key.json"
    write_key(anna, file)
    good = json.loads(file.read_text())
    for change in (
        {"form": "assent-key/2"},
        {"seed": base64.b64encode(bytes(32)).decode()},
        {"seed": "!"},
        {"public": ""},
    ):
        file.write_text(json.dumps({**good, **change}))
        with pytest.raises(KeyRefused):
            read_key(file)
    for text in ("", "[]", "1"):
        file.write_text(text)
        with pytest.raises(KeyRefused):
            read_key(file)
    with pytest.raises(KeyRefused):
        read_key(tmp_path / "missing")


def test_key_file_that_asks_for_all_memory_is_refused(tmp_path: Path, anna: PrivateKey) -> None:
    file = tmp_path / "key.json"
    write_key(anna, file, passphrase="right")
    content = json.loads(file.read_text())
    content["argon2id"]["memory_kib"] = 1 << 40
    file.write_text(json.dumps(content))
    with pytest.raises(KeyRefused):
        read_key(file, passphrase="right")


def test_private_key_shows_nothing_when_printed(anna: PrivateKey) -> None:
    assert "redacted" in repr(anna)


def sealed_file(directory: Path, key: PrivateKey) -> Path:
    pieces = deliver((REPORT,), source=describe(REPORT, "text/plain"), context=CONTEXT, recipient=key.public)
    file = directory / "sealed"
    file.write_bytes(b"".join(pieces))
    return file


def test_file_opened_holds_the_document_and_leaves_nothing_else(tmp_path: Path, anna: PrivateKey) -> None:
    header, source = open_file(sealed_file(tmp_path, anna), anna, tmp_path / "report")
    assert (header.context, source.size_bytes) == (CONTEXT, len(REPORT))
    assert (tmp_path / "report").read_bytes() == REPORT
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report", "sealed"]


def test_file_that_is_damaged_at_its_end_leaves_no_target(tmp_path: Path, anna: PrivateKey) -> None:
    file = sealed_file(tmp_path, anna)
    damaged = bytearray(file.read_bytes())
    damaged[-1] ^= 1
    file.write_bytes(damaged)
    with pytest.raises(IntegrityError):
        open_file(file, anna, tmp_path / "report")
    assert [path.name for path in tmp_path.iterdir()] == ["sealed"]


def test_released_file_opens_whole_or_leaves_no_target(tmp_path: Path, anna: PrivateKey) -> None:
    study, file, target = b"\x05" * 32, tmp_path / "sealed", tmp_path / "dataset.zip"
    content = b"".join(
        seal_release(REPORT, tenant=b"\x01" * 32, study=study, release=b"\x06" * 32, recipient=anna.public)
    )
    file.write_bytes(content[:-1])
    assert is_release(file)
    with pytest.raises(IntegrityError):
        open_release_file(file, anna, target)
    assert [path.name for path in tmp_path.iterdir()] == ["sealed"]
    file.write_bytes(content)
    header, source = open_release_file(file, anna, target)
    assert (header.study, source.size_bytes, target.read_bytes()) == (study, len(REPORT), REPORT)
    with pytest.raises(WrapRefused):
        open_release_file(file, new_key(), tmp_path / "other")
    assert not is_release(sealed_file(tmp_path, anna))


def test_document_prepared_by_its_patient_is_read_by_whom_the_key_was_shared_with(anna: PrivateKey) -> None:
    clinic, consent = new_key(), ConsentId(b"\x0c" * 32)
    prepared = prepare(REPORT, "text/plain", draft(anna), anna, chain=CHAIN)
    assert prepared.slot is not None
    given = draft(anna, prepared.slot)
    shared = share_key(
        given, anna, clinic.public, consent=consent, expiry=UnixSeconds(2_000_000_000), chain=CHAIN
    )
    slot = decode_sealed(canonical.decode(shared))
    key = segment_key(given, anna, chain=CHAIN)
    assert (slot.recipient, slot.consent) == (clinic.public.id, consent)
    sent = deliver_end_to_end(
        (prepared.ciphertext,),
        context=CONTEXT,
        erasure_share=SHARE,
        recipient=clinic.public,
        origin=Origin(slot.target(key.id), slot.sealed, prepared.wrapped_dek),
    )
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=b"".join(sent)))
    with AssentClient("http://service", "token", transport=transport) as client:
        assert client.read_segment("02" * 16, "s0000", clinic, purpose="TREAT").content == REPORT


def test_second_document_of_a_kind_uses_the_key_of_the_first(anna: PrivateKey) -> None:
    first = prepare(REPORT, "text/plain", draft(anna), anna, chain=CHAIN)
    second = prepare(REPORT, "text/plain", draft(anna, first.slot), anna, chain=CHAIN)
    assert second.slot is None
    assert second.ciphertext != first.ciphertext


def test_draft_for_another_key_chain_or_epoch_is_refused(anna: PrivateKey) -> None:
    first = prepare(REPORT, "text/plain", draft(anna), anna, chain=CHAIN)
    for given, key, chain in (
        (draft(anna), new_key(), CHAIN),
        (draft(anna, first.slot), anna, Chain(1, CHAIN.contract)),
        (draft(anna, first.slot, epoch=1), anna, CHAIN),
        (draft(anna, first.slot, kind="e2e:4:0"), anna, CHAIN),
        (draft(anna, version=2), anna, CHAIN),
    ):
        with pytest.raises(WrapRefused):
            prepare(REPORT, "text/plain", given, key, chain=chain)
    for broken in ({}, draft(anna, sealed_share="!"), draft(anna, slot=b"\xff"), draft(anna, subject="x")):
        with pytest.raises(NotCanonical):
            prepare(REPORT, "text/plain", broken, anna, chain=CHAIN)


def test_error_of_the_service_is_told_with_its_code(anna: PrivateKey) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        assert request.headers["accept"] == MEDIA_TYPE
        return httpx.Response(403, json={"code": "consent_required", "detail": "Ask the patient."})

    with (
        AssentClient("http://service", "token", transport=httpx.MockTransport(refuse)) as client,
        pytest.raises(RequestRefused, match="consent_required: Ask") as refused,
    ):
        client.read_segment("02" * 16, "s0000", anna, purpose="TREAT")
    assert refused.value.status == 403


def test_client_is_imported_where_no_server_is_installed() -> None:
    program = (
        "import sys\n"
        "for name in ('fastapi', 'starlette', 'uvicorn', 'web3', 'pymongo', 'pydantic', 'fhir', 'typer',"
        " 'eth_account', 'ipfshttpclient'):\n"
        "    sys.modules[name] = None\n"
        "import backend.client\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
