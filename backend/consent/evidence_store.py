"""Signed consents and requests as they are kept, and the ports of the index that keeps them."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from backend.consent.terms import Delegation, Document, Grant
from backend.consent.terms_json import from_json, to_json
from backend.sealed import DocumentSealer, require_schema
from backend.types import Address, BlockNumber, Bytes32, ConsentId, MemberId, SubjectId, UnixSeconds

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class SignedDocument:
    """A grant or delegation with its evidence: who signed, and the chain of delegations that was used.

    ``via`` is ordered from the signer's own delegation up to the one the controller gave; empty when the
    controller signed.
    """

    document: Document
    signature: bytes
    signer: Address
    via: tuple[Delegation, ...] = ()

    def encode(self) -> bytes:
        value = {
            "schema": SCHEMA_VERSION,
            "type": type(self.document).__name__,
            "message": to_json(self.document),
            "signature": self.signature.hex(),
            "signer": self.signer,
            "via": [to_json(delegation) for delegation in self.via],
        }
        return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()

    @classmethod
    def decode(cls, encoded: bytes) -> SignedDocument:
        """Read what ``encode`` wrote. Raises SchemaUnknown."""
        value = json.loads(encoded)
        require_schema(value["schema"], SCHEMA_VERSION)
        message = value["message"]
        return cls(
            document=from_json(Grant, message)
            if value["type"] == "Grant"
            else from_json(Delegation, message),
            signature=bytes.fromhex(value["signature"]),
            signer=Address(value["signer"]),
            via=tuple(from_json(Delegation, delegation) for delegation in value["via"]),
        )


def place_of(consent: ConsentId) -> str:
    """Return where a signed document is sealed for."""
    return f"consents/{consent.hex()}"


@dataclass(frozen=True, slots=True)
class ConsentRow:
    """One signed document in the index. ``sealed`` is an encoded SignedDocument, encrypted."""

    consent_id: ConsentId
    subject: SubjectId
    sealed: bytes
    received_at: UnixSeconds
    delegate: Address | None = None  # of a delegation: the account it gives powers to
    block: BlockNumber | None = None  # where it was recorded
    transaction: Bytes32 | None = None

    def opened(self, sealer: DocumentSealer) -> SignedDocument:
        """Return the document. Raises SecretNotFound when the person was erased, SealedDocumentRefused,
        SchemaUnknown."""
        place = place_of(self.consent_id)
        return SignedDocument.decode(sealer.open(self.sealed, subject=self.subject, place=place))


@dataclass(frozen=True, slots=True)
class RequestRow:
    """A provider's request for consent. ``sealed`` holds what is asked for, encrypted for the patient's file.

    ``state`` is 'requested', 'granted' or 'refused'; a request nobody answered lapses at ``lapses_at``.
    """

    request_id: Bytes32
    subject: SubjectId
    requester: MemberId
    purposes: int
    sealed: bytes
    created_at: UnixSeconds
    lapses_at: UnixSeconds
    state: str
    consent_id: ConsentId | None = None


class ConsentIndex(Protocol):
    """Every write is durable on return and safe to repeat. All raise IndexUnavailable."""

    def put(self, row: ConsentRow) -> None:
        """Keep a signed document. The same id again changes nothing."""

    def set_receipt(self, consent_id: ConsentId, *, block: BlockNumber, transaction: Bytes32) -> None:
        """Name the block that has it; on a network another one may take the place of the first."""

    def get(self, consent_id: ConsentId) -> ConsentRow | None: ...

    def of_subject(self, subject: SubjectId) -> list[ConsentRow]:
        """All documents of a subject, oldest first."""

    def delegated_to(self, account: Address) -> Sequence[SubjectId]:
        """Subjects with a delegation or guardianship, live or not, for the account."""

    def subjects(self) -> Sequence[SubjectId]:
        """Every subject that has a document, for research runs and fsck."""

    def put_request(self, row: RequestRow) -> bool:
        """Add a request; False when the requester has an open one for the same subject and purposes."""

    def request(self, request_id: Bytes32) -> RequestRow | None: ...

    def answer_request(self, request_id: Bytes32, *, state: str, consent_id: ConsentId) -> None: ...

    def open_requests(
        self, subject: SubjectId, requester: MemberId, *, now: UnixSeconds
    ) -> Sequence[RequestRow]:
        """Requests of one to the other that are neither answered nor lapsed."""

    def requests_of(
        self,
        *,
        subject: SubjectId | None,
        requester: MemberId | None,
        limit: int,
        but_open_from: Collection[MemberId] = (),
    ) -> list[RequestRow]:
        """Requests to a subject or from a requester, newest first.

        ``but_open_from``: unanswered ones of these requesters are left out.
        """

    def asked_subjects(self) -> Sequence[SubjectId]:
        """Every subject that was asked for consent."""

    def block(self, subject: SubjectId, requester: MemberId, *, at: UnixSeconds) -> bool:
        """Keep that a subject wants no requests of this requester; False if that is known."""

    def unblock(self, subject: SubjectId, requester: MemberId) -> bool:
        """Forget it; False if there is nothing to forget."""

    def blocked(self, subject: SubjectId) -> Sequence[tuple[MemberId, UnixSeconds]]:
        """Requesters this subject blocks and since when, oldest first."""
