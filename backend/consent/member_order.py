"""The order of what was asked for one member: stops are numbered, a widening counts the stops before it.

A stop ends every widening that was asked for before it and waits until those are over; a widening waits for
the stops before it. So the last thing asked is what the chain ends up with, whoever is quicker.
"""

from __future__ import annotations

from typing import Final

from backend.errors import Conflict, NotFound
from backend.outbox.service import Outbox
from backend.outbox.types import Act
from backend.types import MemberId

STOP: Final = "member_stop"
ADMISSION: Final = "admission"
REINSTATEMENT: Final = "reinstatement"
ANNOUNCED: Final = "announced"  # states of a widening: it waits out its delay
CARRIED_OUT: Final = "carried_out"  # it is on the chain, and not logged yet


class MemberUnknown(NotFound):
    code = "member_unknown"
    remedy = "Look at the list of members: GET /v1/members, or assent members list."


class MemberNotAdmitted(Conflict):
    """The member's admission waits out the registry's delay, or for the chain."""

    code = "member_not_admitted"
    remedy = "It takes no part yet. To call its admission off, remove it."


class MemberRemoved(Conflict):
    """A removal is for good; ids are never used twice."""

    code = "member_removed"
    remedy = "Admit the organisation anew; patients then give consent to the new member."


class MemberOrder:
    """Reads the acts about members."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def next_stop(self, member: MemberId) -> int:
        """Return how many stops were ever asked for."""
        number = 0
        while self.stop(member, number) is not None:
            number += 1
        return number

    def stop(self, member: MemberId, number: int) -> Act | None:
        return self._outbox.find(STOP, stop_id(member, number))

    def stops_under_way(self, member: MemberId, *, before: int | None = None) -> list[Act]:
        """Return the stops that are not over, of those below number ``before``."""
        return [
            act
            for act in self._outbox.unfinished(STOP)
            if act.data["member"] == member and (before is None or act.data["number"] < before)
        ]

    def widenings_under_way(self, member: MemberId, *, stops: int | None = None) -> list[Act]:
        """Return the widenings that are not over, of those asked for after at most ``stops`` stops."""
        return [
            act
            for act in self._outbox.unfinished(ADMISSION, REINSTATEMENT)
            if act.data["member"] == member and (stops is None or act.data["stops"] <= stops)
        ]

    def was_asked_to_admit(self, member: MemberId) -> bool:
        return self._outbox.find(ADMISSION, member.hex()) is not None


def stop_id(member: MemberId, number: int) -> str:
    return f"{member.hex()}/{number}"
