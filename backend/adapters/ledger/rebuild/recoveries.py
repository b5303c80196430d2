"""``Recovery`` from its events, each of which carries the whole state it leaves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from backend.adapters.ledger.rebuild.replayed import Arguments, Handler, Moment, Replayed, nothing
from backend.adapters.ledger.rebuild.words import Entry, pack, word
from backend.adapters.ledger.recovery import recovery_state
from backend.consent.recovery_state import RecoveryState


class Recoveries(Replayed):
    CONTRACT = "Recovery"

    def __init__(self) -> None:
        self.states: dict[int, RecoveryState] = {}

    @property
    def handlers(self) -> Mapping[str, Handler]:
        return {
            "RecoveryPolicySet": self._stepped,
            "RecoveryProposed": self._stepped,
            "RecoveryVetoed": self._stepped,
            "RecoveryCompleted": self._stepped,
            "EIP712DomainChanged": nothing,
        }

    def storage(self) -> Iterator[Entry]:
        for subject, state in self.states.items():
            words = (
                int.from_bytes(state.policy),
                int.from_bytes(state.next_policy),
                pack((state.next_from, 40), (state.policy_round, 32), (state.guardians_as_of, 40)),
                pack(
                    (int(state.controller, 16), 160),
                    (state.proposed_at, 40),
                    (state.round, 32),
                    (state.is_veto_spent, 8),
                ),
            )
            for place, value in enumerate(words):
                yield Entry("_recoveries", (word(subject), place), value)

    def _stepped(self, given: Arguments, _: Moment) -> None:
        self.states[given["subject"]] = recovery_state(given["state"])


class SucceedingRecoveries(Recoveries):
    """What is adopted comes whole, like every other state."""

    @property
    def handlers(self) -> Mapping[str, Handler]:
        return {**super().handlers, "RecoveryAdopted": self._stepped}
