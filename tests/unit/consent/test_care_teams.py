"""Who acts for which team, and that nothing put back, changed or lost in the index lets anybody in again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from backend.audit.entry import Agent, Group
from backend.consent.care_team import CareTeam, Participant, digest_of
from backend.consent.care_team_shelf import CareTeamShelf
from backend.consent.care_teams import MAX_PARTICIPANTS, CareTeams
from backend.consent.decision_types import Requester, Team
from backend.consent.errors import (
    CareTeamClosed,
    CareTeamFull,
    CareTeamsDamaged,
    CareTeamUnknown,
    ParticipantPresent,
    RestrictionArrived,
)
from backend.consent.terms import UNBOUNDED
from backend.errors import InvalidInput, Unavailable
from backend.idempotency import Attempt
from backend.keystore import KeyStore
from backend.sealed import DocumentSealer
from backend.types import Bytes32, MemberId, UnixSeconds
from scripts.vectors import world as w
from tests.support.audit_world import World
from tests.support.memory_keys import MemoryKeyStore

ADMINISTRATOR = Agent.service("administrator")
NURSE, SURGEON = "staff:" + "01" * 16, "client:" + "02" * 16
NOBODY = "staff:" + "03" * 16


class MemoryRows:
    """The port's contract on two dictionaries; tests tamper with it."""

    def __init__(self) -> None:
        self.versions: dict[tuple[MemberId, Bytes32], bytes] = {}
        self.kept: dict[int, bytes] = {}

    def put_version(self, team: MemberId, digest: Bytes32, sealed: bytes) -> None:
        self.versions[team, digest] = sealed

    def version(self, team: MemberId, digest: Bytes32) -> bytes | None:
        return self.versions.get((team, digest))

    def put_list(self, revision: int, sealed: bytes) -> None:
        self.kept[revision] = sealed

    def lists(self) -> list[tuple[int, bytes]]:
        return sorted(self.kept.items(), reverse=True)

    def drop_lists(self, *, below: int) -> None:
        self.kept = {revision: sealed for revision, sealed in self.kept.items() if revision >= below}


class Hospital:
    """A log, a key store and an index; ``reopen`` is a restart of the service."""

    def __init__(self) -> None:
        self.rows = MemoryRows()
        self.keys: KeyStore = MemoryKeyStore()  # type: ignore[assignment]
        self.world = World()
        self.log = self.world.open()
        self.teams = self.reopen()

    def reopen(self) -> CareTeams:
        shelf = CareTeamShelf(rows=self.rows, keys=self.keys, documents=DocumentSealer(self.keys))
        self.teams = CareTeams(shelf=shelf, audit=self.log, clock=self.world.clock)
        return self.teams

    @property
    def now(self) -> int:
        return self.world.clock.seconds

    def attempt(self) -> Attempt:
        return Attempt.only(now=self.now)

    def create(self, name: str = "Ward 3") -> CareTeam:
        return self.teams.create(name, organisation=w.HOSPITAL, by=ADMINISTRATOR, attempt=self.attempt())

    def add(self, team: CareTeam, principal: str = NURSE, **period: int) -> CareTeam:
        one = Participant(
            "", principal, w.CLINIC, "Nurse", "nurse", UnixSeconds(self.now), UnixSeconds(UNBOUNDED)
        )
        changed = replace(one, **period)  # type: ignore[arg-type]
        return self.teams.add(team.team_id, changed, by=ADMINISTRATOR, attempt=self.attempt())

    def remove(self, team: CareTeam) -> CareTeam:
        return self.teams.remove(team.team_id, team.participants[0].participant_id, by=ADMINISTRATOR)

    def acting(self, principal: str = NURSE) -> tuple[Team, ...]:
        return self.teams.acting(principal, Requester(w.CLINIC)).requester.teams


@pytest.fixture
def hospital() -> Iterator[Hospital]:
    made = Hospital()
    yield made
    made.log.close()


def test_participant_acts_for_the_team_and_nobody_else_does(hospital: Hospital) -> None:
    team = hospital.add(hospital.create())
    found = hospital.teams.acting(NURSE, Requester(w.CLINIC, (w.UNIVERSITY,)))
    assert found.requester == Requester(w.CLINIC, (w.UNIVERSITY,), teams=(Team(team.team_id, w.HOSPITAL),))
    assert found.groups == (Group(w.UNIVERSITY), Group(team.team_id, 2, team.digest))
    assert hospital.teams.acting(NOBODY, Requester(w.CLINIC)) == (Requester(w.CLINIC), ())


