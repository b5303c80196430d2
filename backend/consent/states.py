"""The states of a request and of a consent, and the one table of what leads from which to which.

``docs/decision.md`` shows the table as it stands here; tests hold that diagram, the one of the contract and
what ``lifecycle`` finds against it. States are for people: the decision looks at dates and slots only.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class State(StrEnum):
    # of a request
    REQUESTED = "requested"
    GRANTED = "granted"  # the permit that answers it has a life of its own, below
    REFUSED = "refused"  # also of the signed refusal itself
    LAPSED = "lapsed"  # also of a signed document that came too late to be recorded
    # of a consent or a delegation
    DRAFT = "draft"  # made and not signed; nobody keeps it
    PENDING = "pending"  # received; a deny counts from here
    NOT_YET_VALID = "not_yet_valid"
    LIVE = "live"
    SUSPENDED = "suspended"  # live, while the member it is given to is not in standing
    REVOKED = "revoked"
    SUPERSEDED = "superseded"
    EXPIRED = "expired"


class Event(StrEnum):
    SIGNED = "signed and received"
    SIGNED_REFUSAL = "refusal signed and received"
    TOO_LATE = "time to answer or to record is over"
    RECORDED = "recorded, has begun"
    RECORDED_EARLY = "recorded, begins later"
    BEGAN = "its start"
    ENDED = "its end"
    REVOKED = "revoked, alone or with all"
    REPLACED = "a later consent takes its place"
    MEMBER_STOPPED = "its member is suspended, removed or expired"
    MEMBER_BACK = "its member is in standing again"


_OVER: Final = {Event.REVOKED: State.REVOKED, Event.REPLACED: State.SUPERSEDED}
_ENDING: Final = {**_OVER, Event.ENDED: State.EXPIRED}

TRANSITIONS: Final[Mapping[State, Mapping[Event, State]]] = {
    State.REQUESTED: {
        Event.SIGNED: State.GRANTED,
        Event.SIGNED_REFUSAL: State.REFUSED,
        Event.TOO_LATE: State.LAPSED,
    },
    State.GRANTED: {},
    State.REFUSED: {},
    State.LAPSED: _ENDING,
    State.DRAFT: {Event.SIGNED: State.PENDING},
    State.PENDING: {
        Event.RECORDED: State.LIVE,
        Event.RECORDED_EARLY: State.NOT_YET_VALID,
        Event.TOO_LATE: State.LAPSED,
        **_ENDING,
    },
    State.NOT_YET_VALID: {Event.BEGAN: State.LIVE, **_ENDING},
    State.LIVE: {Event.MEMBER_STOPPED: State.SUSPENDED, **_ENDING},
    State.SUSPENDED: {Event.MEMBER_BACK: State.LIVE, **_ENDING},
    # An end that is over can still be revoked, which records the date; a revoked one can still be replaced.
    State.EXPIRED: _OVER,
    State.REVOKED: {Event.REPLACED: State.SUPERSEDED},
    State.SUPERSEDED: {},
}


class TransitionUnknown(ValueError):
    """The table has no way from this state by this event. A defect of the caller."""


def after(state: State, event: Event) -> State:
    """Return the next state. Raise TransitionUnknown where the table has none."""
    try:
        return TRANSITIONS[state][event]
    except KeyError as failure:
        raise TransitionUnknown(f"{state} does not know: {event}") from failure


def diagram() -> str:
    """Return the table as a mermaid state diagram."""
    lines = ["stateDiagram-v2", f"    [*] --> {State.REQUESTED}", f"    [*] --> {State.DRAFT}"]
    lines += [
        f"    {before} --> {then}: {event}"
        for before, ways in TRANSITIONS.items()
        for event, then in ways.items()
    ]
    return "\n".join(lines)
