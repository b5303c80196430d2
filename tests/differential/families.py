"""The families of sequences: who directs them, what is asked after each act, and what a run must have
covered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from tests.differential import (
    consent_acts,
    emergency_acts,
    key_acts,
    market_acts,
    member_acts,
    record_acts,
    recovery_acts,
)
from tests.differential.acts import Act
from tests.differential.chain import Chain, errors_of
from tests.differential.consent_director import ConsentDirector
from tests.differential.directing import Director
from tests.differential.emergency_director import EmergencyDirector
from tests.differential.key_director import KeyDirector
from tests.differential.market_director import MarketDirector
from tests.differential.member_director import MemberDirector
from tests.differential.playing import Coverage, Mismatch, Views, as_code, play, shrink
from tests.differential.record_director import RecordDirector
from tests.differential.recovery_director import RecoveryDirector
from tests.differential.views import (
    consent_views,
    emergency_views,
    key_views,
    market_views,
    member_views,
    record_views,
)
from tests.differential.world import World, new_world

# Errors that no sequence can meet, each with the reason.
OUT_OF_REACH = {
    "InvalidShortString": "of OpenZeppelin's constructor",
    "StringTooLong": "of OpenZeppelin's constructor",
    "FailedCall": "of OpenZeppelin's library, which is linked for another function",
    "AccessManagedInvalidAuthority": "only the AccessManager itself changes the authority",
    "AccessManagedRequiredDelay": "the admission delay is zero here; forge tests it",
    "NotRecovery": "only Recovery calls this; the access test calls it as everybody else",
    "ChainNeeded": "of a view, asked after every act",
    "ThresholdZero": "of the constructor",
    "ClaimWindowZero": "of the constructor",
    "ReentrancyGuardReentrantCall": "needs a hostile token; forge has one",
    "SafeCastOverflowedUintDowncast": "needs more than 2**128 units; forge tests it",
    "CheckpointUnorderedInsertion": "of OpenZeppelin's library; time does not run back",
}


@dataclass(frozen=True)
class Family:
    director: type[Director]
    views: Views
    contracts: tuple[str, ...]  # whose errors a run must have met
    ways: dict[str, set[str]]
    elsewhere: frozenset[str] = frozenset()  # errors that another family meets
    length: int = 50

    def draw(self, chain: Chain, seed: int) -> list[Act]:
        return self.director(chain, Random(seed)).draw(self.length)

    def run(
        self,
        chain: Chain,
        acts: list[Act],
        coverage: Coverage | None = None,
        spoil: Callable[[World], None] = lambda _world: None,
    ) -> Mismatch | None:
        """Play the acts from the beginning. ``spoil`` may change the model first."""
        world = new_world(chain)
        spoil(world)
        return play(chain, world, acts, self.views, coverage)

    def explain(self, chain: Chain, acts: list[Act]) -> str:
        """A failure in as few acts as it takes, written as Python."""
        small = shrink(acts, lambda shorter: self.run(chain, list(shorter)))
        found = self.run(chain, small)
        assert found is not None
        listed = "\n".join(f"    {as_code(act)}," for act in small)
        return f"{found.words}\nafter the last of these acts:\nACTS = [\n{listed}\n]"

    def gaps(self, coverage: Coverage, least: int) -> list[str]:
        """What a run should have seen and did not."""
        done = coverage.succeeded()
        gaps = [f"{name} succeeded {done[name]} times" for name in self.ways if done[name] < least]
        gaps += [
            f"{name} never came in {way}"
            for name, ways in self.ways.items()
            for way in sorted(ways)
            if not coverage.done[name, way]
        ]
        errors = set(errors_of(*self.contracts).values()) - OUT_OF_REACH.keys() - self.elsewhere
        return gaps + [
            f"{name} was never the one error" for name in sorted(errors) if not coverage.exact[name]
        ]


FAMILIES = {
    "members": Family(MemberDirector, member_views, ("ParticipantRegistry",), member_acts.WAYS),
    "consent": Family(
        ConsentDirector,
        consent_views,
        ("ConsentRegistry",),
        consent_acts.WAYS,
        frozenset({"RecoveryPending"}),
    ),
    "recovery": Family(RecoveryDirector, consent_views, ("Recovery",), recovery_acts.WAYS),
    "records": Family(RecordDirector, record_views, ("RecordRegistry",), record_acts.WAYS),
    "emergencies": Family(EmergencyDirector, emergency_views, ("EmergencyAccess",), emergency_acts.WAYS),
    "keys": Family(KeyDirector, key_views, ("KeyRegistry",), key_acts.WAYS),
    "market": Family(MarketDirector, market_views, ("ResearchMarket",), market_acts.WAYS, length=80),
}
