"""``ConsentRegistry`` from its events: subjects, consents, delegations, and what was ended for cause."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from backend.adapters.ledger.rebuild.replayed import Arguments, Handler, Moment, Replayed, nothing
from backend.adapters.ledger.rebuild.words import Entry, word
from backend.consent.ledger_types import delegation_tag
from backend.consent.terms import Kind
from backend.types import MAX_UINT40, ConsentId

OPENED = 1 << 224
ACCOUNT = 2**160 - 1
COUNT = 1 << 192
EPOCH_SHIFT = 160
_RECOVERY = 1 << 225
_EPOCH = (2**32 - 1) << EPOCH_SHIFT
_MARK_SHIFT = 136
_MARK = MAX_UINT40 << _MARK_SHIFT
_TAG = 1 << 39
_SUBJECT = 2**96 - 1


class Consents(Replayed):
    """Slots are kept as stored, packed as ``IConsentRegistry.evidence`` says.

    ``used``: consent to the delegation it was given under. ``delegates``: delegation to its delegate.
    """

    CONTRACT = "ConsentRegistry"

    def __init__(self) -> None:
        self.subjects: dict[int, int] = {}
        self.slots: dict[bytes, int] = {}
        self.opening_custodians: dict[int, bytes] = {}
        self.ended_for_cause: dict[tuple[int, int], int] = {}  # by subject and tag

        self.used: dict[bytes, bytes] = {}
        self.delegates: dict[bytes, str] = {}

    @property
    def handlers(self) -> Mapping[str, Handler]:
        return {
            "SubjectOpened": self._opened,
            "ConsentGranted": self._granted,
            "DelegationRecorded": self._delegation_recorded,
            "ConsentRevoked": self._revoked,
            "ConsentRevokedAhead": self._revoked_ahead,
            "AllRevoked": self._all_revoked,
            "DelegationEndedForCause": self._ended_for_cause,
            "RecoveryStepped": self._stepped,
            "GrantRejected": nothing,
            "RevocationRejected": nothing,
            "EIP712DomainChanged": nothing,
        }

    def evidence(self, subject: int, ids: Sequence[bytes]) -> tuple[int, list[int]]:
        """Return what the view ``evidence`` says: the subject's slot and the slot of each id, packed."""
        return self.subject(subject), [self.shown(identity) for identity in ids]

    def subject(self, subject: int) -> int:
        """Return a subject's slot as the contract reads it, 0 where there is none."""
        return self.subjects.get(subject, 0)

    def consent(self, identity: bytes) -> int:
        """Return a slot as the contract reads it, with its tag; 0 where there is none."""
        return self.slots.get(identity, 0)

    def shown(self, identity: bytes) -> int:
        """Return the same as the views show it: ended where its delegation was ended for cause."""
        slot = self.consent(identity)
        mark = slot >> _MARK_SHIFT & MAX_UINT40
        if not mark & _TAG or kind_of(slot) != Kind.PERMIT:
            return slot
        ended = self.ended_for_cause.get((subject_of(slot), mark), 0)
        return slot & ~_MARK | ended << _MARK_SHIFT if ended else slot

    def adopted_at(self, subject: int) -> int:  # noqa: ARG002 - the first registry adopts nothing
        """Return the second in which a subject was adopted, 0 for never."""
        return 0

    def is_adopted(self, identity: bytes) -> bool:  # noqa: ARG002 - likewise
        """Return whether what is stored of an id was adopted, and is followed."""
        return False

    def storage(self) -> Iterator[Entry]:
        for subject, packed in self.subjects.items():
            yield Entry("_subjects", (word(subject),), packed)
        for identity, packed in self.slots.items():
            yield Entry("_consents", (identity,), packed)
        for subject, member in self.opening_custodians.items():
            yield Entry("_openingCustodians", (word(subject),), int.from_bytes(member))
        for (subject, tag), time in self.ended_for_cause.items():
            yield Entry("_endedForCause", (word(subject), word(tag)), time)

    def _opened(self, given: Arguments, _: Moment) -> None:
        self.subjects[given["subject"]] = int(given["controller"], 16) | OPENED
        self.opening_custodians[given["subject"]] = given["member"]

    def _granted(self, given: Arguments, _: Moment) -> None:
        self._recorded(given)
        if any(given["delegation"]):
            self.used[given["id"]] = given["delegation"]

    def _delegation_recorded(self, given: Arguments, _: Moment) -> None:
        self._recorded(given)
        self.delegates[given["id"]] = given["delegate"]

    def _recorded(self, given: Arguments) -> None:
        self.slots[given["id"]] = given["slot"]
        self.subjects[given["subject"]] += COUNT

    def _revoked(self, given: Arguments, _: Moment) -> None:
        kept = self.slots[given["id"]] & ~_MARK
        self.slots[given["id"]] = kept | given["revokedAt"] << _MARK_SHIFT

    def _revoked_ahead(self, given: Arguments, _: Moment) -> None:
        self.slots[given["id"]] = given["slot"]

    def _all_revoked(self, given: Arguments, _: Moment) -> None:
        kept = self.subjects[given["subject"]] & ~_EPOCH
        self.subjects[given["subject"]] = kept | given["epoch"] << EPOCH_SHIFT

    def _ended_for_cause(self, given: Arguments, _: Moment) -> None:
        tag = delegation_tag(ConsentId(given["id"]))
        self.ended_for_cause[given["subject"], tag] = given["endedAt"]

    def _stepped(self, given: Arguments, _: Moment) -> None:
        kept = self.subjects[given["subject"]] & ~(ACCOUNT | _RECOVERY)
        flag = _RECOVERY if given["proposed"] else 0
        self.subjects[given["subject"]] = kept | int(given["controller"], 16) | flag


def subject_of(slot: int) -> int:
    """Return the subject of a consent's slot."""
    return slot & _SUBJECT


def kind_of(slot: int) -> int:
    return slot >> 96 & 0xFF


def epoch_of(subject_slot: int) -> int:
    return (subject_slot & _EPOCH) >> EPOCH_SHIFT


def is_revoked(slot: int) -> bool:
    mark = slot >> _MARK_SHIFT & MAX_UINT40
    return bool(mark) and not mark & _TAG
