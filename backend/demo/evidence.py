"""Steps 8 to 10: tampering is found, nothing personal is on the chain, an outsider verifies everything."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.database import Database

from backend.audit.verify import verify_bundle
from backend.demo.actors import Refused
from backend.demo.cast import Cast
from backend.recent import MAX_AGE_SECONDS
from backend.records.blocks import Cid, is_root

Restart = Callable[[], None]


def tamper(cast: Cast, data_directory: Path, restart: Restart) -> None:
    """Flip a bit in a block and in a manifest, delete a deny: each is found, refused and reported."""
    patient = cast.adults[2]
    if (data_directory / "blocks").exists():  # a real node keeps its blocks to itself
        _damaged_block(cast, data_directory)
    with _index(data_directory) as database:
        row = database["records"].find_one({"record_id": patient.record_id})
        if row is None:
            raise ValueError("the record's manifest is not in the index")
        with _changed(database, "records", row, {"manifest": _flipped(row["manifest"])}):
            time.sleep(MAX_AGE_SECONDS)  # the service remembers so long which manifest it checked
            cast.checks.refused(
                "a flipped bit in a manifest", lambda: cast.clinic.read(patient.record_id), status=502
            )
        cast.checks.that("undamaged, it is read again", held=bool(cast.clinic.read(patient.record_id)))
    _deleted_deny(cast, data_directory, restart)
    _damaged_log_entry(cast, data_directory)


def _shown_notice(cast: Cast) -> None:
    """Whoever holds signed terms gets the text that was shown, and can tell that it is that one."""
    wallet = cast.adults[0].wallet
    terms = wallet.api.get("/v1/consents", subject=wallet.subject)[0]["message"]["terms"]
    answer = cast.http.get(f"/v1/notices/{terms['notice']}")
    media_type = answer.headers["content-type"].partition(";")[0]
    head = f"assent/notice/1\n{answer.headers['content-language']}\n{media_type}\n".encode()
    cast.checks.that(
        "the notice that was shown is served, and is the one that was signed",
        held="0x" + hashlib.sha256(head + answer.content).hexdigest() == terms["notice"]
        and answer.headers["content-language"] == terms["language"],
    )


def verify_offline(cast: Cast) -> None:
    """Every patient's list verifies with nothing but the log's key."""
    key = cast.http.get("/v1/log/key").text.strip()
    entries = 0
    for patient in cast.patients[:-1]:
        bundle = patient.wallet.api.get("/v1/accesses/proof", subject=patient.wallet.subject)
        report = verify_bundle(bundle, [key])
        entries += len(report["entries"])
    cast.checks.that("each patient's list verifies offline", held=entries > 0, detail=f"{entries} entries")
    _shown_notice(cast)
    bundle = cast.adults[0].wallet.api.get("/v1/accesses/proof", subject=cast.adults[0].wallet.subject)
    forged = json.loads(json.dumps(bundle))
    forged["entries"].pop(1)
    cast.checks.that("a list with an entry left out does not", held=_is_refused(forged, key))
    forged = json.loads(json.dumps(bundle))
    record = forged["entries"][0]["record"]
    forged["entries"][0]["record"] = ("A" if record[0] != "A" else "B") + record[1:]
    cast.checks.that("a list with a changed entry does not", held=_is_refused(forged, key))


def _is_refused(bundle: Mapping[str, Any], key: str) -> bool:
    try:
        verify_bundle(dict(bundle), [key])
    except ValueError:
        return True
    return False


def _damaged_block(cast: Cast, data_directory: Path) -> None:
    patient = cast.adults[2]
    stored = set(_block_files(data_directory))
    record = cast.hospital.api.call(
        "POST",
        "/v1/records",
        params={"subject": patient.wallet.subject, "categories": "laboratory", "sensitivities": "N"},
        content=b"a laboratory report",
        headers={"Content-Type": "text/plain"},
    ).json()["record_id"]
    cast.checks.that("a document beside the bundle is read", held=bool(cast.clinic.read(record)))
    fresh = sorted(set(_block_files(data_directory)) - stored)
    content = [path for path in fresh if not is_root(Cid(path.name))]
    cast.checks.that("its blocks were found", held=(len(fresh), len(content)) == (2, 1))
    for path in content:
        whole = path.read_bytes()
        path.chmod(0o600)
        path.write_bytes(_flipped(whole))
        cast.checks.refused("a flipped bit in its block", lambda: cast.clinic.read(record), status=502)
        path.write_bytes(whole)


def _block_files(data_directory: Path) -> list[Path]:
    return [path for path in (data_directory / "blocks" / "data").rglob("*") if path.is_file()]


def _deleted_deny(cast: Cast, data_directory: Path, restart: Restart) -> None:
    """A deleted deny must not widen access: the chain's count says that a document is missing."""
    patient = cast.adults[2]
    deny = patient.wallet.consent(kind="deny", categories=["laboratory"])
    restart()
    with _index(data_directory) as database:
        consents = database["consents"]
        row = consents.find_one({"_id": deny["consent_id"][2:]})
        if row is None:
            raise ValueError("the deny is not in the index")
        consents.delete_one({"_id": row["_id"]})
    restart()
    with _index(data_directory) as database:
        cast.checks.refused(
            "a deleted deny permits nothing",
            lambda: cast.clinic.read(patient.record_id),
            status=403,
            code="consent_required",
        )
        database["consents"].insert_one(row)
    seen = cast.clinic.read(patient.record_id)
    laboratory = {f"s{n:04d}" for n, part in enumerate(patient.segments) if part.categories & 1 << 10}
    cast.checks.that("put back, it denies what it says", held=bool(seen) and not laboratory & set(seen))


def _damaged_log_entry(cast: Cast, data_directory: Path) -> None:
    patient = cast.adults[3]
    with _index(data_directory) as database:
        for row in database["audit_bodies"].find():  # the bundles beside them may be merged meanwhile
            with _changed(database, "audit_bodies", row, {"bodies": _flipped(row["bodies"])}):
                try:
                    patient.wallet.api.get("/v1/accesses/proof", subject=patient.wallet.subject)
                except Refused as refusal:
                    cast.checks.that(
                        "a flipped bit in a log entry",
                        held=refusal.status == 502,
                        detail=f"{refusal.status} {refusal.code}",
                    )
                    return
    cast.checks.that("a flipped bit in a log entry", held=False, detail="no entry of the patient was found")


@contextmanager
def _index(data_directory: Path) -> Iterator[Database[dict[str, Any]]]:
    run = json.loads((data_directory / "run.json").read_text())
    client: MongoClient[dict[str, Any]] = MongoClient(run["index"])
    try:
        yield client[run["database"]]
    finally:
        client.close()


@contextmanager
def _changed(
    database: Database[dict[str, Any]], collection: str, row: Mapping[str, Any], changes: Mapping[str, Any]
) -> Iterator[None]:
    database[collection].update_one({"_id": row["_id"]}, {"$set": dict(changes)})
    try:
        yield
    finally:
        before = {name: row[name] for name in changes}
        database[collection].update_one({"_id": row["_id"]}, {"$set": before})


def _flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
