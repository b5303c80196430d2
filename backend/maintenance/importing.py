"""``assent import``: a folder of FHIR bundles of enrolled patients, each stored once however often it runs.

A record's id derives from the file's bytes, so a run that was interrupted goes on where it stopped, and a
file that was moved or renamed is known again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from backend.adapters.index.record_index import MongoRecordIndex
from backend.audit.entry import Agent, AgentKind
from backend.bootstrap import World
from backend.errors import Conflict, IntegrityError, InvalidInput, NotFound, TooLarge
from backend.identity.errors import NotEnrolled, RecordNumberInvalid
from backend.maintenance.errors import NothingToImport
from backend.records.fhir import validate_bundle
from backend.records.fhir_bundle import Bundle
from backend.records.segments import FHIR_MEDIA_TYPE
from backend.records.storing import NewDocument
from backend.types import RecordId, SubjectId

STORED: Final = "stored"
ALREADY: Final = "already stored"
WOULD_STORE: Final = "would be stored"
REFUSED: Final = "refused"


class AmbiguousPatient(InvalidInput):
    code = "patient_ambiguous"
    remedy = "The bundle's patient has the record numbers of several enrolled patients. Correct the bundle."


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file. ``code`` and ``detail`` say why it was refused."""

    file: str
    result: str
    record_id: str = ""
    segments: int = 0
    code: str = ""
    detail: str = ""


def bundles_in(folder: Path) -> list[Path]:
    """Return the folder's .json files by name. Raises NothingToImport."""
    found = sorted(path for path in folder.glob("*.json") if path.is_file()) if folder.is_dir() else []
    if not found:
        raise NothingToImport(str(folder))
    return found


def record_id_of(content: bytes) -> RecordId:
    """Return the record id that a file's content has in every run."""
    digest = hashlib.sha256(content).digest()
    return RecordId(hashlib.sha256(b"assent/import/1\0" + digest).digest()[:16])


def import_files(world: World, paths: list[Path], *, dry_run: bool) -> Iterator[Outcome]:
    """Store the files one after the other. Raises Unavailable errors, which end the run: call it again."""
    index = MongoRecordIndex(world.stores.database)
    for path in paths:
        try:
            yield _import(world, index, path, dry_run=dry_run)
        except (InvalidInput, NotFound, Conflict, IntegrityError) as refusal:
            detail = refusal.detail if refusal.field is None else f"{refusal.field}: {refusal.detail}"
            yield Outcome(path.name, REFUSED, code=refusal.code, detail=detail)
        except OSError as failure:
            yield Outcome(path.name, REFUSED, code="file_unreadable", detail=failure.strerror or "")


def _import(world: World, index: MongoRecordIndex, path: Path, *, dry_run: bool) -> Outcome:
    if path.stat().st_size > world.stores.settings.max_body_bytes:
        raise TooLarge(f"more than {world.stores.settings.max_body_bytes} bytes")
    content = path.read_bytes()
    record_id = record_id_of(content)
    known = index.current(record_id)
    if known is not None:
        return Outcome(path.name, ALREADY, record_id.hex())
    bundle = validate_bundle(content)
    subject = _subject_of(world, bundle)
    if dry_run:
        return Outcome(path.name, WOULD_STORE, record_id.hex())
    stored = world.services.storing.store_bundle(
        NewDocument(
            subject=subject,
            record_id=record_id,
            version=1,
            content=content,
            media_type=FHIR_MEDIA_TYPE,
            author=world.stores.tenant,
            actor=Agent(AgentKind.SERVICE, "import"),
        )
    )
    return Outcome(path.name, STORED, record_id.hex(), stored.segments)


def _subject_of(world: World, bundle: Bundle) -> SubjectId:
    """Return the enrolled subject with one of the bundle's record numbers.

    Raises NotEnrolled and AmbiguousPatient.
    """
    identity, tenant = world.services.identity, world.stores.tenant
    found: set[SubjectId] = set()
    for _, value in bundle.patient_identifiers:
        try:
            subject = identity.references.resolve(tenant, identity.references.refer(tenant, value))
        except RecordNumberInvalid:
            continue
        if identity.enrolments.account_of(subject) is not None:  # else a phantom: see patient_refs
            found.add(subject)
    if not found:
        raise NotEnrolled
    if len(found) > 1:
        raise AmbiguousPatient(field="entry.resource.identifier")
    return found.pop()
