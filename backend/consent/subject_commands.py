"""The signed commands that open a subject: by the patient, or by a guardian for a child.

Implements ``backend.identity.ports.SubjectCommands``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from backend.consent.authority import require_signed_by
from backend.consent.drafting import SUBMIT_WITHIN_SECONDS, DelegationWish, Drafter
from backend.consent.errors import InvalidTerms, SignatureInvalid
from backend.consent.notices import NoticeBook
from backend.consent.relay import ConsentRelay
from backend.consent.summary import check_summary
from backend.consent.tables import Tables
from backend.consent.terms import UNBOUNDED, Delegation, Kind, OpenSubject, Power
from backend.consent.terms_json import from_json
from backend.consent.typed_data import Domain, typed_data
from backend.consent.validation import check_command
from backend.errors import InvalidInput
from backend.identity.types import Guardian
from backend.types import Address, Bytes32, SubjectId, UnixSeconds

GUARDIAN_POWERS: Final = Power.GRANT | Power.REVOKE | Power.READ
GUARDIANSHIP_SECONDS: Final = 18 * 366 * 24 * 3600  # at most to majority; the desk ends it earlier


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectCommands:
    """Drafts and checks them."""

    drafter: Drafter
    notices: NoticeBook
    tables: Tables
    domain: Domain
    relay: ConsentRelay
    clock: Callable[[], int]

    def draft(
        self, subject_id: SubjectId, account: Address, guardian: Guardian | None, evidence: bytes
    ) -> Mapping[str, Any]:
        """Return the typed data to sign."""
        return typed_data(self._command(subject_id, account, guardian, evidence), self.domain)

    def verify(
        self,
        subject_id: SubjectId,
        account: Address,
        guardian: Guardian | None,
        evidence: bytes,
        message: Mapping[str, Any],
        signature: bytes,
    ) -> bool:
        """True if the message is for exactly these, can still be recorded, and the account signed it."""
        command = read_command(message, guardian)
        try:
            check_command(command, self.tables)
            require_signed_by(command, signature, account, domain=self.domain, relay=self.relay)
        except (InvalidInput, SignatureInvalid):
            return False
        if command.subject != subject_id or command.submit_by < self.clock():
            return False
        if isinstance(command, OpenSubject):
            return command.controller == account
        return self._is_offered(command, account, evidence)

    def _command(
        self, subject_id: SubjectId, account: Address, guardian: Guardian | None, evidence: bytes
    ) -> OpenSubject | Delegation:
        now = UnixSeconds(self.clock())
        if guardian is None:
            return OpenSubject(subject_id, account, UnixSeconds(now + SUBMIT_WITHIN_SECONDS))
        wish = DelegationWish(
            delegate=account,
            powers=GUARDIAN_POWERS,
            purposes=self.tables.purposes.all_bits,
            categories=self.tables.categories.all_bits,
            sensitivities=self.tables.sensitivities.all_bits,
            not_after=UnixSeconds(now + GUARDIANSHIP_SECONDS),
            relationship=guardian.relationship,
            kind=Kind.GUARDIANSHIP,
            evidence=Bytes32(evidence),
        )
        return self.drafter.delegation(wish, subject=subject_id, epoch=0, now=now, language="en")

    def _is_offered(self, command: Delegation, account: Address, evidence: bytes) -> bool:
        """Whether a guardianship is no more than what the desk checked."""
        try:
            check_summary(command)
            self.notices.require_published(command)
        except InvalidInput:
            return False
        return (
            command.kind == Kind.GUARDIANSHIP
            and command.delegate == account
            and command.terms.evidence == evidence
            and not command.powers & ~GUARDIAN_POWERS
            and command.depth == 0
            and command.not_after != UNBOUNDED
            and command.not_after <= self.clock() + GUARDIANSHIP_SECONDS
        )


def read_command(message: Mapping[str, Any], guardian: Guardian | None) -> OpenSubject | Delegation:
    """Read a claim's message. Raises InvalidTerms."""
    if not isinstance(message, Mapping):
        raise InvalidTerms("A JSON object is needed.", field="message")
    if guardian is None:
        return from_json(OpenSubject, message, "message.")
    return from_json(Delegation, message, "message.")