def test_team_survives_a_restart_with_all_that_happened(hospital: Hospital) -> None:
    first = hospital.add(hospital.create())
    other = hospital.add(hospital.create("Another"), SURGEON)
    removed = hospital.remove(first)
    hospital.reopen()
    assert hospital.teams.get(first.team_id) == removed
    assert hospital.teams.get(other.team_id) == other
    assert hospital.acting() == (Team(first.team_id, None),)
    assert hospital.acting(SURGEON) == (Team(other.team_id, w.HOSPITAL),)
    assert hospital.teams.version(first.team_id, first.digest) == first
    assert [team.name for team in hospital.teams.of(w.HOSPITAL)] == ["Another", "Ward 3"]


@pytest.mark.parametrize(
    ("offset", "expected"), [(-1, None), (0, "in"), (99, "in"), (100, "left"), (10**6, "left")]
)
def test_period_is_half_open_and_whoever_was_in_stays_bound(
    hospital: Hospital, offset: int, expected: str | None
) -> None:
    begin = hospital.now + 1000
    team = hospital.add(hospital.create(), start=begin, end=begin + 100)
    hospital.world.clock.seconds = begin + offset
    organisation = {"in": w.HOSPITAL, "left": None}
    assert hospital.acting() == (() if expected is None else (Team(team.team_id, organisation[expected]),))


def test_removed_before_the_period_was_never_in_and_within_a_second_was(hospital: Hospital) -> None:
    later = hospital.add(hospital.create(), start=hospital.now + 10)
    hospital.remove(later)
    hospital.world.clock.seconds += 100
    assert hospital.acting() == ()
    at_once = hospital.add(hospital.create())
    hospital.remove(at_once)
    assert hospital.acting() == (Team(at_once.team_id, None),)


def test_closed_team_gives_nothing_and_binds_those_who_were_in_it(hospital: Hospital) -> None:
    team = hospital.add(hospital.create())
    hospital.teams.close(team.team_id, by=ADMINISTRATOR)
    assert hospital.acting() == (Team(team.team_id, None),)
    assert hospital.acting(NOBODY) == ()
    with pytest.raises(CareTeamClosed):
        hospital.add(team, SURGEON)


def test_team_claimed_as_an_organisation_gives_nothing(hospital: Hospital) -> None:
    team = hospital.add(hospital.create())
    found = hospital.teams.acting(NOBODY, Requester(w.CLINIC, (team.team_id,)))
    assert found == (Requester(w.CLINIC, teams=(Team(team.team_id, None),)), ())


def test_requester_asked_about_has_its_teams_taken_as_teams(hospital: Hospital) -> None:
    team, closed = hospital.create(), hospital.create()
    hospital.teams.close(closed.team_id, by=ADMINISTRATOR)
    asked = Requester(w.DOCTOR, (closed.team_id, w.CLINIC, team.team_id))
    assert hospital.teams.as_asked(asked) == Requester(
        w.DOCTOR, (w.CLINIC,), teams=(Team(closed.team_id, None), Team(team.team_id, w.HOSPITAL))
    )
    alone = hospital.teams.as_asked(Requester(team.team_id))
    assert alone == Requester(teams=(Team(team.team_id, w.HOSPITAL),))


def test_guard_stops_what_was_decided_before_a_removal(hospital: Hospital) -> None:
    team, kept = hospital.add(hospital.create()), hospital.add(hospital.create())
    guard = hospital.teams.still(NURSE, hospital.teams.acting(NURSE, Requester(w.CLINIC)).requester)
    hospital.add(kept, SURGEON)  # of no concern to her
    guard()
    hospital.remove(team)
    with pytest.raises(RestrictionArrived):
        guard()


