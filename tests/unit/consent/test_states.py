"""One table of states: the service, the documents and the contract's diagram agree with it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.consent.decision_types import Evidence
from backend.consent.history import Change, Step
from backend.consent.lifecycle import Circumstances, state_of, states_after
from backend.consent.states import TRANSITIONS, Event, State, TransitionUnknown, after, diagram
from backend.consent.terms import Kind
from backend.types import UnixSeconds
from scripts.vectors import world as w

DOCS = Path(__file__).parents[3] / "docs"
BEGIN, LATE, END = 1_000, 2_000, 10_000
PERMIT = w.grant(not_before=BEGIN, not_after=END, submit_by=LATE)
QUIET = Circumstances(500, 0, None, frozenset(), frozenset())
OF_CONSENTS = [
    state
    for state in TRANSITIONS
    if state not in {State.REQUESTED, State.GRANTED, State.REFUSED, State.DRAFT}
]


def happens(
    event: Event, item: Evidence, at: Circumstances, how: str
) -> tuple[Evidence, Circumstances] | None:
    """Let the event happen to a consent; None where time does not allow it any more."""
    revoked = replace(item.head, revoked_at=UnixSeconds(at.now))
    match event:
        case Event.RECORDED | Event.RECORDED_EARLY:
            now = at.now if event is Event.RECORDED_EARLY else max(at.now, BEGIN)
            if (now < BEGIN) is (event is Event.RECORDED) or now > LATE:
                return None
            slot = w.slot_of(PERMIT, not_before=UnixSeconds(max(now, BEGIN)))
            return replace(item, head=slot), replace(at, now=now)
        case Event.BEGAN:
            return item, replace(at, now=max(at.now, BEGIN))
        case Event.TOO_LATE:
            return item, replace(at, now=max(at.now, LATE + 1))
        case Event.ENDED:
            return item, replace(at, now=max(at.now, END))
        case Event.REVOKED if how == "queue":
            return replace(item, revocation_pending=True), at
        case Event.REVOKED if how == "all":
            return item, replace(at, epoch=1)
        case Event.REVOKED if how == "all, in the queue":
            return item, replace(at, ended_epoch=0)
        case Event.REVOKED:
            return replace(item, head=revoked), at
        case Event.REPLACED:
            return replace(item, head=revoked), replace(at, replaced=frozenset({item.prepared.consent_id}))
        case Event.MEMBER_STOPPED:
            return item, replace(at, stopped=frozenset({PERMIT.terms.grantee}))
        case Event.MEMBER_BACK:
            return item, replace(at, stopped=frozenset())
    return None


WALK = st.lists(
    st.tuples(st.sampled_from(list(Event)), st.sampled_from(["slot", "queue", "all", "all, in the queue"])),
    max_size=8,
)


@settings(max_examples=400)
@given(WALK)
def test_state_that_is_found_is_the_one_of_the_table_whatever_happens(walk: list[tuple[Event, str]]) -> None:
    item, at, state = w.received(PERMIT), QUIET, State.PENDING
    assert state_of(item, at) is state
    for event, how in walk:
        if event not in TRANSITIONS[state]:
            continue
        found = happens(event, item, at, how)
        if found is not None:
            item, at = found
            state = after(state, event)
            assert state_of(item, at) is state


@settings(max_examples=200)
@given(WALK, st.sampled_from([Event.ENDED, Event.TOO_LATE, Event.BEGAN, Event.REVOKED]))
def test_what_the_table_does_not_list_changes_nothing(walk: list[tuple[Event, str]], other: Event) -> None:
    item, at, state = w.received(PERMIT), QUIET, State.PENDING
    for event, how in walk:
        if event in TRANSITIONS[state] and (found := happens(event, item, at, how)) is not None:
            (item, at), state = found, after(state, event)
    if other is Event.TOO_LATE and at.now < BEGIN:
        return  # that late it has begun as well
    if other not in TRANSITIONS[state] and (found := happens(other, item, at, "slot")) is not None:
        assert state_of(*found) is state


def test_every_state_of_a_consent_is_reached_and_every_way_is_walked() -> None:
    reached = {state for ways in TRANSITIONS.values() for state in ways.values()}
    assert reached | {State.REQUESTED, State.DRAFT} == set(State)
    assert set(TRANSITIONS) == set(State)
    assert {event for ways in TRANSITIONS.values() for event in ways} == set(Event)
    assert set(OF_CONSENTS) <= reached


def test_way_that_the_table_does_not_have_is_refused() -> None:
    with pytest.raises(TransitionUnknown):
        after(State.SUPERSEDED, Event.RECORDED)


def test_refusal_is_refused_once_it_is_recorded() -> None:
    refusal = w.grant(Kind.REFUSAL)
    assert state_of(w.at_head(refusal), replace(QUIET, now=w.NOW)) is State.REFUSED


def test_deny_survives_revoke_all_and_a_stopped_member() -> None:
    deny = w.final(w.grant(Kind.DENY, grantee=w.CLINIC))
    at = Circumstances(w.NOW, 1, 1, frozenset(), frozenset({w.CLINIC}))
    assert state_of(deny, at) is State.LIVE


def test_history_is_told_in_the_states_of_the_table() -> None:
    received, recorded = Step(Change.RECEIVED, at=UnixSeconds(500)), Step(Change.RECORDED)
    revoked = Step(Change.REVOKED, at=UnixSeconds(1_500))
    everything = Step(Change.REVOKED_WITH_ALL)

    def told(*steps: Step, replaced: bool = False) -> list[State]:
        return list(states_after(PERMIT, steps, replaced=replaced))

    assert told(received, recorded, revoked) == [State.PENDING, State.NOT_YET_VALID, State.REVOKED]
    late = replace(received, at=UnixSeconds(1_200))
    assert told(late, recorded, revoked, everything)[1:] == [State.LIVE, State.REVOKED, State.REVOKED]
    assert told(late, recorded, revoked, replaced=True)[-1] is State.SUPERSEDED
    assert told(revoked) == [State.REVOKED]


def test_document_shows_the_table() -> None:
    assert f"```mermaid\n{diagram()}\n```" in (DOCS / "decision.md").read_text()
    listed = set(re.findall(r"^\| `(\w+)` \|", _section("States"), re.MULTILINE))
    assert listed == {state.value for state in State}


def test_every_way_of_the_contracts_diagram_is_in_the_table() -> None:
    names = {
        "[*]": State.PENDING,
        "Waiting": State.NOT_YET_VALID,
        "Live": State.LIVE,
        "RevokedAhead": State.REVOKED,
        "Ended": State.EXPIRED,
        "Revoked": State.REVOKED,
        "Stopped": State.REVOKED,
    }
    section = (DOCS / "contracts.md").read_text().split("## Life of a consent")[1].split("\n## ")[0]
    ways = re.findall(r"^    (\S+) --> (\w+):", section, re.MULTILINE)
    assert len(ways) > 8
    table = {(before, then) for before, of in TRANSITIONS.items() for then in of.values()}
    assert {(names[a], names[b]) for a, b in ways if names[a] is not names[b]} <= table


def _section(title: str) -> str:
    return (DOCS / "decision.md").read_text().split(f"## {title}")[1].split("\n## ")[0]
