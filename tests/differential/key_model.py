"""Encryption keys in plain Python, from contracts/properties.md (KR1 to KR9), IKeyRegistry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.differential.consent_model import ConsentModel
from tests.differential.documents import NOBODY, ZERO, InPerson
from tests.differential.outcome import Event, refuse


@dataclass
class Binding:
    """What was bound last; a number alone after a withdrawal."""

    sequence: int = 0
    key_hash: bytes = ZERO
    controller: str = NOBODY
    bound_at: int = 0


@dataclass
class KeyModel:
    consents: ConsentModel
    is_recovery_pending: Callable[[int], bool]
    bindings: dict[int, Binding] = field(default_factory=dict)

    @property
    def now(self) -> int:
        return self.consents.now()

    def stored(self, subject: int) -> Binding:
        return self.bindings.get(subject, Binding())

    def counts(self, subject: int) -> bool:
        """Whether who bound it is still the controller."""
        found = self.stored(subject)
        return found.key_hash != ZERO and found.controller == self._controller(subject)

    def key(self, subject: int) -> tuple[bytes, int, int]:
        found = self.stored(subject)
        if self.counts(subject):
            return found.key_hash, found.sequence, found.bound_at
        return ZERO, found.sequence, 0

    def bind(self, subject: int, key_hash: bytes, sequence: int, submit_by: int, by: InPerson) -> list[Event]:
        faults = self._subject_faults(subject) | self._sequence_faults(subject, sequence)
        faults |= self._widening_faults(subject, submit_by) | self._signer_faults(subject, by)
        if key_hash == ZERO:
            faults.add("KeyHashZero")
        refuse(faults)
        self.bindings[subject] = Binding(sequence, key_hash, by.account, self.now)
        fields = {"subject": subject, "keyHash": key_hash, "sequence": sequence}
        return [Event("KeyBound", **fields, controller=by.account, boundAt=self.now)]

    def withdraw(self, subject: int, sequence: int, by: InPerson) -> list[Event]:
        """Whatever the date and whoever is about to recover."""
        refuse(self._subject_faults(subject))
        found = self.stored(subject)
        if sequence < found.sequence or (sequence == found.sequence and found.key_hash == ZERO):
            return []
        faults = self._signer_faults(subject, by)
        if sequence > found.sequence + 1:
            faults.add("SequenceNotNext")
        refuse(faults)
        self.bindings[subject] = Binding(sequence)
        fields = {"subject": subject, "sequence": sequence, "controller": by.account}
        return [Event("KeyWithdrawn", **fields, withdrawnAt=self.now)]

    def check_mediated(self, subject: int, sequence: int, submit_by: int, by: InPerson) -> list[Event]:
        faults = self._subject_faults(subject) | self._widening_faults(subject, submit_by)
        faults |= self._signer_faults(subject, by)
        if not self.counts(subject) or sequence != self.stored(subject).sequence:
            faults.add("KeyNotBound")
        refuse(faults)
        return []

    def _controller(self, subject: int) -> str:
        found = self.consents.subjects.get(subject)
        return found.controller if found else NOBODY

    def _subject_faults(self, subject: int) -> set[str]:
        return set() if subject in self.consents.subjects else {"SubjectUnknown"}

    def _sequence_faults(self, subject: int, sequence: int) -> set[str]:
        return set() if sequence == self.stored(subject).sequence + 1 else {"SequenceNotNext"}

    def _widening_faults(self, subject: int, submit_by: int) -> set[str]:
        faults = {"SubmittedTooLate"} if self.now > submit_by else set()
        return faults | ({"RecoveryPending"} if self.is_recovery_pending(subject) else set())

    def _signer_faults(self, subject: int, by: InPerson) -> set[str]:
        is_controller = by.signer == self._controller(subject) != NOBODY
        return set() if is_controller else {"SignatureInvalid"}
