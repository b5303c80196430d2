"""Makes the archive: every record that the reader may see, in all versions, with what proves it.

Each record is read like any other, decided and logged before its first byte leaves; the list of accesses
comes last, so that it shows the export too. The index of the archive is signed. For each version that is
whole it holds what opens the commitment on the chain; of one of which something stays behind it does not,
because the manifest would tell what.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from backend.audit import codes
from backend.audit.entry import AuditEvent, Outcome
from backend.audit.log import AuditLog
from backend.consent.errors import ConsentRequired
from backend.consent.typed_data import Domain
from backend.interop.portability.archive import ArchiveWriter
from backend.interop.portability.whole_record import WholeRecord
from backend.interop.receipts.signing import DocumentSigner
from backend.keystore import KeyStore
from backend.records.manifest import Manifest, salt_of, version_name
from backend.records.manifests import ManifestBook
from backend.records.ports import RecipientKeys, RecordIndex
from backend.records.reading import ReadingService, Released, ReleasedSegment, Wanted
from backend.records.segments import FHIR_MEDIA_TYPE
from backend.records.slot_book import KeyWithheld
from backend.records.trail import Reader
from backend.types import MemberId, SubjectId, subject_text, to_hex

FORMAT: Final = "assent-portability/1"
INDEX: Final = "index.json"
BUNDLE: Final = "bundle.json"
ACCESSES: Final = "accesses.json"
CONSENTS: Final = "consents/"  # folder of signed consent records
DELEGATIONS: Final = "delegations/"
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What lies beside the records. ``consents``: signed consent records and delegations by file name.
    ``accesses`` makes the proof bundle of all accesses when the records have been read."""

    chain: Json
    consents: Mapping[str, Json]
    accesses: Callable[[], Json]


class Portability:
    def __init__(
        self,
        *,
        index: RecordIndex,
        manifests: ManifestBook,
        reading: ReadingService,
        recipients: RecipientKeys,
        keys: KeyStore,
        signer: DocumentSigner,
        audit: AuditLog,
        clock: Callable[[], int],
    ) -> None:
        self._index = index
        self._manifests = manifests
        self._reading = reading
        self._recipients = recipients
        self._keys = keys
        self._signer = signer
        self._audit = audit
        self._clock = clock

    def export(self, reader: Reader, evidence: Evidence) -> Iterator[bytes]:
        """Yield the archive. The entry that it was asked for is durable before the first byte.

        Raises as ``ReadingService.read``, also on the way: then the archive is cut off and does not open.
        """
        subject = reader.question.subject
        made_at = self._clock()
        self._audit.append(_exported(reader, made_at))
        return self._archive(subject, reader, evidence, made_at)

    def _archive(
        self, subject: SubjectId, reader: Reader, evidence: Evidence, made_at: int
    ) -> Iterator[bytes]:
        archive, whole = ArchiveWriter(made_at=made_at), WholeRecord()
        versions: list[Json] = []
        for manifest, current in self._versions(subject):
            released = self._read(manifest, reader)
            if released is None:
                continue
            for part in released.segments:
                yield from archive.add(_file(manifest, part), part.pieces)
                if current:
                    _add(whole, manifest, part)
            versions.append(self._opened(manifest, released))
        yield from archive.add(BUNDLE, whole.bundle())
        for name, document in evidence.consents.items():
            yield from archive.add(name, (_text(document),))
        yield from archive.add(ACCESSES, (_text(evidence.accesses()),))
        index = self._signer.sign(
            {
                "format": FORMAT,
                "subject": subject_text(subject),
                "made_at": made_at,
                "chain": evidence.chain,
                "versions": versions,
                "files": archive.digests,
            }
        )
        yield from archive.add(INDEX, (_text(index),))
        yield from archive.end()

    def _versions(self, subject: SubjectId) -> Iterator[tuple[Manifest, bool]]:
        for row in self._index.list_current(subject):
            for version in range(1, row.version + 1):
                found = row if version == row.version else self._manifests.row(row.record_id, version)
                if found is not None:
                    yield self._manifests.manifest(found), version == row.version

    def _read(self, manifest: Manifest, reader: Reader) -> Released | None:
        wanted = Wanted(manifest.record_id, lambda _: reader, manifest.version)
        try:
            return self._reading.read(wanted)
        except KeyWithheld:
            # Kept end to end: it goes as it is, sealed to the patient. Without a key nobody can have it.
            recipient = self._recipients.of_subject(manifest.subject)
            if recipient is None:
                return None
            return self._reading.read(replace(wanted, sealed_to=lambda _: recipient))
        except ConsentRequired:
            return None

    def _opened(self, manifest: Manifest, released: Released) -> Json:
        opening = None
        if len(released.segments) == len(manifest.segments):
            salt = self._keys.get(*salt_of(version_name(manifest.record_id, manifest.version)))
            opening = {
                "manifest": base64.b64encode(manifest.encode()).decode(),
                "salt": base64.b64encode(salt.reveal()).decode(),
            }
        return {
            "record_id": manifest.record_id.hex(),
            "version": manifest.version,
            "opening": opening,
            "files": {part.segment.name: _file(manifest, part) for part in released.segments},
            "sealed": [part.segment.name for part in released.segments if part.sealed],
            "obligations": released.obligations,
        }


def _add(whole: WholeRecord, manifest: Manifest, part: ReleasedSegment) -> None:
    if part.segment.media_type == FHIR_MEDIA_TYPE and not part.sealed:
        whole.add_bundle(part.payload)
    else:
        whole.add_document(
            manifest.record_id.hex(), part.segment.media_type, _file(manifest, part), part.segment.size_bytes
        )


def _file(manifest: Manifest, part: ReleasedSegment) -> str:
    kind = "sealed" if part.sealed else "json" if part.segment.media_type == FHIR_MEDIA_TYPE else "bin"
    return f"records/{manifest.record_id.hex()}/{manifest.version}/{part.segment.name}.{kind}"


def _text(document: Json) -> bytes:
    return json.dumps(document, indent=1, ensure_ascii=False).encode()


def _exported(reader: Reader, made_at: int) -> AuditEvent:
    return AuditEvent(
        type=codes.RECORD_EXPORTED,
        outcome=Outcome.PERMITTED,
        occurred_at_ms=made_at * 1000,
        actor=reader.agent,
        organisation=reader.organisation,
        subject=reader.question.subject,
        purpose=reader.purpose,
        action=reader.action,
    )


def chain_facts(domain: Domain, tenant: MemberId) -> Json:
    """Where consents and commitments stand, for whoever wants to ask the chain."""
    return {
        "chain_id": domain.chain_id,
        "consent_registry": domain.verifying_contract,
        "custodian": to_hex(tenant),
    }