def test_add_refuses_what_could_not_be_removed_again(hospital: Hospital) -> None:
    team = hospital.create()
    begin = hospital.now
    hospital.add(team, start=begin, end=begin + 10)
    for period in ({"start": begin + 9, "end": begin + 20}, {"start": begin - 5, "end": begin + 1}):
        with pytest.raises(ParticipantPresent):
            hospital.add(team, **period)
    hospital.add(team, start=begin + 10, end=begin + 20)
    with pytest.raises(InvalidInput):
        hospital.add(team, start=begin + 30, end=begin + 30)
    with pytest.raises(CareTeamUnknown):
        hospital.teams.remove(team.team_id, "0" * 32, by=ADMINISTRATOR)
    with pytest.raises(CareTeamUnknown):
        hospital.teams.get(w.WARD)


def test_team_has_at_most_500_participants(hospital: Hospital, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_PARTICIPANTS == 500
    monkeypatch.setattr("backend.consent.care_teams.MAX_PARTICIPANTS", 2)
    team = hospital.create()
    hospital.add(team, NURSE)
    hospital.add(team, SURGEON)
    with pytest.raises(CareTeamFull):
        hospital.add(team, NOBODY)


def test_digest_is_of_the_document_and_hides_it_without_the_salt(hospital: Hospital) -> None:
    team = hospital.add(hospital.create())
    document = json.loads(team.encode())
    assert team.digest == digest_of(json.dumps(document, sort_keys=True, separators=(",", ":")).encode())
    assert CareTeam.decode(team.encode()) == team
    assert len(bytes.fromhex(document["salt"])) == 32
    assert hospital.remove(team).salt != team.salt


# --- the index is not trusted


def _forge(hospital: Hospital, before: MemoryRows) -> None:
    """Put a version back under the digest of the newer one."""
    (team,) = hospital.teams.ids()
    newest = hospital.teams.get(team)
    older = next(sealed for (_, digest), sealed in before.versions.items() if digest != newest.digest)
    hospital.rows.versions[team, newest.digest] = older


def _lose(hospital: Hospital, before: MemoryRows) -> None:
    (team,) = hospital.teams.ids()
    del hospital.rows.versions[team, hospital.teams.get(team).digest]


def _damage(hospital: Hospital, before: MemoryRows) -> None:
    (team,) = hospital.teams.ids()
    place = (team, hospital.teams.get(team).digest)
    sealed = hospital.rows.versions[place]
    hospital.rows.versions[place] = sealed[:-1] + bytes([sealed[-1] ^ 1])


@pytest.mark.parametrize("tamper", [_forge, _lose, _damage])
def test_version_that_is_not_what_was_stored_permits_nobody_and_binds_everybody(
    hospital: Hospital, tamper: Callable[[Hospital, MemoryRows], None]
) -> None:
    team = hospital.add(hospital.create())
    hospital.add(team, SURGEON)
    tamper(hospital, hospital.rows)
    hospital.reopen()
    for principal in (NURSE, SURGEON, NOBODY):
        assert hospital.acting(principal) == (Team(team.team_id, None),)
    assert hospital.teams.as_asked(Requester(team.team_id)).teams == (Team(team.team_id, None),)
    with pytest.raises(CareTeamsDamaged):
        hospital.teams.get(team.team_id)


def _older(hospital: Hospital, before: dict[int, bytes]) -> None:
    hospital.rows.kept = before


def _both(hospital: Hospital, before: dict[int, bytes]) -> None:
    """The older list under the newer revision."""
    newest = max(hospital.rows.kept)
    hospital.rows.kept = {newest: before[newest - 1]}


def _long_before(hospital: Hospital, before: dict[int, bytes]) -> None:
    hospital.create("Another")
    hospital.rows.kept = before


def _none(hospital: Hospital, before: dict[int, bytes]) -> None:
    hospital.rows.kept = {}
    hospital.rows.versions = {}


@pytest.mark.parametrize("roll_back", [_older, _both, _long_before, _none])
def test_index_put_back_to_before_a_removal_lets_nobody_in(
    hospital: Hospital, roll_back: Callable[[Hospital, dict[int, bytes]], None]
) -> None:
    team = hospital.add(hospital.create())
    before = dict(hospital.rows.kept)
    hospital.remove(team)
    roll_back(hospital, before)
    hospital.reopen()
    with pytest.raises(CareTeamsDamaged):
        hospital.acting()
    with pytest.raises(CareTeamsDamaged):
        hospital.create()


def test_index_put_back_while_the_last_change_was_cut_off_lets_nobody_in(
    hospital: Hospital, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash left the older digest in the key store; the newer one says that there is a newer list."""
    team = hospital.add(hospital.create())
    before = dict(hospital.rows.kept)
    monkeypatch.setattr(hospital.keys, "erase", _unavailable)
    with pytest.raises(Unavailable):
        hospital.remove(team)
    monkeypatch.undo()
    hospital.rows.kept = before
    hospital.reopen()
    with pytest.raises(CareTeamsDamaged):
        hospital.acting()


def test_list_that_never_came_to_count_is_passed_over(
    hospital: Hospital, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was written before a crash, and never anchored, is no change."""
    team = hospital.create()
    monkeypatch.setattr(hospital.keys, "put", _unavailable)
    with pytest.raises(Unavailable):
        hospital.add(team)
    monkeypatch.undo()
    hospital.reopen()
    assert hospital.acting() == ()
    assert hospital.add(team).version == 2
    assert hospital.reopen().get(team.team_id).version == 2


def _unavailable(*_: object, **__: object) -> None:
    raise Unavailable


@pytest.mark.parametrize("step", ["put", "erase", "drop_lists"])
def test_removal_that_was_made_counts_though_its_answer_is_an_error(
    hospital: Hospital, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    team = hospital.add(hospital.create())
    place: Any = hospital.rows if hasattr(hospital.rows, step) else hospital.keys
    done = getattr(place, step)

    def answers_with_an_error(*arguments: Any, **named: Any) -> None:
        done(*arguments, **named)
        raise Unavailable

    monkeypatch.setattr(place, step, answers_with_an_error)
    with pytest.raises(Unavailable):
        hospital.remove(team)
    assert hospital.acting() == (Team(team.team_id, None),)
    monkeypatch.undo()
    before = dict(hospital.rows.kept)
    hospital.add(team)  # whatever the failure left behind is ended with it
    hospital.rows.kept = before
    hospital.reopen()
    with pytest.raises(CareTeamsDamaged):
        hospital.acting()


@pytest.mark.parametrize("step", ["put_version", "put_list", "put", "get_or_create", "erase", "drop_lists"])
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("restart", [True, False])
def test_change_that_fails_at_any_step_can_be_repeated(
    hospital: Hospital, monkeypatch: pytest.MonkeyPatch, step: str, first: bool, restart: bool
) -> None:
    """Before and after the step; it was made or it was not, and nothing of before is lost."""
    team = None if first else hospital.add(hospital.create())
    place: Any = hospital.rows if hasattr(hospital.rows, step) else hospital.keys
    done = getattr(place, step)

    def fails(*arguments: Any, **named: Any) -> None:
        if step != "get_or_create" or arguments[1].startswith("care-teams"):
            done(*arguments, **named)
            raise Unavailable
        return done(*arguments, **named)

    for failing in (_unavailable if step != "get_or_create" else fails, fails):
        monkeypatch.setattr(place, step, failing)
        with pytest.raises(Unavailable):
            hospital.create("One") if team is None else hospital.remove(team)
        monkeypatch.undo()
        if restart:
            hospital.reopen()
        if team is not None:
            hospital.remove(team)
            assert hospital.acting() == (Team(team.team_id, None),)
            hospital.reopen()
            assert hospital.acting() == (Team(team.team_id, None),)
            team = hospital.add(team)
            team = replace(team, participants=team.participants[-1:])
        else:
            hospital.create("Two")
            hospital.reopen()
            assert "Two" in {found.name for found in hospital.teams.of(w.HOSPITAL)}
            return


def test_attempt_repeated_makes_nothing_new(hospital: Hospital) -> None:
    attempt = hospital.attempt()
    made = [
        hospital.teams.create("Ward", organisation=w.HOSPITAL, by=ADMINISTRATOR, attempt=attempt)
        for _ in range(2)
    ]
    assert made[0] == made[1]
    one = Participant("", NURSE, None, "N", "r", UnixSeconds(hospital.now), UnixSeconds(UNBOUNDED))
    added = [hospital.teams.add(made[0].team_id, one, by=ADMINISTRATOR, attempt=attempt) for _ in range(2)]
    assert added[0] == added[1]
    assert hospital.remove(added[0]) == hospital.remove(added[0])
