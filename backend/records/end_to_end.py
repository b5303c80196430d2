"""Records that only their patient, and whom the patient sealed the key to, can read.

The patient's client encrypts. The service draws the erasure share and keeps it, stores the ciphertext,
decides on every read as for any record, and then hands share and ciphertext over; the segment key it never
had. What it cannot check it does not promise: the labels of such a record are the patient's word, and nobody
here can de-identify it, so a consent with that condition releases nothing of it.
docs/decisions/0020-end-to-end.md
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from backend.audit import codes
from backend.audit.entry import Agent, AuditEvent, Outcome
from backend.audit.log import AuditLog
from backend.consent.evidence import EvidenceBook
from backend.consent.terms import ZERO32, Grant
from backend.consent.typed_data import Domain
from backend.errors import Conflict, InvalidInput, NotFound
from backend.records.attachments import require_media_type, stated_labels
from backend.records.context import ContentContext, SegmentKeyId
from backend.records.fhir_dates import ALL_TIME
from backend.records.label_tables import LabelTables
from backend.records.manifests import ManifestBook
from backend.records.ports import RecipientKeys
from backend.records.sealing import RecipientKey, seal_share
from backend.records.slot_book import SlotBook
from backend.records.slots import SealedSlot, kind_of
from backend.records.storing import ONLY_SEGMENT, NewDocument, RecordUnknown, Stored, StoringService
from backend.records.trail import SEALED_TO
from backend.records.vault import SealedSegment, Vault
from backend.types import MAX_UINT40, ConsentId, MemberId, RecordId, SubjectId, UnixSeconds

NO_CONSENT: Final = ConsentId(bytes(ZERO32))  # of the patient's own slot


class NoEncryptionKey(Conflict):
    """Nobody can seal anything to this patient or organisation."""

    code = "no_encryption_key"
    remedy = "Bind an encryption key first: PUT /v1/encryption-keys, or for an organisation its own route."


class SlotInvalid(InvalidInput):
    """A slot is not for the reader, consent, expiry or chain that it may be for."""

    code = "key_slot_invalid"
    remedy = "Seal the key anew with the draft's values: reader, consent and expiry have to be the consent's."


class GrantUnknown(NotFound):
    code = "grant_unknown"
    remedy = "Give the id of a consent of this patient that permits something to one organisation."


@dataclass(frozen=True, slots=True)
class Place:
    """Which segment the patient is about to encrypt, with stated labels (codes)."""

    subject: SubjectId
    record_id: RecordId
    version: int
    categories: tuple[str, ...]
    sensitivities: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Draft:
    """What the patient's client needs to encrypt. ``slot``: the patient's own, of the newest epoch, or None
    where the client makes the key of epoch ``key.epoch``."""

    context: ContentContext
    key: SegmentKeyId
    recipient: RecipientKey
    slot: SealedSlot | None
    sealed_share: bytes


class EndToEnd:
    def __init__(
        self,
        *,
        slots: SlotBook,
        vault: Vault,
        manifests: ManifestBook,
        storing: StoringService,
        recipients: RecipientKeys,
        evidence: EvidenceBook,
        audit: AuditLog,
        domain: Domain,
        labels: LabelTables,
        clock: Callable[[], int],
    ) -> None:
        self._slots = slots
        self._vault = vault
        self._manifests = manifests
        self._storing = storing
        self._recipients = recipients
        self._evidence = evidence
        self._audit = audit
        self._domain = domain
        self._labels = labels
        self._clock = clock

    def key_id(self, subject: SubjectId, kind: str, epoch: int) -> SegmentKeyId:
        return self._slots.key_id(subject, kind, epoch)

    def draft(self, place: Place) -> Draft:
        """Draw the erasure share of a segment and seal it to the patient. Again gives the same share, until
        the version is stored: from then on only decided reads give shares out.

        Raises NoEncryptionKey, AttachmentLabelsInvalid, VersionTaken, and RecordUnknown, also for what is
        being erased.
        """
        if self._manifests.erases(place.subject, place.record_id):
            raise RecordUnknown
        self._storing.require_unstored(place.subject, place.record_id, place.version)
        recipient = self._recipients.of_subject(place.subject)
        if recipient is None:
            raise NoEncryptionKey
        kind, _, _ = self._labels_of(place.categories, place.sensitivities)
        epochs = self._slots.epochs(place.subject, kind)
        own = [slot for slot in epochs[-1].sealed if slot.recipient == recipient.id] if epochs else []
        context = self._vault.context(place.record_id, place.version, ONLY_SEGMENT)
        return Draft(
            context=context,
            # A patient whose key is new has no slot in the newest epoch, and begins the next.
            key=self._slots.key_id(place.subject, kind, len(epochs) - 1 if own else len(epochs)),
            recipient=recipient,
            slot=own[-1] if own else None,
            sealed_share=seal_share(self._vault.draw_share(context), recipient, context),
        )

    def store(
        self, document: NewDocument, *, epoch: int, wrapped_dek: bytes, slot: SealedSlot | None
    ) -> Stored:
        """Store a ciphertext: ``document.content``. ``slot`` begins an epoch: its key, sealed to the patient.

        Raises SlotInvalid, SlotMissing, SlotsTaken, CiphertextInvalid, and the errors of ``StoringService``.
        """
        kind, categories, sensitivities = self._labels_of(document.categories, document.sensitivities)
        media_type = require_media_type(document.media_type)
        key_id = self._slots.key_id(document.subject, kind, epoch)

        def sealed() -> SealedSegment:
            if slot is None:
                self._slots.epoch(key_id)
            else:
                self._require_patients(key_id, slot)
                self._slots.keep_end_to_end(key_id, slot)
            return SealedSegment(
                kind=kind,
                key_epoch=epoch,
                categories=categories,
                sensitivities=sensitivities,
                data_from=UnixSeconds(ALL_TIME[0]),
                data_to=UnixSeconds(ALL_TIME[1]),
                media_type=media_type,
                ciphertext=document.whole(),
                wrapped_dek=wrapped_dek,
            )

        return self._storing.store_end_to_end(document, sealed)

    def share(self, key_id: SegmentKeyId, slot: SealedSlot, *, by: Agent) -> None:
        """Keep a slot that seals a patient's key to the organisation that one of its consents names.

        Whether the consent covers what the key opens is decided at each read. Raises GrantUnknown,
        NoEncryptionKey, SlotInvalid, SlotMissing, SlotsFull.
        """
        signed = self._evidence.signed(key_id.subject, slot.consent)
        grant = None if signed is None else signed.document
        if not isinstance(grant, Grant):
            raise GrantUnknown
        recipient = self._recipients.of_member(MemberId(grant.terms.grantee))
        if recipient is None:
            raise NoEncryptionKey
        self._require_bound(slot, recipient, consent=slot.consent, expiry=grant.not_after)
        self._slots.seal_to(key_id, slot)
        self._audit.append(
            AuditEvent(
                type=codes.KEY_SHARED,
                outcome=Outcome.CHANGED,
                occurred_at_ms=self._clock() * 1000,
                actor=by,
                subject=key_id.subject,
                organisation=MemberId(grant.terms.grantee),
                consents=(slot.consent,),
                detail={SEALED_TO: recipient.id},
            )
        )

    def _labels_of(
        self, categories: Collection[str] | None, sensitivities: Collection[str] | None
    ) -> tuple[str, int, int]:
        masks = stated_labels(categories or (), sensitivities or (), self._labels)
        return (kind_of(*masks, end_to_end=True), *masks)

    def _require_patients(self, key_id: SegmentKeyId, slot: SealedSlot) -> None:
        recipient = self._recipients.of_subject(key_id.subject)
        if recipient is None:
            raise NoEncryptionKey
        self._require_bound(slot, recipient, consent=NO_CONSENT, expiry=UnixSeconds(MAX_UINT40))

    def _require_bound(
        self, slot: SealedSlot, recipient: RecipientKey, *, consent: ConsentId, expiry: UnixSeconds
    ) -> None:
        """Raise SlotInvalid unless a slot is for just this reader, consent and chain. What it opens only the
        reader can tell."""
        found = (slot.recipient, slot.consent, slot.expiry, slot.chain_id, slot.contract)
        contract = bytes.fromhex(self._domain.verifying_contract[2:])
        if found != (recipient.id, consent, expiry, self._domain.chain_id, contract):
            raise SlotInvalid(field="slot")
