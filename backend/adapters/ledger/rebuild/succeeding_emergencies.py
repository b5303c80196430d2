"""``SucceedingEmergencyAccess`` from its events and those of the contracts before it."""

from __future__ import annotations

from collections.abc import Iterator

from backend.adapters.ledger.emergencies import EmergencyPolicy
from backend.adapters.ledger.rebuild.consents import Consents
from backend.adapters.ledger.rebuild.emergencies import Emergencies
from backend.adapters.ledger.rebuild.replayed import Arguments, Moment
from backend.adapters.ledger.rebuild.words import Entry, word


class SucceedingEmergencies(Emergencies):
    """``rounds_passed``: the round there when a policy was last set here, by subject.

    ``rounds_at_opening``: the round there, plus one, by subject and the second in which an opening begins.
    ``consents`` is the registry that tells when a subject was adopted. Events must come in chain order over
    all of them: these words hold what stood there by then.
    """

    def __init__(self, consents: Consents, predecessor: Emergencies) -> None:
        super().__init__()
        self.consents = consents
        self.predecessor = predecessor
        self.rounds_passed: dict[int, int] = {}
        self.rounds_at_opening: dict[tuple[int, int], int] = {}

    def policy(self, subject: int) -> tuple[int, int]:
        policy, round_ = super().policy(subject)
        if not self.consents.adopted_at(subject):
            return policy, round_
        policy_there, round_there = self.predecessor.policy(subject)
        if not round_:
            return _narrower(self._inherited(subject), policy_there), round_there
        passed = self.rounds_passed[subject]
        if round_there == passed:
            return policy, round_
        return _narrower(policy, policy_there), round_ + round_there - passed

    def policy_at(self, subject: int, time: int) -> int:
        adopted_at, here = self.consents.adopted_at(subject), self._past(subject, time)
        if not adopted_at:
            return super().policy_at(subject, time)
        there = self.predecessor.policy_at(subject, time)
        if here is None:
            return there if time < adopted_at else _narrower(self._inherited(subject), there)
        return here if self._round_there(subject) == self.rounds_passed[subject] else _narrower(here, there)

    def is_forbidden_since(self, subject: int, time: int) -> bool:
        if super().is_forbidden_since(subject, time):
            return True
        then = self.rounds_at_opening.get((subject, time), 0)
        if not then:
            return False
        policy, round_ = self.predecessor.policy(subject)
        changes = round_ + 1 - then
        return changes > 1 or (changes == 1 and policy == EmergencyPolicy.FORBID)

    def storage(self) -> Iterator[Entry]:
        yield from super().storage()
        for subject, round_ in self.rounds_passed.items():
            yield Entry("_roundsPassed", (word(subject),), round_)
        for (subject, time), round_ in self.rounds_at_opening.items():
            yield Entry("_roundsAtOpening", (word(subject), word(time)), round_)

    def _opened(self, given: Arguments, moment: Moment) -> None:
        subject = given["subject"]
        if self.consents.adopted_at(subject):
            self.rounds_at_opening.setdefault((subject, given["openedAt"]), self._round_there(subject) + 1)
        super()._opened(given, moment)

    def _policy_set(self, given: Arguments, moment: Moment) -> None:
        super()._policy_set(given, moment)
        self.rounds_passed[given["subject"]] = self._round_there(given["subject"])

    def _inherited(self, subject: int) -> int:
        return self.predecessor.policy_at(subject, self.consents.adopted_at(subject) - 1)

    def _round_there(self, subject: int) -> int:
        return self.predecessor.policy(subject)[1]


def _narrower(one: int, other: int) -> int:
    if EmergencyPolicy.FORBID in (one, other):
        return EmergencyPolicy.FORBID
    is_allowed = one == other == EmergencyPolicy.ALLOW
    return EmergencyPolicy.ALLOW if is_allowed else EmergencyPolicy.LIMIT
