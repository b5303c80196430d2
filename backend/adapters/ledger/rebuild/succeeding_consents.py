"""``SucceedingConsentRegistry`` from its events and those of the registry before it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from backend.adapters.ledger.rebuild.consents import (
    ACCOUNT,
    COUNT,
    EPOCH_SHIFT,
    OPENED,
    Consents,
    epoch_of,
    is_revoked,
    kind_of,
    subject_of,
)
from backend.adapters.ledger.rebuild.replayed import Arguments, Handler, Moment
from backend.adapters.ledger.rebuild.words import Entry, word
from backend.consent.terms import Kind

_WORD: Final = 2**256 - 1
_ADOPTED_SUBJECT: Final = 1 << 226  # AdoptedSubjectSlot.sol
_CAUGHT_UP_SHIFT: Final = 227
_ONE_EPOCH: Final = 1 << EPOCH_SHIFT | 1 << _CAUGHT_UP_SHIFT
_ADOPTED_CONSENT: Final = 0x80 << 96  # AdoptedConsentSlot.sol
_COUNTED: Final = 2**216 - 1
_FOLLOWED: Final = (Kind.PERMIT, Kind.DELEGATION, Kind.GUARDIANSHIP)


class SucceedingConsents(Consents):
    """What was adopted lies in the same slots with a mark; the views ask ``predecessor`` about it.

    Events must come in chain order over both: some writes depend on what stood there by then.
    """

    def __init__(self, predecessor: Consents) -> None:
        super().__init__()
        self.predecessor = predecessor
        self.adopted: dict[int, int] = {}  # subject to the time

    @property
    def handlers(self) -> Mapping[str, Handler]:
        return {
            **super().handlers,
            "ConsentAdopted": self._consent_adopted,
            "SubjectAdopted": self._subject_adopted,
        }

    def subject(self, subject: int) -> int:
        return self._followed(subject) & (_ADOPTED_SUBJECT - 1)

    def consent(self, identity: bytes) -> int:
        slot = self.slots.get(identity, 0)
        if slot and not slot & _ADOPTED_CONSENT:
            return slot
        there = self.predecessor.shown(identity)
        if self.is_adopted(identity):
            slot &= ~_ADOPTED_CONSENT
            return there if is_revoked(there) and kind_of(slot) in _FOLLOWED else slot
        # As if revoked ahead: it was not counted here.
        return there & _COUNTED if is_revoked(there) else 0

    def adopted_at(self, subject: int) -> int:
        return self.adopted.get(subject, 0)

    def is_adopted(self, identity: bytes) -> bool:
        slot = self.slots.get(identity, 0)
        return bool(slot & _ADOPTED_CONSENT and self.subjects[subject_of(slot)] & OPENED)

    def storage(self) -> Iterator[Entry]:
        yield from super().storage()
        for subject, time in self.adopted.items():
            yield Entry("adoptedAtOf", (word(subject),), time)

    def _followed(self, subject: int) -> int:
        """Return a subject's slot with its mark, raised as often as it was raised there since."""
        slot = self.subjects.get(subject, 0)
        if not slot & _ADOPTED_SUBJECT:
            return slot
        raised = epoch_of(self.predecessor.subject(subject)) - (slot >> _CAUGHT_UP_SHIFT)
        return slot + raised * _ONE_EPOCH & _WORD

    def _consent_adopted(self, given: Arguments, _: Moment) -> None:
        identity, subject = given["id"], given["subject"]
        if identity not in self.slots:
            self.subjects[subject] = self.subjects.get(subject, 0) + COUNT
        self.slots[identity] = given["slot"] | _ADOPTED_CONSENT
        if identity in self.predecessor.used:
            self.used[identity] = self.predecessor.used[identity]
        if identity in self.predecessor.delegates:
            self.delegates[identity] = self.predecessor.delegates[identity]

    def _subject_adopted(self, given: Arguments, moment: Moment) -> None:
        subject, slot = given["subject"], given["slot"]
        self.subjects[subject] = slot | _ADOPTED_SUBJECT | epoch_of(slot) << _CAUGHT_UP_SHIFT
        self.opening_custodians[subject] = given["member"]
        self.adopted[subject] = moment.time

    def _delegation_recorded(self, given: Arguments, moment: Moment) -> None:
        subject = given["subject"]
        # ``addGuardian``, alone of what records, writes the slot back as it was followed; and without a
        # controller nothing else records a guardianship.
        if kind_of(given["slot"]) == Kind.GUARDIANSHIP and not self.subjects[subject] & ACCOUNT:
            self.subjects[subject] = self._followed(subject)
        super()._delegation_recorded(given, moment)

    def _revoked(self, given: Arguments, moment: Moment) -> None:
        self.slots[given["id"]] &= ~_ADOPTED_CONSENT  # written as it was read, without the mark
        super()._revoked(given, moment)

    def _all_revoked(self, given: Arguments, moment: Moment) -> None:
        self.subjects[given["subject"]] = self._followed(given["subject"])
        super()._all_revoked(given, moment)


def registries(generations: int) -> tuple[Consents, ...]:
    """Return as many registries of consents, each with the one before it, oldest first."""
    made = [Consents()]
    while len(made) < generations:
        made.append(SucceedingConsents(made[-1]))
    return tuple(made)
