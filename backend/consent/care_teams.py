"""Care teams as they are now: changed by their organisation, and looked up on every read, in memory.

What narrows (a removal, a closing) counts in every decision from the moment it is durable, which is before it
is acknowledged; a read that was decided before and is not in the audit log yet is decided again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final, NamedTuple

from backend.audit import codes
from backend.audit.entry import Agent, AuditEvent, Group, Outcome
from backend.audit.log import AuditLog
from backend.consent.care_team import CareTeam, Participant
from backend.consent.care_team_shelf import CareTeamShelf
from backend.consent.care_team_state import TeamState
from backend.consent.decision_types import Requester, Team
from backend.consent.errors import (
    CareTeamClosed,
    CareTeamFull,
    CareTeamsDamaged,
    CareTeamUnknown,
    ParticipantPresent,
    RestrictionArrived,
)
from backend.errors import AssentError, IntegrityError, InvalidInput
from backend.idempotency import Attempt
from backend.types import Bytes32, MemberId, UnixSeconds

MAX_PARTICIPANTS: Final = 500  # of one team, with those who have left


class Acting(NamedTuple):
    """What somebody acts for now: the requester of a decision, and the groups that the audit log names."""

    requester: Requester
    groups: tuple[Group, ...]


class CareTeams:
    """Safe for many threads: readers see one state, writers take turns."""

    def __init__(self, *, shelf: CareTeamShelf, audit: AuditLog, clock: Callable[[], int]) -> None:
        self._shelf = shelf
        self._audit = audit
        self._clock = clock
        self._writing = threading.Lock()
        self._state: TeamState | None = None
        self._in_doubt = False  # whether the last change was made, which only the stores know
        self.load()

    def load(self) -> None:
        """Read everything again from the index. A list that is damaged leaves nothing that counts."""
        try:
            revision, digests = self._shelf.load()
        except CareTeamsDamaged:
            self._state = None
            return
        teams = {team: found for team, digest in digests.items() if (found := self._version(team, digest))}
        self._state = TeamState.of(revision, digests, teams)
        self._shelf.forget(below=revision)  # where a crash left an older one

    def check(self) -> None:
        """Raise CareTeamsDamaged when nothing can be decided for those who may be in a team."""
        self._known()

    # --- who acts for what

    def acting(self, principal: str, requester: Requester) -> Acting:
        """Return the requester with the care teams of this principal.

        Whoever left a team is bound by what is forbidden it. So is everybody by what is forbidden a team of
        which it is not known who is in it. Raises CareTeamsDamaged when nothing is known.
        """
        state = self._known()
        now = self._clock()
        claimed = [name for name in requester.organisations if name in state.digests]
        of_principal = state.of_principal.get(principal, ())
        if not (claimed or of_principal or state.damaged):
            return Acting(requester, tuple(Group(name) for name in requester.organisations))
        organisations = tuple(name for name in requester.organisations if name not in state.digests)
        groups = [Group(name) for name in organisations]
        teams = []
        for name in dict.fromkeys((*of_principal, *claimed, *state.damaged)):
            team = state.teams.get(name)
            if team is not None and any(one.principal == principal for one in team.present(now)):
                teams.append(Team(name, team.organisation))
                groups.append(Group(name, team.version, state.digests[name]))
            elif team is None or name in claimed or _was_in(team, principal, now):
                teams.append(Team(name, None))
        return Acting(replace(requester, organisations=organisations, teams=tuple(teams)), tuple(groups))

    def still(self, principal: str, requester: Requester) -> Callable[[], None]:
        """Return a guard for the audit log: RestrictionArrived when the requester has left a team since."""
        counted = {team for team in requester.teams if team.organisation is not None}

        def check() -> None:
            now = self.acting(principal, replace(requester, teams=()))
            if not counted <= set(now.requester.teams):
                raise RestrictionArrived

        return check

    def as_asked(self, requester: Requester) -> Requester:
        """Return a requester that somebody asks about, with the teams among its ids taken as teams."""
        state = self._known()
        teams = tuple(
            Team(name, None if team is None or team.closed_at is not None else team.organisation)
            for name in dict.fromkeys(requester.names)
            if name in state.digests
            for team in (state.teams.get(name),)
        )
        if not teams:
            return requester
        named = {one.team for one in teams}
        return replace(
            requester,
            actor=None if requester.actor in named else requester.actor,
            organisations=tuple(name for name in requester.organisations if name not in named),
            teams=teams,
        )

    # --- teams

    def get(self, team: MemberId) -> CareTeam:
        """Raises CareTeamUnknown; CareTeamsDamaged when it is there and cannot be read."""
        state = self._known()
        if team in state.damaged:
            raise CareTeamsDamaged
        if team not in state.teams:
            raise CareTeamUnknown
        return state.teams[team]

    def known(self, names: Iterable[MemberId]) -> list[CareTeam]:
        """Return the teams among these ids."""
        state = self._known()
        return [state.teams[name] for name in dict.fromkeys(names) if name in state.teams]

    def ids(self) -> frozenset[MemberId]:
        return frozenset(self._known().digests)

    def party_of(self, grantee: MemberId) -> MemberId:
        """Return the organisation of a care team; of anything else the id itself."""
        team = None if self._state is None else self._state.teams.get(grantee)
        return grantee if team is None else team.organisation

    def of(self, organisation: MemberId) -> Sequence[CareTeam]:
        """Return the teams that an organisation manages, by name."""
        teams = (team for team in self._known().teams.values() if team.organisation == organisation)
        return sorted(teams, key=lambda team: (team.name, team.team_id))

    def version(self, team: MemberId, digest: Bytes32) -> CareTeam:
        """Return a version of a team that was. Raises CareTeamUnknown, SealedDocumentRefused."""
        found = self._shelf.version(team, digest)
        if found is None or found.digest != digest:
            raise CareTeamUnknown
        return found

    # --- changes

    def create(self, name: str, *, organisation: MemberId, by: Agent, attempt: Attempt) -> CareTeam:
        """Make an empty team. A retry of the attempt returns it as it is now."""
        made = CareTeam(
            team_id=MemberId(attempt.draw("care team")),
            version=1,
            name=name,
            organisation=organisation,
            created_at=UnixSeconds(self._clock()),
            closed_at=None,
            participants=(),
            salt=_salt(attempt),
        )
        with self._writing:
            self._settle()
            known = self._known().teams.get(made.team_id)
            return known or self._keep(made, "created", by=by)

    def add(self, team: MemberId, participant: Participant, *, by: Agent, attempt: Attempt) -> CareTeam:
        """Add somebody; the participant's id is drawn from the attempt, a retry adds nobody more.

        Raises CareTeamUnknown, CareTeamClosed, CareTeamFull, ParticipantPresent, InvalidInput for a period
        that ends before it begins.
        """
        if participant.end <= participant.start:
            raise InvalidInput("The period ends before it begins, or is empty.", field="period_end")
        added = replace(participant, participant_id=attempt.draw("participant", 16).hex())
        with self._writing:
            found = self._to_change(team)
            if any(one.participant_id == added.participant_id for one in found.participants):
                return found
            if found.closed_at is not None:
                raise CareTeamClosed
            if len(found.participants) >= MAX_PARTICIPANTS:
                raise CareTeamFull
            # Two overlapping periods of one person: to remove one would not end the other.
            if any(_overlap(one, added) for one in found.participants):
                raise ParticipantPresent
            changed = replace(found, participants=(*found.participants, added))
            return self._keep(_next(changed, attempt), "participant_added", by=by, of=added.participant_id)

    def remove(self, team: MemberId, participant: str, *, by: Agent) -> CareTeam:
        """End somebody's time in the team, now. Raises CareTeamUnknown for a team or a participant."""
        now = UnixSeconds(self._clock())
        with self._writing:
            found = self._to_change(team)
            one = next((one for one in found.participants if one.participant_id == participant), None)
            if one is None:
                raise CareTeamUnknown
            if one.removed_at is not None:
                return found
            removed = replace(one, removed_at=now)
            others = tuple(removed if each is one else each for each in found.participants)
            changed = _next(replace(found, participants=others), Attempt.only(now=now))
            return self._keep(changed, "participant_removed", by=by, of=participant)

    def close(self, team: MemberId, *, by: Agent) -> CareTeam:
        """End the team for good, now."""
        now = UnixSeconds(self._clock())
        with self._writing:
            found = self._to_change(team)
            if found.closed_at is not None:
                return found
            return self._keep(_next(replace(found, closed_at=now), Attempt.only(now=now)), "closed", by=by)

    def _keep(self, changed: CareTeam, change: str, *, by: Agent, of: str | None = None) -> CareTeam:
        state = self._known()
        digest = changed.digest
        digests = {**state.digests, changed.team_id: digest}
        revision = state.revision + 1
        try:
            self._shelf.keep(changed, digests, revision=revision)
        except BaseException:
            self._in_doubt = True
            with suppress(AssentError):
                self._settle()  # what narrows counts, if it was made, though its answer is an error
            raise
        self._state = TeamState.of(revision, digests, {**state.teams, changed.team_id: changed})
        self._audit.append(
            AuditEvent(
                type=codes.CARE_TEAM_CHANGED,
                outcome=Outcome.CHANGED,
                occurred_at_ms=self._clock() * 1000,
                actor=by,
                organisation=changed.organisation,
                groups=(Group(changed.team_id, changed.version, digest),),
                detail={"change": change, **({"participant": of} if of else {})},
            )
        )
        return changed

    def _settle(self) -> None:
        """Read everything again where nobody knows whether the last change was made."""
        if self._in_doubt:
            self.load()
            self._in_doubt = False

    def _to_change(self, team: MemberId) -> CareTeam:
        self._settle()
        return self.get(team)

    def _known(self) -> TeamState:
        if self._state is None:
            raise CareTeamsDamaged
        return self._state

    def _version(self, team: MemberId, digest: Bytes32) -> CareTeam | None:
        try:
            return self.version(team, digest)
        except (CareTeamUnknown, IntegrityError):
            return None


def _next(changed: CareTeam, attempt: Attempt) -> CareTeam:
    return replace(changed, version=changed.version + 1, salt=_salt(attempt))


def _salt(attempt: Attempt) -> Bytes32:
    return Bytes32(attempt.draw("care team salt"))


def _was_in(team: CareTeam, principal: str, now: int) -> bool:
    return any(one.principal == principal and one.was_in(now) for one in team.participants)


def _overlap(one: Participant, other: Participant) -> bool:
    return one.principal == other.principal and one.start < other.until and other.start < one.until
