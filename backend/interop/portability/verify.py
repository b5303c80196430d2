"""Checks an archive offline: nothing but the custodian's document keys and the log's key is needed.

What it shows: the custodian made this archive; each file is the one it signed; each manifest opens the
commitment named, and each segment has the digest that its manifest gave it when it was stored; the FHIR
bundle holds nothing that is in no segment; each consent is the one that was signed; the list of accesses is
in the log, and whether none is left out. That the commitments stand on the chain is asked of the chain:
``assent ledger show COMMITMENT``.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from backend.audit.verify import VerificationError, verify_bundle
from backend.errors import IntegrityError
from backend.interop.portability.errors import ArchiveForged, ArchiveMalformed
from backend.interop.portability.exporting import ACCESSES, BUNDLE, CONSENTS, FORMAT, INDEX
from backend.interop.receipts.signing import JWS, PROOF, check_proof, verify
from backend.keystore import Secret
from backend.records.fhir_json import Limits, read_bundle
from backend.records.manifest import commitment, decode
from backend.types import subject_text, to_hex

MAX_FILE_BYTES: Final = 1 << 31
MAX_FILES: Final = 1_000_000
_OUR_OWN: Final = Limits(max_bytes=1 << 40, max_entries=1 << 40)


@dataclass(frozen=True, slots=True)
class Report:
    subject: str
    made_at: int  # unix seconds
    versions: int
    commitments: tuple[str, ...]  # of the versions that are whole; the chain says whether they stand
    changed: tuple[str, ...]  # files that differ from what was stored, for a condition or a missing part
    sealed: tuple[str, ...]  # kept end to end: their patient opens them, with 'assent open'
    resources: int  # in the FHIR bundle
    consents: int
    accesses: int
    complete_accesses: bool  # the list leaves out no entry before its last


def verify_archive(path: Path, *, jwks: object, log_keys: Sequence[str], pair_code: bytes = b"") -> Report:
    """Return what an archive holds once all of it was checked.

    Raises ArchiveMalformed, ArchiveForged, and the errors of ``receipts.signing.verify``.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _Check(archive, jwks).run(log_keys, pair_code)
    except VerificationError as failure:
        raise ArchiveForged(f"the list of accesses: {failure}") from failure
    except (
        OSError, EOFError, zipfile.BadZipFile, KeyError, ValueError, TypeError, AttributeError, IntegrityError
    ) as failure:  # fmt: skip
        raise ArchiveMalformed from failure


class _Check:
    def __init__(self, archive: zipfile.ZipFile, jwks: object) -> None:
        self._archive = archive
        self._jwks = jwks
        self._names = archive.namelist()
        self._index: dict[str, Any] = json.loads(self._read(INDEX))
        self._changed: list[str] = []
        self._sealed: list[str] = []
        self._resources: set[str] = set()  # texts of all that is in some segment

    def run(self, log_keys: Sequence[str], pair_code: bytes) -> Report:
        self._check_files()
        versions = self._index["versions"]
        opened = [self._commitment(version) for version in versions]
        resources = self._check_bundle()
        consents = [name for name in self._names if name.startswith(CONSENTS)]
        for name in consents:
            verify(json.loads(self._read(name)), self._jwks, pair_code=pair_code)
        accesses = verify_bundle(json.loads(self._read(ACCESSES)), list(log_keys))
        return Report(
            subject=self._index["subject"],
            made_at=self._index["made_at"],
            versions=len(versions),
            commitments=tuple(to_hex(found) for found in opened if found is not None),
            changed=tuple(self._changed),
            sealed=tuple(self._sealed),
            resources=resources,
            consents=len(consents),
            accesses=len(accesses["entries"]),
            complete_accesses=accesses["complete"],
        )

    def _check_files(self) -> None:
        """Every file is one that was signed, and every one that was signed is there, once."""
        proof = self._index.pop(PROOF)
        check_proof(proof[JWS], self._index, self._jwks)
        if self._index["format"] != FORMAT or len(self._names) > MAX_FILES:
            raise ArchiveMalformed("an archive of another form")
        signed: dict[str, str] = self._index["files"]
        if sorted(self._names) != sorted([*signed, INDEX]):
            raise ArchiveForged("the archive holds other files than were signed")
        for name, digest in signed.items():
            if self._digest(name) != digest:
                raise ArchiveForged(f"{name} is not the file that was signed")

    def _commitment(self, version: Mapping[str, Any]) -> bytes | None:
        """Check one version's files; return the commitment that its manifest opens, if it is whole."""
        files: dict[str, str] = version["files"]
        for name, file in files.items():
            if name in version["sealed"]:
                self._sealed.append(file)
            elif file.endswith(".json"):
                self._resources.update(_texts(self._read(file)))
        if version["opening"] is None:
            return None
        encoded = base64.b64decode(version["opening"]["manifest"], validate=True)
        salt = Secret(base64.b64decode(version["opening"]["salt"], validate=True))
        manifest = decode(encoded)
        told = (manifest.record_id.hex(), manifest.version, subject_text(manifest.subject))
        if told != (version["record_id"], version["version"], self._index["subject"]):
            raise ArchiveForged("a manifest is of another record")
        if {segment.name for segment in manifest.segments} != set(files):
            raise ArchiveForged("a version lacks a segment that its manifest names")
        for segment in manifest.segments:
            file = files[segment.name]
            if segment.name not in version["sealed"] and self._index["files"][file] != segment.sha256.hex():
                if not version["obligations"]:
                    raise ArchiveForged(f"{file} is not what was stored")
                self._changed.append(file)
        return commitment(encoded, salt)

    def _check_bundle(self) -> int:
        """Every resource of the bundle is in some segment, but for the names of other documents."""
        entries = read_bundle(self._read(BUNDLE), _OUR_OWN).entries
        for entry in entries:
            ours = entry.members["resource"].get("identifier", [{}])[0].get("value", "")
            if entry.resource_text not in self._resources and not str(ours).startswith("urn:assent:record:"):
                raise ArchiveForged("the bundle holds a resource that is in no segment")
        return len(entries)

    def _read(self, name: str) -> bytes:
        if self._archive.getinfo(name).file_size > MAX_FILE_BYTES:
            raise ArchiveMalformed(f"{name} is too large")
        return self._archive.read(name)

    def _digest(self, name: str) -> str:
        digest = hashlib.sha256()
        with self._archive.open(name) as file:
            while piece := file.read(1 << 20):
                digest.update(piece)
        return digest.hexdigest()


def _texts(payload: bytes) -> list[str]:
    return [entry.resource_text for entry in read_bundle(payload, _OUR_OWN).entries]
