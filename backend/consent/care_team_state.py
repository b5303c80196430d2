"""All care teams of one moment, in memory, and by who is or was in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from backend.consent.care_team import CareTeam
from backend.types import Bytes32, MemberId


@dataclass(frozen=True, slots=True)
class TeamState:
    """All teams of one revision. ``damaged`` are teams whose version the index does not give any more."""

    revision: int
    digests: Mapping[MemberId, Bytes32] = field(default_factory=dict)
    teams: Mapping[MemberId, CareTeam] = field(default_factory=dict)
    damaged: frozenset[MemberId] = frozenset()
    of_principal: Mapping[str, tuple[MemberId, ...]] = field(default_factory=dict)

    @classmethod
    def of(
        cls, revision: int, digests: Mapping[MemberId, Bytes32], teams: Mapping[MemberId, CareTeam]
    ) -> TeamState:
        of_principal: dict[str, dict[MemberId, None]] = {}
        for team in teams.values():
            for one in team.participants:
                of_principal.setdefault(one.principal, {})[team.team_id] = None
        return cls(
            revision,
            digests,
            teams,
            frozenset(digests.keys() - teams.keys()),
            {principal: tuple(found) for principal, found in of_principal.items()},
        )
