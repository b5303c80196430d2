"""Stopping a member: suspension and removal, effective for every read from receipt (invariant 1).

A stop is kept durably, enters the queue of restrictions, gets its audit entry, and is then acknowledged. The
chain follows behind. While the chain cannot be read, nobody is permitted anything, and a stop is taken all
the same.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable

from backend.audit import codes
from backend.audit.entry import Agent, AgentKind, AuditEvent, Outcome
from backend.audit.log import AuditLog
from backend.consent.finality import final_block_with
from backend.consent.ledger_types import MemberStanding
from backend.consent.member_order import (
    ADMISSION,
    CARRIED_OUT,
    STOP,
    MemberNotAdmitted,
    MemberOrder,
    MemberUnknown,
    stop_id,
)
from backend.consent.member_registry import Member, MemberRegistry
from backend.consent.restrictions import RestrictionQueue
from backend.consent.revocations import StopNotRecorded
from backend.consent.service import act_identity
from backend.errors import Conflict, LedgerUnavailable, Unavailable
from backend.outbox.driver import Driver
from backend.outbox.errors import ActConflict
from backend.outbox.service import Outbox
from backend.outbox.types import DONE, Act, Advance
from backend.types import BlockNumber, MemberId

_LOG = logging.getLogger("assent.members")


class CustodianItself(Conflict):
    """The custodian that this service runs for was to be suspended or removed by its own operator."""

    code = "custodian_itself"
    remedy = "Without it this service could neither read nor anchor. To stop everything, stop the service."


class WideningUnderWay(Unavailable):
    """An admission or reinstatement asked for before the stop is not called off yet."""

    code = "widening_under_way"
    remedy = "The stop is in force here. The chain follows by itself, within minutes."


class MemberStops:
    """Build the steps once, with the constructor, before acts are driven."""

    def __init__(
        self,
        *,
        tenant: MemberId,
        registry: MemberRegistry,
        restrictions: RestrictionQueue,
        outbox: Outbox,
        driver: Driver,
        audit: AuditLog,
        clock: Callable[[], int],
    ) -> None:
        self._tenant = tenant
        self._registry = registry
        self._order = MemberOrder(outbox)
        self._restrictions = restrictions
        self._outbox = outbox
        self._driver = driver
        self._audit = audit
        self._clock = clock
        outbox.register(STOP, {"received": self._log, "logged": self._relay, "relayed": self._settle})

    def suspend(self, member: MemberId, *, by: Agent) -> None:
        """Put a suspension in force and return; one that is in force already changes nothing.

        Raises MemberUnknown, MemberNotAdmitted where its admission waits, CustodianItself.
        """
        self._stop(member, MemberStanding.SUSPENDED, by)

    def remove(self, member: MemberId, *, by: Agent) -> None:
        """Stop a member for good, or call its admission off, and return; the same again changes nothing.

        Raises MemberUnknown, CustodianItself.
        """
        self._stop(member, MemberStanding.REMOVED, by)

    def restore_restrictions(self, *, of: MemberId | None = None, but: str | None = None) -> None:
        """Put every stop that is not on the chain into the queue: at start-up, before the first decision, and
        of one member when the act ``but``, which may share its restriction with others, came to its end."""
        for act in self._outbox.unfinished(STOP):
            if act.act_id != but and of in (None, act.data["member"]):
                self._restrictions.accept_suspension(act.data["member"])

    def _stop(self, member: MemberId, wanted: MemberStanding, by: Agent) -> None:
        if member == self._tenant:
            raise CustodianItself(field="member")
        widenings = self._order.widenings_under_way(member)
        # Nothing is permitted while the chain is away, so a stop of nobody takes nothing from anyone; the
        # relay step finds out and drops it.
        found = self._found(member)
        if found is not None:
            if found.standing == MemberStanding.UNKNOWN and not widenings:
                raise MemberUnknown(field="member")
            if found.standing >= wanted and not widenings:
                return
        admitted = found is not None and found.standing != MemberStanding.UNKNOWN
        if not admitted and wanted == MemberStanding.SUSPENDED and _waits_for_admission(widenings):
            raise MemberNotAdmitted(field="member")
        act = self._begin(member, wanted, by)
        self._restrictions.accept_suspension(member)
        # Read again: an earlier one may have come to its end meanwhile, and would not settle this.
        act = self._outbox.drive(self._outbox.find(STOP, act.act_id) or act, until="logged")
        if act.is_over:
            final = act.data.get("final")
            self._release(act, block=self._registry.view().head_number if final is None else final)
        else:
            self._driver.hand_over(act)

    def _begin(self, member: MemberId, wanted: MemberStanding, by: Agent) -> Act:
        """Return the act of this stop: the last one if it stops as much, goes on, and was asked last."""
        while True:
            number = self._order.next_stop(member)
            last = self._order.stop(member, number - 1) if number else None
            if last is not None and not last.is_over and last.data["wanted"] >= wanted:
                later = [
                    act for act in self._order.widenings_under_way(member) if act.data["stops"] == number
                ]
                if not later:
                    return last
            data = {
                "digest": hashlib.sha256(f"{by.kind}:{by.id}:{wanted}".encode()).digest(),
                "member": bytes(member),
                "number": number,
                "wanted": int(wanted),
                "by": [by.kind.value, by.id],
            }
            try:
                return self._outbox.begin(STOP, stop_id(member, number), state="received", data=data)
            except ActConflict:
                continue  # somebody else asked for another stop at this moment

    def _found(self, member: MemberId) -> Member | None:
        try:
            return self._registry.member(member)
        except LedgerUnavailable:
            return None

    def _log(self, act: Act) -> Advance:
        suspended = act.data["wanted"] == MemberStanding.SUSPENDED
        kind, identifier = act.data["by"]
        self._audit.append(
            AuditEvent(
                type=codes.PARTICIPANT_CHANGED,
                outcome=Outcome.CHANGED,
                occurred_at_ms=act.created_at * 1000,
                actor=Agent(AgentKind(kind), identifier),
                organisation=_member(act),
                queue_position=self._restrictions.position,
                detail={"change": "suspended" if suspended else "removed"},
            ),
            act=act_identity(act),
        )
        return Advance("logged", {})

    def _relay(self, act: Act) -> Advance:
        member, wanted = _member(act), act.data["wanted"]
        if self._order.widenings_under_way(member, stops=act.data["number"]):
            raise WideningUnderWay  # it may be on its way to the chain: only then is the standing known
        found = self._registry.member(member)
        if found.standing == MemberStanding.UNKNOWN:
            if not self._order.was_asked_to_admit(member):
                self._release(act, block=None)  # taken while the chain could not be asked
                raise MemberUnknown
            return Advance("relayed", {"called_off": True})
        if found.standing >= wanted:
            return Advance("relayed", {})  # an earlier attempt of this step, or somebody else, was first
        send = self._registry.suspend if wanted == MemberStanding.SUSPENDED else self._registry.remove
        try:
            receipt = send(member)
        except Conflict as refusal:
            # It counts here from receipt. Whatever keeps the chain from recording it may be mended.
            _LOG.warning(
                "the chain refused to record the stop of a member",
                extra={"code": refusal.code, "reason": refusal.detail, "act": act.act_id},
            )
            raise StopNotRecorded from refusal
        return Advance("relayed", {"block": receipt.block_number})

    def _settle(self, act: Act) -> Advance:
        def is_stopped(block: BlockNumber) -> bool:
            standing = self._registry.standing(_member(act), block=block)
            if standing == MemberStanding.UNKNOWN:
                return bool(act.data.get("called_off"))
            return standing >= MemberStanding(act.data["wanted"])

        block = final_block_with(is_stopped, act, ledger=self._registry, now=self._clock())
        if block is None:
            _LOG.warning(
                "the block with a stop was replaced; it is recorded again", extra={"act": act.act_id}
            )
            return Advance("logged", {})
        self._release(act, block=block)
        return Advance(DONE, {"final": block})

    def _release(self, act: Act, *, block: BlockNumber | None) -> None:
        """The stop is final in ``block``; without block, it came to nothing."""
        self._restrictions.settle_suspension(_member(act), block=block)
        self.restore_restrictions(of=_member(act), but=act.act_id)


def _waits_for_admission(widenings: list[Act]) -> bool:
    return any(act.kind == ADMISSION and act.state != CARRIED_OUT for act in widenings)


def _member(act: Act) -> MemberId:
    return MemberId(act.data["member"])
