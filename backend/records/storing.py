"""Storing documents: validated, labelled, split, encrypted, put on the block store, committed on the chain.

What is not acknowledged may leave encrypted blocks behind that nothing names; what is acknowledged is there
with its manifest, its keys and its commitment, whatever crashed on the way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from backend.audit import codes
from backend.audit.entry import Action, Agent, AgentKind, AuditEvent, Outcome
from backend.audit.log import AuditLog
from backend.consent.errors import UnderErasure
from backend.consent.service import act_identity
from backend.errors import Conflict, NotFound
from backend.identity.errors import RecordNumberInvalid
from backend.identity.people import normal_record_number
from backend.keystore import KeyStore
from backend.outbox.driver import Driver
from backend.outbox.service import Outbox
from backend.outbox.types import DONE, Act, Advance
from backend.records.attachments import attachment_segment
from backend.records.content import Content, InMemory, content_of
from backend.records.fhir import validate_bundle
from backend.records.fhir_errors import BundleOfAnotherPatient
from backend.records.label_tables import LabelTables
from backend.records.manifest import (
    Manifest,
    SegmentManifest,
    commitment,
    manifest_share_of,
    place_of,
    salt_of,
    version_name,
)
from backend.records.manifests import ManifestBook
from backend.records.ports import CommitmentLedger, RecordIndex, VersionRow
from backend.records.segments import Segment, segment
from backend.records.slots import kind_of
from backend.records.vault import PlainSegment, SealedSegment, Vault
from backend.sealed import DocumentSealer
from backend.types import BlockNumber, Bytes32, MemberId, RecordId, SubjectId, UnixSeconds

ACT: Final = "record"
FHIR_BUNDLE: Final = "fhir-bundle"
ATTACHMENT: Final = "attachment"
ONLY_SEGMENT: Final = "s0000"  # the name of an attachment's
_Segments: TypeAlias = tuple[SegmentManifest, ...]


class RecordUnknown(NotFound):
    code = "record_unknown"
    remedy = "Check the record's id; only its custodian adds versions to it."


class VersionTaken(Conflict):
    code = "version_taken"
    remedy = "Somebody stored this version before. Read the current version and send the next one."


@dataclass(frozen=True, slots=True)
class NewDocument:
    """What is to be stored. ``record_id`` is chosen by the caller, so that a retry names the same record.

    ``categories`` and ``sensitivities`` are codes stated by the sender for an attachment; without them it is
    restricted. An attachment may be larger than memory. ``related`` are records of the subject that it
    belongs to, the report to an order, say: a rule of a consent can name a record with all that were stored
    so.
    """

    subject: SubjectId
    record_id: RecordId
    version: int
    content: bytes | Content
    media_type: str
    author: MemberId
    actor: Agent
    categories: tuple[str, ...] | None = None
    sensitivities: tuple[str, ...] | None = None
    related: tuple[RecordId, ...] = ()

    def whole(self) -> bytes:
        """Return the content, of a document that is known to fit into memory."""
        return self.content if isinstance(self.content, bytes) else b"".join(self.content.pieces())


@dataclass(frozen=True, slots=True)
class Stored:
    record_id: RecordId
    version: int
    segments: int
    commitment: Bytes32
    block: BlockNumber


class StoringService:
    """The steps are registered by the constructor, before acts are driven."""

    def __init__(
        self,
        *,
        tenant: MemberId,
        index: RecordIndex,
        manifests: ManifestBook,
        vault: Vault,
        keys: KeyStore,
        sealer: DocumentSealer,
        ledger: CommitmentLedger,
        outbox: Outbox,
        driver: Driver,
        audit: AuditLog,
        record_numbers: Callable[[SubjectId], Collection[str]],
        labels: LabelTables,
        clock: Callable[[], int],
    ) -> None:
        self._tenant = tenant
        self._index = index
        self._manifests = manifests
        self._vault = vault
        self._keys = keys
        self._sealer = sealer
        self._ledger = ledger
        self._outbox = outbox
        self._driver = driver
        self._audit = audit
        self._record_numbers = record_numbers
        self._labels = labels
        self._clock = clock
        outbox.register(
            ACT,
            {
                "sealed": self._put,
                "indexed": self._commit,
                "committed": self._publish,
                "published": self._log,
            },
        )

    def store_bundle(self, document: NewDocument) -> Stored:
        """Store a FHIR R4 bundle. Raises the errors of ``validate_bundle``, and BundleOfAnotherPatient when
        its Patient has none of the subject's record numbers."""

        def sealed() -> _Segments:
            bundle = validate_bundle(document.whole())
            numbers = set(self._record_numbers(document.subject))
            if numbers.isdisjoint(_normal(value) for _, value in bundle.patient_identifiers):
                raise BundleOfAnotherPatient(field="entry.resource.identifier")
            parts = segment(bundle, self._labels)
            return self._encrypt(document, [(part, InMemory(part.payload)) for part in parts])

        return self._store(document, FHIR_BUNDLE, sealed)

    def store_attachment(self, document: NewDocument) -> Stored:
        """Store any other document as one segment under its media type."""

        content = content_of(document.content)

        def sealed() -> _Segments:
            return self._encrypt(document, [(self._attachment(document, content.size_bytes), content)])

        return self._store(document, ATTACHMENT, sealed)

    def expect_attachment(self, document: NewDocument) -> None:
        """Raise what ``store_attachment`` would whatever the content is, before that is received."""
        self._attachment(document, 1)
        if self._outbox.find(ACT, version_name(document.record_id, document.version)) is None:
            self._require_next_version(document.subject, document.record_id, document.version)
            self._require_related(document)

    def require_unstored(self, subject: SubjectId, record_id: RecordId, version: int) -> None:
        """Raise VersionTaken for a version that is stored or being stored, whoever's it is; RecordUnknown or
        VersionTaken for one that this subject cannot store next."""
        name = version_name(record_id, version)
        if self._outbox.find(ACT, name) is not None or self._index.version(record_id, version) is not None:
            raise VersionTaken
        self._require_next_version(subject, record_id, version)

    def store_end_to_end(self, document: NewDocument, sealed: Callable[[], SealedSegment]) -> Stored:
        """Store what its patient encrypted: ``content`` is the ciphertext. ``sealed`` is asked once a record.

        Raises CiphertextInvalid, and SecretNotFound where no erasure share was drawn before.
        """

        def adopted() -> _Segments:
            context = self._vault.context(document.record_id, document.version, ONLY_SEGMENT)
            return (self._vault.adopt(sealed(), context=context),)

        return self._store(document, ATTACHMENT, adopted)

    def _attachment(self, document: NewDocument, size_bytes: int) -> Segment:
        return attachment_segment(
            size_bytes,
            media_type=document.media_type,
            categories=document.categories,
            sensitivities=document.sensitivities,
            tables=self._labels,
        )

    def _encrypt(self, document: NewDocument, segments: Sequence[tuple[Segment, Content]]) -> _Segments:
        plain = [_plain(number, part, content) for number, (part, content) in enumerate(segments)]
        return self._vault.store(
            plain, subject=document.subject, record_id=document.record_id, version=document.version
        )

    def _store(self, document: NewDocument, kind: str, sealed: Callable[[], _Segments]) -> Stored:
        self._require_standing(document.subject, document.record_id)
        act_id = version_name(document.record_id, document.version)
        digest = _digest(document)
        act = self._outbox.find(ACT, act_id)
        if act is None:
            self._require_next_version(document.subject, document.record_id, document.version)
            self._require_related(document)
            manifest = self._manifest(document, kind, sealed())
            self._require_standing(document.subject, document.record_id)  # sealing may have taken long
            act = self._begin(act_id, digest, document.actor, manifest)
        elif act.data["digest"] != digest:
            raise VersionTaken
        act = self._outbox.drive(act)
        return Stored(
            record_id=document.record_id,
            version=document.version,
            segments=act.data["segments"],
            commitment=Bytes32(act.data["commitment"]),
            block=BlockNumber(act.data["block"]),
        )

    def _require_standing(self, subject: SubjectId, record_id: RecordId) -> None:
        """Raise UnderErasure for a person, RecordUnknown for a record that is being erased or was."""
        if not self._manifests.erases(subject, record_id):
            return
        if self._manifests.erases(subject, None):
            raise UnderErasure(field="subject")
        raise RecordUnknown

    def _require_next_version(self, subject: SubjectId, record_id: RecordId, version: int) -> None:
        if version == 1:
            return
        previous = self._index.current(record_id)
        if previous is None or previous.subject != subject:
            raise RecordUnknown
        if previous.version + 1 != version:
            raise VersionTaken

    def _require_related(self, document: NewDocument) -> None:
        for record in document.related:
            found = self._index.current(record)
            if found is None or found.subject != document.subject or record == document.record_id:
                raise RecordUnknown(field="related")
            if self._manifests.erases(found.subject, record):
                raise RecordUnknown(field="related")

    def _manifest(self, document: NewDocument, kind: str, segments: _Segments) -> Manifest:
        return Manifest(
            record_id=document.record_id,
            version=document.version,
            subject=document.subject,
            author=document.author,
            document_type=kind,
            created_at=UnixSeconds(self._clock()),
            label_tables=bytes.fromhex(self._labels.digest),
            segments=segments,
            related=document.related,
        )

    def _begin(self, act_id: str, digest: bytes, actor: Agent, manifest: Manifest) -> Act:
        encoded = manifest.encode()
        salt, share = self._keys.create_many([salt_of(act_id), manifest_share_of(act_id)])
        sealed = self._sealer.seal(encoded, subject=manifest.subject, place=place_of(act_id), share=share)
        return self._outbox.begin(
            ACT,
            act_id,
            state="sealed",
            data={
                "digest": digest,
                "subject": f"{manifest.subject:024x}",
                "manifest": sealed,
                "commitment": bytes(commitment(encoded, salt)),
                "created_at": manifest.created_at,
                "segments": len(manifest.segments),
                "author": bytes(manifest.author),
                "actor": [actor.kind.value, actor.id, actor.token, actor.session],
            },
        )

    def _put(self, act: Act) -> Advance:
        record_id, version = _identity(act)
        subject = SubjectId(int(act.data["subject"], 16))
        # An erasure locks and then waits for acts under way: it sees this one, or this one sees the lock.
        self._require_standing(subject, record_id)
        self._index.put(
            VersionRow(
                record_id=record_id,
                version=version,
                subject=subject,
                manifest=act.data["manifest"],
                commitment=Bytes32(act.data["commitment"]),
                created_at=UnixSeconds(act.data["created_at"]),
                current=False,
            )
        )
        return Advance("indexed", {})

    def _commit(self, act: Act) -> Advance:
        receipt = self._ledger.commit_records([Bytes32(act.data["commitment"])])
        return Advance("committed", {"block": receipt.block_number})

    def _publish(self, act: Act) -> Advance:
        record_id, version = _identity(act)
        self._index.make_current(record_id, version)
        self._manifests.changed(record_id, version)
        return Advance("published", {})

    def _log(self, act: Act) -> Advance:
        record_id, version = _identity(act)
        kind, identifier, *marks = act.data["actor"]  # acts of an older release have none
        self._audit.append(
            AuditEvent(
                type=codes.RECORD_STORED,
                outcome=Outcome.CHANGED,
                occurred_at_ms=act.data["created_at"] * 1000,
                actor=Agent(AgentKind(kind), identifier, *marks),
                organisation=MemberId(act.data["author"]),
                subject=SubjectId(int(act.data["subject"], 16)),
                action=Action.WRITE,
                records=(record_id,),
                final_block=BlockNumber(act.data["block"]),
                detail={"version": version, "segments": act.data["segments"]},
            ),
            act=act_identity(act),
        )
        return Advance(DONE, {})


def _digest(document: NewDocument) -> bytes:
    """What makes two attempts the same: content, patient, media type, stated labels and relations."""
    labels = (document.categories, document.sensitivities)
    stated = repr((document.subject, document.media_type, *labels, document.related))
    return hashlib.sha256(stated.encode() + b"\0" + content_of(document.content).sha256).digest()


def _normal(identifier: str) -> str | None:
    """An identifier in the form that enrolment keeps record numbers in, or None for what can be none."""
    try:
        return normal_record_number(identifier)
    except RecordNumberInvalid:
        return None


def _identity(act: Act) -> tuple[RecordId, int]:
    record_id, version = act.act_id.split("/")
    return RecordId(bytes.fromhex(record_id)), int(version)


def _plain(number: int, part: Segment, content: Content) -> PlainSegment:
    return PlainSegment(
        name=f"s{number:04d}",
        kind=kind_of(part.categories, part.sensitivities),
        categories=part.categories,
        sensitivities=part.sensitivities,
        data_from=UnixSeconds(part.data_from),
        data_to=UnixSeconds(part.data_to),
        media_type=part.media_type,
        resources=part.resources,
        content=content,
    )
