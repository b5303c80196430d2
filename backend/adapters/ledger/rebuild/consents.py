"""``ConsentRegistry`` from its events: subjects, consents, delegations, and what was ended for cause."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from backend.adapters.ledger.rebuild.replayed import Arguments, Handler, Moment, Replayed, nothing
from backend.adapters.ledger.rebuild.words import Entry, word
from backend.consent.ledger_types import delegation_tag
from backend.types import MAX_UINT40, ConsentId

_OPENED = 1 << 224
_RECOVERY = 1 << 225
_COUNT = 1 << 192
_EPOCH_SHIFT = 160
_EPOCH = (2**32 - 1) << _EPOCH_SHIFT
_ACCOUNT = 2**160 - 1
_MARK_SHIFT = 136


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
        self.subjects[given["subject"]] = int(given["controller"], 16) | _OPENED
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
        self.subjects[given["subject"]] += _COUNT

    def _revoked(self, given: Arguments, _: Moment) -> None:
        kept = self.slots[given["id"]] & ~(MAX_UINT40 << _MARK_SHIFT)
        self.slots[given["id"]] = kept | given["revokedAt"] << _MARK_SHIFT

    def _revoked_ahead(self, given: Arguments, _: Moment) -> None:
        self.slots[given["id"]] = given["slot"]

    def _all_revoked(self, given: Arguments, _: Moment) -> None:
        kept = self.subjects[given["subject"]] & ~_EPOCH
        self.subjects[given["subject"]] = kept | given["epoch"] << _EPOCH_SHIFT

    def _ended_for_cause(self, given: Arguments, _: Moment) -> None:
        tag = delegation_tag(ConsentId(given["id"]))
        self.ended_for_cause[given["subject"], tag] = given["endedAt"]

    def _stepped(self, given: Arguments, _: Moment) -> None:
        kept = self.subjects[given["subject"]] & ~(_ACCOUNT | _RECOVERY)
        flag = _RECOVERY if given["proposed"] else 0
        self.subjects[given["subject"]] = kept | int(given["controller"], 16) | flag
