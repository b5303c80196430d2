"""From end to end to mediated: the patient hands a segment key over, and the service may read what it opens.

It takes the wallet's signature (``AllowMediated``), which names the kind and epoch of the key by a salted
commitment, and the key itself, sealed to the custodian. There is no way back: who had a key once may have
kept it. What is written later can be kept end to end again, under a new epoch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from backend.audit import codes
from backend.audit.entry import Agent, AuditEvent, Outcome
from backend.audit.log import AuditLog
from backend.consent.drafting import SUBMIT_WITHIN_SECONDS
from backend.consent.key_terms import AllowMediated
from backend.consent.ledger_types import BoundKey
from backend.consent.typed_data import Domain, typed_data
from backend.errors import InvalidInput
from backend.keystore import KeyName, KeyStore, Secret, secrets_in_use
from backend.records import canonical
from backend.records.context import SegmentKeyId
from backend.records.end_to_end import NO_CONSENT, NoEncryptionKey
from backend.records.envelope_errors import WrapRefused
from backend.records.manifests import ManifestBook
from backend.records.patient_keys import PatientKeys
from backend.records.sealing import RecipientKey, RecipientPrivateKey, SlotTarget, open_segment_key
from backend.records.slot_book import SlotBook
from backend.records.vault import Vault
from backend.types import MAX_UINT40, Bytes32, UnixSeconds

KEY_CLASS: Final = "custodian-recipient"
"""The class of the custodian's own key. Nothing that is stored is sealed to it."""
RECIPIENT_KEY: Final[KeyName] = ("master", "recipient/1")


class HandedKeyInvalid(InvalidInput):
    """What was handed over is not the key that was signed for, or opens nothing that it should open."""

    code = "handed_key_invalid"
    remedy = "Hand over the segment key of this kind and epoch, sealed to the key of GET /v1/end-to-end/key."


@dataclass(frozen=True, slots=True)
class Handover:
    """A signed command with what it names. ``sealed``: the segment key, sealed to the custodian's key."""

    key: SegmentKeyId
    salt: Bytes32
    command: AllowMediated
    signature: bytes
    sealed: bytes

    def evidence(self) -> bytes:
        """Return the signed command with the salt that opens it: it proves that the patient wanted this."""
        return canonical.encode(
            {
                "salt": bytes(self.salt),
                "sequence": self.command.sequence,
                "submit_by": self.command.submit_by,
                "signature": self.signature,
            }
        )


def kind_commitment(key: SegmentKeyId, salt: Bytes32) -> Bytes32:
    """Return what ``AllowMediated.segmentKind`` holds for a key: it tells nothing without the salt."""
    return Bytes32(hashlib.sha256(key.encode("assent/allow-mediated/1", bytes(salt))).digest())


class Mediation:
    """``domain`` is that of the KeyRegistry, ``consents`` that of the ConsentRegistry."""

    def __init__(
        self,
        *,
        slots: SlotBook,
        vault: Vault,
        manifests: ManifestBook,
        patients: PatientKeys,
        keys: KeyStore,
        audit: AuditLog,
        domain: Domain,
        consents: Domain,
        clock: Callable[[], int],
    ) -> None:
        self._slots = slots
        self._vault = vault
        self._manifests = manifests
        self._patients = patients
        self._keys = keys
        self._audit = audit
        self._domain = domain
        self._consents = consents
        self._clock = clock

    def public_key(self) -> RecipientKey:
        """Return the custodian's own key, which segment keys are handed over under."""
        return self._private().public

    def draft(self, key: SegmentKeyId) -> tuple[Mapping[str, Any], Bytes32]:
        """Return the typed data to sign, and the salt of its commitment.

        Raises NoEncryptionKey, SlotMissing.
        """
        bound: BoundKey | None = self._patients.state(key.subject).bound
        if bound is None:
            raise NoEncryptionKey
        self._slots.epoch(key)
        salt = Bytes32(Secret.generate().reveal())
        submit_by = UnixSeconds(self._clock() + SUBMIT_WITHIN_SECONDS)
        command = AllowMediated(key.subject, kind_commitment(key, salt), bound.sequence, submit_by)
        return typed_data(command, self._domain), salt

    def take(self, handover: Handover, *, by: Agent) -> None:
        """Check signature and key, and keep a slot of the key for the service. Again changes nothing.

        Raises LedgerRejected unless the patient's wallet signed it for the key that counts, HandedKeyInvalid,
        SlotMissing, LedgerUnavailable.
        """
        command, key_id = handover.command, handover.key
        if command.subject != key_id.subject or command.segment_kind != kind_commitment(
            key_id, handover.salt
        ):
            raise HandedKeyInvalid(field="message.segmentKind")
        self._slots.epoch(key_id)
        self._patients.require_mediated(command, handover.signature)
        private = self._private()
        target = SlotTarget(
            key=key_id,
            recipient=private.public.id,
            consent=NO_CONSENT,
            expiry=UnixSeconds(MAX_UINT40),
            chain_id=self._consents.chain_id,
            contract=bytes.fromhex(self._consents.verifying_contract[2:]),
        )
        try:
            key = open_segment_key(handover.sealed, private, target)
            for manifest in self._manifests.of_subject(key_id.subject):
                for part in manifest.segments:
                    if self._vault.key_id(manifest.subject, part) == key_id:
                        self._vault.require_opens(manifest, part, key)
        except WrapRefused as refused:
            raise HandedKeyInvalid(field="sealed_key") from refused
        self._slots.open_to_custodian(key, handover.evidence())
        self._audit.append(self._event(handover, by))

    def _event(self, handover: Handover, by: Agent) -> AuditEvent:
        command = handover.command
        return AuditEvent(
            type=codes.KEY_HANDED_OVER,
            outcome=Outcome.CHANGED,
            occurred_at_ms=self._clock() * 1000,
            actor=by,
            subject=command.subject,
            detail={
                "epoch": handover.key.epoch,
                "sequence": command.sequence,
                "segment_kind": command.segment_kind,
                "handover": hashlib.sha256(handover.evidence()).digest(),
            },
        )

    def _private(self) -> RecipientPrivateKey:
        return RecipientPrivateKey(secrets_in_use(self._keys, KEY_CLASS, RECIPIENT_KEY)[0])
